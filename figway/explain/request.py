"""Why a request goes where it goes: the decision of the data plane, made visible.

Nothing is decided here. The route comes from the same matcher, the side from the same `decide`,
and the rules of fallback are asked of the same exchange machine that serves requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from figway.explain.becomes import becomes
from figway.explain.policies import PolicyStep, policy_steps
from figway.message.forwarded import said
from figway.message.http import RequestHead
from figway.model.backend import HANDED_ON, Backend, FallbackBudgetPolicy
from figway.model.comparison import LegacyReads
from figway.model.table import Stage
from figway.model.words import Side
from figway.operation.operation import Ask, BodyNeeded, Operation, OperationReading, UnreadReason
from figway.routing.compile import CompiledTable, Plan
from figway.routing.decide import Decision, decide, sticky_key
from figway.routing.match import effective_method
from figway.routing.pattern import is_ambiguous, parse
from figway.routing.shadow import Skip, why_not_copied
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.exchange import Exchange
from figway.serving.attempts.failures import FailureKind, Sent

_REFUSALS = {
    "method": "it does not list the method",
    "condition": "one of its conditions does not hold",
    "operation": "it takes another operation",
}
_SHADOW = {
    Skip.STAGE: "stage {stage} copies nothing",
    Skip.NO_NEW: "the route has no new backend",
    Skip.KILL_SWITCH: "the kill switch is on",
    Skip.NOT_ASKED: "the route copies nothing that new served (shadow.from_new)",
    Skip.UNSAFE_METHOD: "the method is not safe, the route does not list it in reads, and no "
    "dry-run contract covers it",
    Skip.UNSAFE_GET: "the route's reads are marked as unsafe (shadow.unsafe_get)",
    Skip.ANSWERS_LATER: "new answers 202 before the work is done, which compares with nothing",
    Skip.NOT_SAMPLED: "the sample is 0",
}
_READ_AGAIN = {
    LegacyReads.CACHEABLE: "only where its own answer may be stored (shadow.legacy_reads)",
    LegacyReads.ALLOWED: "within its budget (shadow.legacy_reads is allowed)",
    LegacyReads.NEVER: "never (shadow.legacy_reads)",
}
MOST_BODY = 65_536
"""Bytes of a body that are read, as on the way of a request."""
_NO_CLIENT_KEY = b"explained"  # stands for the random identity that a client would be issued


@dataclass(frozen=True, slots=True)
class Loser:
    """A route whose host and path fit, and why it does not serve."""

    route_id: str
    why: str


@dataclass(frozen=True, slots=True)
class FallbackRule:
    """One occasion for a fallback, and whether legacy would serve then."""

    when: str
    """`breaker_open`, `not_sent`, `timeout` (a reset likewise) or `status` (a listed one)."""
    allowed: bool
    why: str
    """Why not, in the words of the record; empty if allowed."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The way of one request through one table.

    `matched` is `route`, `no_route` or `ambiguous_path`. `method` is the one matched by: a CORS
    preflight counts as the method it announces. `key` is the sticky key, empty where no split
    took place or none was sent (`issues` is then the cookie that the client would be given).
    `becomes` says what a queue, bus, topic or workflow gets of it, or would get where legacy
    serves, else it is empty.
    `policies` are the route's route policies, in the order in which the request meets them; one
    that refuses is answered by the facade itself, and no side serves. `operation` is what was read
    of the body where that decides, `unread` why it decided nothing: `no_body` where none was given.
    """

    revision: int
    matched: str
    method: str
    route_id: str
    losers: tuple[Loser, ...]
    variables: dict[str, str]
    capability_id: str
    stage: str
    weight: int
    side: str
    why: str
    bucket: int
    key: str
    key_source: str
    issues: str
    backend_id: str
    becomes: str
    shadow: bool
    shadow_why: str
    policies: tuple[PolicyStep, ...]
    fallback: tuple[FallbackRule, ...]
    operation: str = ""
    unread: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        data = asdict(self)
        data["losers"] = list(data["losers"])
        data["policies"] = list(data["policies"])
        data["fallback"] = list(data["fallback"])
        return data


def explain(
    compiled: CompiledTable,
    head: RequestHead,
    *,
    kill: bool | None = None,
    forced: Side | None = None,
    fresh_id: Callable[[], bytes] | None = None,
    body: bytes | None = None,
) -> Explanation:
    """Explain what `compiled` does with `head`, and with `body` where the operation decides.

    `kill` is the table's own switch unless given; `forced` a tester's verified wish. Without
    `fresh_id`, a client that brings no key gets a fixed one, and `key` is empty: its bucket is
    that of no real client.
    """
    kill = compiled.table.kill_switch if kill is None else kill
    plan, reading, unread = _matched_plan(compiled, head, body)
    fresh = fresh_id or (lambda: _NO_CLIENT_KEY)
    decision = decide(plan, head, kill=kill, forced=forced, fresh_id=fresh)
    backend = plan.legacy if decision.side is Side.LEGACY or plan.new is None else plan.new
    skip = why_not_copied(plan, decision.side, head.method, kill=kill)
    return Explanation(
        revision=compiled.revision,
        matched=_matched(plan, head),
        method=effective_method(head),
        route_id=plan.route_id,
        losers=_losers(compiled, head, plan, reading),
        variables=_variables(plan, head),
        capability_id=plan.capability_id,
        stage=plan.stage.value,
        weight=plan.weight,
        side=decision.side.value,
        why=decision.why.value,
        bucket=decision.bucket,
        key=_key(plan, head, decision),
        key_source=decision.key_source,
        issues=plan.issue.decode() if decision.issue else "",
        backend_id=backend.id,
        becomes=_becomes(plan, backend),
        shadow=skip is Skip.NO,
        shadow_why=_shadow_why(plan, skip, decision.side),
        policies=_forwarded(head)
        + _spelling(compiled, plan, head)
        + policy_steps(plan, head, decision.side),
        fallback=_fallback(plan, head, decision.side),
        operation=reading.text,
        unread=unread,
    )


def _matched_plan(
    compiled: CompiledTable, head: RequestHead, body: bytes | None
) -> tuple[Plan, OperationReading, str]:
    """The plan, what was read of the body, and why that decided nothing."""
    try:
        return compiled.match(head), OperationReading(), ""
    except BodyNeeded as needed:
        asks = needed.asks
    from figway.operation.read import OperationReader  # only where a body decides

    reader, data = OperationReader(), (body or b"")[:MOST_BODY]
    complete = len(data) == len(body or b"")
    found: dict[Ask, tuple[Operation, ...] | UnreadReason] = {}
    while True:
        found.update(reader.read(asks, head, data, complete=complete).found)
        reading = OperationReading(found)
        try:
            plan, unread = compiled.match_read(head, reading)
        except BodyNeeded as needed:
            asks = needed.asks
            continue
        return plan, reading, "no_body" if unread and body is None else unread


def _forwarded(head: RequestHead) -> tuple[PolicyStep, ...]:
    """What a proxy in front says counts only where the proxy was told to believe it."""
    proto = said(head.get).proto
    if not proto:
        return ()
    told = proto.decode("latin-1")
    text = (
        f"X-Forwarded-Proto ({told}) is believed from a trusted proxy alone "
        "(FIGWAY_TRUSTED_PROXIES); from anybody else legacy is told what the connection spoke"
    )
    return (PolicyStep("forwarded", "depends", 0, text),)


def _spelling(compiled: CompiledTable, plan: Plan, head: RequestHead) -> tuple[PolicyStep, ...]:
    """The refusal of a path, or method, that another reading leads to a guarded route."""
    if compiled.guarded is None:
        return ()
    problem = compiled.guarded.refusal(head, plan.route)
    if problem is None:
        return ()
    text = f"{problem.detail} The table's refuse_other_spellings asks for this"
    return (PolicyStep("spelling", "refuses", problem.status, text),)


def _becomes(plan: Plan, backend: Backend) -> str:
    """What becomes of it at the backend that serves; where that is legacy, what would at new."""
    if found := becomes(backend):
        return found
    would = "" if plan.new is None or plan.new is backend else becomes(plan.new)
    return f"at new: {would}" if would else ""


def _matched(plan: Plan, head: RequestHead) -> str:
    if plan.route is not None:
        return "route"
    return "ambiguous_path" if is_ambiguous(head.path) else "no_route"


def _losers(
    compiled: CompiledTable, head: RequestHead, plan: Plan, reading: OperationReading
) -> tuple[Loser, ...]:
    losers: dict[str, Loser] = {}
    for candidate in compiled.matcher.candidates(head, reading):
        if candidate.route_id == plan.route_id or candidate.route_id in losers:
            continue
        why = _REFUSALS.get(candidate.refused, f"{plan.route_id} is more specific")
        losers[candidate.route_id] = Loser(candidate.route_id, why)
    if plan.route is None:
        for near in compiled.matcher.candidates(_OtherSlash(head)):
            why = "its path ends without a slash, and this one with one"
            if not head.path.endswith(b"/"):
                why = "its path ends with a slash, and this one without"
            losers.setdefault(near.route_id, Loser(near.route_id, why))
    return tuple(losers.values())


class _OtherSlash:
    """The same request with the slash at its end taken away, or added."""

    def __init__(self, head: RequestHead) -> None:
        self._head = head
        self.path = head.path.rstrip(b"/") if head.path.endswith(b"/") else head.path + b"/"
        self.method, self.query, self.host = head.method, head.query, head.host
        self.client = head.client

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return self._head.get(name)


def _variables(plan: Plan, head: RequestHead) -> dict[str, str]:
    if plan.route is None:
        return {}
    taken = parse(plan.route.match.path).variables(head.path)
    return {name: value.decode("latin-1") for name, value in taken.items()}


def _key(plan: Plan, head: RequestHead, decision: Decision) -> str:
    if not decision.key_source:
        return ""
    for link in plan.sticky:
        if key := sticky_key(link, head):
            return key.decode("utf-8", "replace")
    if decision.issue:
        return "" if decision.issue == _NO_CLIENT_KEY else decision.issue.decode()
    return head.client


def _shadow_why(plan: Plan, skip: Skip, served: Side) -> str:
    if skip is not Skip.NO:
        return _SHADOW[skip].format(stage=plan.stage.value)
    share = f"{plan.shadow.sample / 100:g} %"
    return (
        f"{share} of what {served.value} serves go to {served.other.value}; "
        f"legacy is asked again {_READ_AGAIN[plan.shadow.legacy_reads]}"
    )


def _fallback(plan: Plan, head: RequestHead, side: Side) -> tuple[FallbackRule, ...]:
    """Put each kind of failure to an exchange of its own, and see what it does."""
    if side is Side.LEGACY:
        return ()
    occasions: list[tuple[str, Callable[[Exchange], object]]] = [
        ("not_sent", lambda exchange: exchange.failed(FailureKind.CONNECT, Sent.NOTHING, 0)),
        ("timeout", lambda exchange: exchange.failed(FailureKind.TIMEOUT, Sent.SOME, 0)),
    ]
    if plan.fallback.statuses:
        status = plan.fallback.statuses[0]
        occasions.append(("status", lambda exchange: exchange.response_head(status, 0)))
    rules = []
    for when, happen in occasions:
        exchange = Exchange(
            plan.fallback,
            side,
            head.method,
            0,
            breaker=None,
            budget=FallbackBudget(FallbackBudgetPolicy(min_per_s=1)),
            keyed=head.get(b"idempotency-key") is not None,
            retired=plan.stage is Stage.RETIRED,
            reads=plan.reads,
        )
        exchange.hands_on = plan.new is not None and plan.new.kind in HANDED_ON
        exchange.start(0)
        happen(exchange)
        why = exchange.no_fallback
        rules.append(FallbackRule(when, bool(exchange.fallback), why.value if why else ""))
    if plan.breaker.enabled:
        rules.insert(0, FallbackRule("breaker_open", rules[0].allowed, rules[0].why))
    return tuple(rules)
