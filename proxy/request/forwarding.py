"""What becomes of a message on its way: the request as a backend gets it, the answer's head as the
client gets it.

A head that needs no change is passed on as the bytes that came. Only routes and backends that ask
for more (policies, credentials) pay for `edited`.
"""

from __future__ import annotations

from figway.message import rewrite
from figway.message.forwarded import said
from figway.message.headers import Arrival, forward_request, forward_response, forward_section
from figway.message.http import Headers
from figway.message.sticky_cookie import is_kept_by_others, issue_cookie
from figway.routing.policy import PolicyPlan
from proxy.request.choice import Choice
from proxy.request.live import LiveBackend, LiveRoute
from proxy.request.place import place_of
from proxy.request.runtime import Runtime
from proxy.wire.client_head import RequestHead
from proxy.wire.message import OutboundRequest, ResponseHead


def outbound(
    head: RequestHead, arrival: Arrival, live: LiveBackend, choice: Choice
) -> OutboundRequest:
    """The request as `live` gets it; its header section as bytes wherever that is enough."""
    route = choice.route
    headers = section = None
    if head.carried is not None and not head.upgrade:
        section = forward_section(
            head.carried,
            head.acted_on,
            arrival,
            live.backend,
            authority=live.authority,
            hop=choice.hop,
            traceparent=choice.traceparent,
        )
    if section is None:
        headers = forward_request(
            head.headers,
            arrival,
            live.backend,
            authority=live.authority,
            hop=choice.hop,
            traceparent=choice.traceparent,
            upgrade=head.upgrade,
            decides=route.decides,
        )
    request = OutboundRequest(
        head.method,
        live.prefix + head.target if live.prefix and head.target != b"*" else head.target,
        headers,
        section,
        head.has_body,
        head.content_length,
        head.upgrade != b"",
    )
    if live.credentials is not None or route.edits_requests:
        request = edited(request, head.target, choice.plan.policy_plan, live)
    if live.hands_on:
        request.place = place_of(choice.plan, head, choice.decision)
    request.login = choice.login
    request.head_ms, request.idle_ms = route.head_ms, route.idle_ms
    return request


def edited(
    request: OutboundRequest, raw: bytes, policy_plan: PolicyPlan | None, live: LiveBackend
) -> OutboundRequest:
    """`request` with the route's edits and the backend's credentials. `raw` is the request target
    that the client sent."""
    path, headers = request.target, request.headers
    if policy_plan is not None:
        rewritten = policy_plan.target(raw, live.backend.side)
        if rewritten is not raw:
            path = live.prefix + rewritten
        if policy_plan.request is not None:
            headers = policy_plan.request.apply(headers)
    if live.credentials is not None:
        headers = live.credentials.apply(headers)
    return OutboundRequest(
        request.method,
        path,
        headers,
        has_body=request.has_body,
        content_length=request.content_length,
        upgrade=request.upgrade,
    )


def relayed(
    answer: ResponseHead,
    head: RequestHead,
    arrival: Arrival,
    runtime: Runtime,
    route: LiveRoute,
    live: LiveBackend | None,
    issue: bytes,
) -> ResponseHead:
    """The head that the client gets: the place for everything a plan changes in answers.

    `head` is the request's; `issue` is the value of the sticky cookie that it gets, or empty.
    """
    edits = route.edits_response
    if answer.plain and not issue and edits is None:
        return answer
    headers = forward_response(answer.headers)
    if answer.status == 426:
        headers += _announced_upgrade(answer.headers)
    public = _public(head, arrival, secure=runtime.settings.secure)
    if live is not None:
        headers = rewrite.answer(
            headers, runtime.table.names, public, prefix=live.prefix, domains=live.domains
        )
    if edits is not None:
        headers = edits.apply(headers)
    if issue and not is_kept_by_others(answer.status, headers):
        secure = public.scheme == b"https" and not route.plan.issue_attributes.endswith(b"Secure")
        plan = route.plan
        headers.append(issue_cookie(plan.issue, issue, plan.issue_attributes, secure=secure))
    return ResponseHead(answer.status, answer.reason, headers)


def _announced_upgrade(headers: Headers) -> Headers:
    """426 says what to upgrade to (RFC 9110, 15.5.22), and the facade passes upgrades on."""
    announced = [field for field in headers if field[0].lower() == b"upgrade"]
    return [*announced, (b"Connection", b"Upgrade")] if announced else []


def _public(head: RequestHead, arrival: Arrival, *, secure: bool) -> rewrite.Public:
    """The facade as the client sees it; a trusted proxy knows that better."""
    secure = secure or arrival.scheme == "https"
    host = arrival.host
    if arrival.trusted:
        told = said(head.get)
        host = told.host or host
        secure = secure or told.proto == b"https"
    return rewrite.Public(b"https" if secure else b"http", host)
