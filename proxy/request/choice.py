"""What one request meets: its route, its side, the rules of a second attempt, and what refuses it.

The table is read once, in `choose`, when the head is in. Whatever is swapped in meanwhile, a
request ends as it began.
"""

from __future__ import annotations

from time import time
from typing import Final

from figway.message.force import COOKIE as FORCE_COOKIE
from figway.message.force import HEADER as FORCE_HEADER
from figway.message.force import verify
from figway.message.headers import HOP_HEADER, hops
from figway.message.problem import Problem
from figway.model.words import Side
from figway.routing.compile import Plan
from figway.routing.decide import Decision, Why, cookie_value, decide
from figway.routing.spelling import Guarded
from figway.serving.attempts.exchange import Exchange
from proxy.request.body_limit import TOO_LARGE, is_over
from proxy.request.client import ClientPort
from proxy.request.ids import fresh_id
from proxy.request.live import LiveRoute
from proxy.request.runtime import Runtime
from proxy.upstreams.logins import ClientConnection, is_login
from proxy.wire.client_head import RequestHead

_UNDECIDED: Final = Decision(Side.LEGACY, Why.NO_ROUTE)
_NEW: Final = Side.NEW
_LOOP: Final = Problem(508, "loop", "The request went through too many facades")
_NO_LOGIN: Final = Problem(
    501,
    "connection_login",
    "NTLM and Negotiate cannot be used here",
    "They log a connection in, and this way in has none that is one client's alone.",
)


class Choice:
    """Read-only but for what `refusal` learns: `login` says that the request logs its connection
    in, `owner` whose connection it came over (None where the door does not say).

    `hop` is the number of this facade in the chain that the request passes; `traceparent` the
    client's, or a fresh one; `guarded` what another spelling must not pass.
    """

    __slots__ = (
        "decision",
        "exchange",
        "guarded",
        "hop",
        "login",
        "owner",
        "plan",
        "revision",
        "route",
        "traceparent",
    )

    def __init__(
        self,
        plan: Plan,
        route: LiveRoute,
        decision: Decision,
        exchange: Exchange,
        revision: int,
        hop: int,
        traceparent: bytes,
        guarded: Guarded | None,
    ) -> None:
        self.plan = plan
        self.route = route
        self.decision = decision
        self.exchange = exchange
        self.revision = revision
        self.hop = hop
        self.traceparent = traceparent
        self.guarded = guarded
        self.login = False
        self.owner: ClientConnection | None = None

    def refusal(
        self, runtime: Runtime, head: RequestHead, client: ClientPort, started: int
    ) -> Problem | None:
        """Why the request is not served, if it is not. `started` is monotonic nanoseconds."""
        route = self.route
        if self.hop > runtime.settings.max_hops:
            return _LOOP
        authorization = head.acted_on.get(b"authorization")
        if authorization is not None and is_login(authorization):
            self.login = True
        owner = self.owner = client.connection()
        if owner is not None:
            owner.speaks_for(head.client)
        elif self.login:
            return _NO_LOGIN
        guarded = self.guarded
        if guarded is not None:
            refusal = guarded.refusal(head, self.plan.route)
            if refusal is not None:
                return refusal
        guard = route.guard
        if guard is not None and (refusal := guard.refuses(head, started)) is not None:
            return refusal
        if route.max_body and is_over(route.max_body, head.content_length):
            return TOO_LARGE
        return None


def choose(runtime: Runtime, head: RequestHead, now: int, plan: Plan | None = None) -> Choice:
    """Read the table once. `now` is monotonic milliseconds; `plan` is one of the present table,
    where the body has told it.

    Raises:
        BodyNeeded: where the route depends on the operation that the body names.
    """
    compiled = runtime.table
    if plan is None:
        plan = compiled.match(head)
    route = runtime.route(plan)
    acted_on = head.acted_on  # the names below are all in it
    decision = decide(
        plan,
        head,
        kill=runtime.killed,
        forced=_forced(head, runtime.settings.force_secret),
        fresh_id=fresh_id,
    )
    side = decision.side
    exchange = Exchange(
        plan.fallback,
        side,
        head.method,
        now,
        route.breaker if side is _NEW else None,
        route.budget,
        b"idempotency-key" in acted_on,
        route.retired,
        plan.reads,
    )
    return Choice(
        plan,
        route,
        decision,
        exchange,
        compiled.revision,
        hops(acted_on.get(HOP_HEADER)) + 1,
        acted_on.get(b"traceparent") or runtime.trace_parents.fresh(),
        compiled.guarded,
    )


def stand_in(runtime: Runtime, head: RequestHead, now: int) -> Choice:
    """What the record needs of a request for which `choose` failed."""
    compiled = runtime.table
    plan = compiled.default
    route = runtime.route(plan)
    exchange = Exchange(
        plan.fallback, Side.LEGACY, head.method, now, breaker=None, budget=route.budget
    )
    parent = head.acted_on.get(b"traceparent", b"")
    return Choice(plan, route, _UNDECIDED, exchange, compiled.revision, 1, parent, None)


def _forced(head: RequestHead, secret: bytes) -> Side | None:
    """The side that a tester's token asks for; None where there is none that holds."""
    if not secret:
        return None
    token = head.get(FORCE_HEADER) or cookie_value(head.get(b"cookie"), FORCE_COOKIE)
    return verify(token, int(time()), secret) if token else None
