"""What the route policies of a route do with one request, as far as its head tells.

The order is the one in which a request meets them. Nothing is counted and no signature is checked,
so that a rate limit or a token that was sent is something that it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from figway.message.http import SAFE_METHODS, RequestHead
from figway.model.policies import HeaderEdits, JwtPolicy, RateKey, RateLimit
from figway.model.table import KeySource, StickyKey
from figway.model.words import Side
from figway.routing.compile import Plan
from figway.routing.decide import sticky_key
from figway.routing.match import is_preflight
from figway.routing.policy import PolicyPlan

_SOURCES = {
    RateKey.HEADER: KeySource.HEADER,
    RateKey.COOKIE: KeySource.COOKIE,
    RateKey.JWT_CLAIM: KeySource.JWT_CLAIM,
}


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """One route policy of the route, and what becomes of the request there."""

    policy: str
    """`forwarded`, `spelling`, `maintenance`, `rate_limit`, `jwt`, `content_type`, `body_size`,
    `path`, `request_headers` or `response_headers`."""
    outcome: str
    """`passes`, `refuses`, `depends` (on what a head does not tell), `changes` (the request or its
    answer) or `not_reached` (an earlier one refuses)."""
    status: int
    """The facade's own answer where it refuses, or may; else 0."""
    text: str


def policy_steps(plan: Plan, head: RequestHead, side: Side) -> tuple[PolicyStep, ...]:
    """The route policies of `plan` for a request that `side` is to serve."""
    if plan.policy_plan is None:
        return ()
    steps: list[PolicyStep] = []
    refused = False
    for step in _steps(plan.policy_plan, head, side):
        steps.append(_unreached(step) if refused else step)
        refused = refused or step.outcome == "refuses"
    return tuple(steps)


def _unreached(step: PolicyStep) -> PolicyStep:
    return PolicyStep(step.policy, "not_reached", 0, step.text)


def _steps(policy_plan: PolicyPlan, head: RequestHead, side: Side) -> Iterator[PolicyStep]:
    policies = policy_plan.policies
    if policies.maintenance is not None:
        status = policies.maintenance.status
        yield PolicyStep("maintenance", "refuses", status, f"every request is answered {status}")
    for limit in policies.rate_limits:
        yield PolicyStep("rate_limit", "depends", 429, _limit(limit, head))
    if policies.jwt is not None:
        yield _token(policies.jwt, head)
    yield from _body(policy_plan, head)
    if policies.path is not None:
        yield _path(policy_plan, head, side)
    for name, edits in (
        ("request_headers", policies.request_headers),
        ("response_headers", policies.response_headers),
    ):
        if edits.set or edits.remove:
            yield PolicyStep(name, "changes", 0, _edits(edits))


def _limit(limit: RateLimit, head: RequestHead) -> str:
    by = "of the whole route"
    if limit.key is RateKey.CLIENT_ADDRESS:
        by = f"by client address ({head.client})"
    elif limit.key is not RateKey.ROUTE:
        link = StickyKey(source=_SOURCES[limit.key], name=limit.key_name)
        by = f"by {limit.key.value} {limit.key_name}"
        if not sticky_key(link, head):
            by += f", which is missing: by client address ({head.client})"
    burst = limit.burst or limit.requests
    return f"{limit.name}: {limit.requests} in {limit.window_s} s, {burst} at once, {by}"


def _token(policy: JwtPolicy, head: RequestHead) -> PolicyStep:
    if is_preflight(head):
        return PolicyStep("jwt", "passes", 0, "a CORS preflight carries no token")
    wanted = [f"issuer {policy.issuer}"]
    if policy.audiences:
        wanted.append(f"audience {' or '.join(policy.audiences)}")
    for rule in policy.claims:
        values = f" = {' or '.join(rule.values)}" if rule.values else ""
        wanted.append(f"claim {rule.name}{values}")
    asked = ", ".join(wanted)
    if (head.get(b"authorization") or b"")[:7].lower() != b"bearer ":
        return PolicyStep("jwt", "refuses", 401, f"no bearer token was sent; it needs {asked}")
    return PolicyStep("jwt", "depends", 401, f"the token is not verified here; it needs {asked}")


def _body(policy_plan: PolicyPlan, head: RequestHead) -> Iterator[PolicyStep]:
    body = policy_plan.policies.body
    size = head.get(b"content-length") or b""
    announced = int(size) if size.isdigit() and len(size) < 20 else None
    chunked = head.get(b"transfer-encoding") is not None
    without = not chunked and (announced == 0 or (announced is None and _bodiless(head)))
    if policy_plan.types and not is_preflight(head):
        accepted = f"a body has to be {' or '.join(body.content_types)}"
        if without:
            yield PolicyStep("content_type", "passes", 0, f"{accepted}; none is announced")
        elif policy_plan.body_problem(head) is None:
            yield PolicyStep("content_type", "passes", 0, accepted)
        else:
            sure = chunked or announced is not None
            yield PolicyStep("content_type", "refuses" if sure else "depends", 415, accepted)
    if body.max_bytes:
        text = f"a body may have {body.max_bytes} bytes"
        if without:
            yield PolicyStep("body_size", "passes", 0, f"{text}; none is announced")
        elif announced is None:
            yield PolicyStep("body_size", "depends", 413, text)
        elif announced > body.max_bytes:
            yield PolicyStep("body_size", "refuses", 413, f"{text}, and {announced} are announced")
        else:
            yield PolicyStep("body_size", "passes", 0, text)


def _bodiless(head: RequestHead) -> bool:
    return head.method in SAFE_METHODS


def _path(policy_plan: PolicyPlan, head: RequestHead, side: Side) -> PolicyStep:
    sent = head.path + (b"?" + head.query if head.query else b"")
    got = policy_plan.target(sent, side)
    text = f"{side.value} gets {got.decode('latin-1')}"
    return PolicyStep("path", "passes" if got == sent else "changes", 0, text)


def _edits(edits: HeaderEdits) -> str:
    parts = [f"sets {field.name}" for field in edits.set]
    parts += [f"removes {name}" for name in edits.remove]
    return ", ".join(parts)
