"""What becomes of a message on its way: the request as a backend gets it, the answer's head as the
client gets it.

A head that needs no change is passed on as the bytes that came.
"""

from __future__ import annotations

from figway.message import rewrite
from figway.message.headers import (
    Arrival,
    forward_request,
    forward_response,
    forward_section,
    issue_cookie,
)
from proxy.request.runtime import Lane, Runtime, Target
from proxy.wire.client_head import RequestHead
from proxy.wire.message import OutboundRequest, ResponseHead


def outbound(
    head: RequestHead, arrival: Arrival, target: Target, hop: int, traceparent: bytes
) -> OutboundRequest:
    """The request as `target` gets it; its header section as bytes wherever that is enough."""
    headers = section = None
    if head.carried is not None and not head.upgrade:
        section = forward_section(
            head.carried,
            head.acted_on,
            arrival,
            target.backend,
            authority=target.authority,
            hop=hop,
            traceparent=traceparent,
        )
    if section is None:
        headers = forward_request(
            head.headers,
            arrival,
            target.backend,
            authority=target.authority,
            hop=hop,
            traceparent=traceparent,
            upgrade=head.upgrade,
        )
    return OutboundRequest(
        head.method,
        target.prefix + head.target if target.prefix and head.target != b"*" else head.target,
        headers,
        section=section,
        has_body=head.has_body,
        content_length=head.content_length,
        upgrade=bool(head.upgrade),
    )


def relayed(
    answer: ResponseHead,
    head: RequestHead,
    arrival: Arrival,
    runtime: Runtime,
    lane: Lane,
    target: Target | None,
    issue: bytes,
) -> ResponseHead:
    """The head that the client gets: the place for everything a plan changes in answers.

    `head` is the request's; `issue` is the value of the sticky cookie that it gets, or empty.
    """
    edits = lane.edits_response
    if answer.plain and not issue and edits is None:
        return answer
    headers = forward_response(answer.headers)
    public = _public(head, arrival, secure=runtime.settings.secure)
    if target is not None:
        headers = rewrite.answer(
            headers, runtime.table.names, public, prefix=target.prefix, domains=target.domains
        )
    if edits is not None:
        headers = edits.apply(headers)
    if issue:
        headers.append(issue_cookie(lane.plan.issue, issue, secure=public.scheme == b"https"))
    return ResponseHead(answer.status, answer.reason, headers)


def _public(head: RequestHead, arrival: Arrival, *, secure: bool) -> rewrite.Public:
    """The facade as the client sees it; a trusted proxy knows that better."""
    secure = secure or arrival.scheme == "https"
    host = arrival.host
    if arrival.trusted:
        host = (head.get(b"x-forwarded-host") or host).partition(b",")[0].strip()
        secure = secure or head.get(b"x-forwarded-proto") == b"https"
    return rewrite.Public(b"https" if secure else b"http", host)
