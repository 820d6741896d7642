"""What one worker serves requests with: the table, and what must outlive a table.

`table` is the one atomic reference. A swap puts another there and reconciles the backends behind
it: one that is unchanged keeps its pool, one that is gone or different is retired and closed
when its last request is done. Breakers and budgets live on across swaps. A request takes its
`Lane` once and keeps it, whatever is swapped meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from time import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from figway.message.headers import MAX_HOPS, Arrival
from figway.message.problem import Problem
from figway.message.rewrite import domains_of
from figway.model.table import Backend, Side, Stage
from figway.routing.compile import CompiledTable, Plan
from figway.routing.decide import Decision
from figway.routing.policy import Edits
from figway.serving.breaker import Breaker, BreakerState
from figway.serving.budget import FallbackBudget
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.record import Recorder, RequestRecord
from proxy.policies.credentials import Credentials
from proxy.policies.guard import Guard, Guards
from proxy.upstreams.port import Upstream
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead

OpenUpstream = Callable[[Backend], Upstream]
"""Makes the upstream of a backend; may raise ValueError or OSError for one that cannot be used."""

Spawn = Callable[[Coroutine[Any, Any, Any], str], object]
"""Runs a coroutine in the background under a name: `TaskKeeper.spawn`."""

BreakerChanged = Callable[[str, str, BreakerState, BreakerState, int], None]
"""Told of each change of a breaker: route, backend, from, to, when (monotonic milliseconds)."""

Report = Callable[[str, BaseException], None]
"""Told of an exception that no request should have caused, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeSettings:
    """How the facade treats its clients. Times are milliseconds, sizes bytes."""

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Peers whose X-Forwarded-* and Forwarded are kept."""
    force_secret: bytes = b""
    """Key of the tokens that force a side; nobody can when empty."""
    max_head: int = 65_536
    """A whole request head (431)."""
    max_line: int = 16_384
    """The request line (414)."""
    max_fields: int = 200
    """Header fields of a request (431)."""
    max_body: int = 0
    """A request body (413); 0 is no limit."""
    max_connections: int = 10_000
    """Client connections at once."""
    max_connections_per_client: int = 0
    """Of them, those from one address that is no trusted proxy; 0 is no limit."""
    max_hops: int = MAX_HOPS
    """Facades that a request may pass before it is going in a circle (508)."""
    head_ms: int = 15_000
    """For a client to send a head, from its first byte (408)."""
    body_ms: int = 60_000
    """Between two pieces of a request body (408)."""
    idle_ms: int = 75_000
    """How long an idle connection is kept."""
    write_ms: int = 75_000
    """How long a client may take no byte of an answer that waits for it."""
    secure: bool = False
    """End users speak HTTPS although nothing here says so: issued cookies are Secure."""


class CaptureTap(Protocol):
    """Follows one request for the shadow. Must return at once and never raise."""

    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""

    def response_head(self, head: ResponseHead) -> None:
        """The head that the client is sent, as the backend gave it."""

    def response_body(self, data: bytes) -> None:
        """A piece of the answer's body."""

    def finished(self, record: RequestRecord) -> None:
        """The request is over, one way or another. Nothing is called afterwards."""


class Capture(Protocol):
    """Chooses what is copied to the other side."""

    def begin(
        self, plan: Plan, decision: Decision, head: RequestHead, arrival: Arrival
    ) -> CaptureTap | None:
        """A tap for this request, or None if it is not to be copied."""


class Target:
    """A backend as requests use it. `prefix` is put before a target, `domains` are the hosts it
    may put into cookies; `in_flight` counts users. `credentials` are None where there are none;
    `retry`, the budget of retries, where there is only one URL."""

    __slots__ = (
        "authority",
        "backend",
        "credentials",
        "domains",
        "in_flight",
        "prefix",
        "retired",
        "retry",
        "upstream",
    )

    def __init__(
        self, backend: Backend, upstream: Upstream, credentials: Credentials | None = None
    ) -> None:
        url = urlsplit(backend.url)
        self.backend = backend
        self.upstream = upstream
        self.credentials = credentials
        self.retry: FallbackBudget | None = None
        self.authority = (url.netloc or backend.function).rpartition("@")[2].encode()
        self.prefix = url.path.rstrip("/").encode()
        self.domains = domains_of(backend)
        self.in_flight = 0
        self.retired = False


class Lane:
    """A plan joined with what serves it. `captured` says that its stage may want a shadow;
    `guard` and the edits stem from its route policies, `max_body` (0 is no limit) in part."""

    __slots__ = (
        "breaker",
        "budget",
        "captured",
        "edits_requests",
        "edits_response",
        "guard",
        "legacy",
        "max_body",
        "new",
        "plan",
        "retired",
    )

    def __init__(
        self,
        plan: Plan,
        legacy: Target,
        new: Target | None,
        breaker: Breaker | None,
        budget: FallbackBudget,
        guard: Guard | None = None,
        max_body: int = 0,
    ) -> None:
        policy_plan = plan.policy_plan
        self.guard = guard
        self.max_body = max_body
        self.edits_requests = policy_plan is not None and policy_plan.edits_requests
        self.edits_response: Edits | None = None
        if policy_plan is not None:
            self.edits_response = policy_plan.response
            own = policy_plan.policies.body.max_bytes
            self.max_body = min(own, max_body) if own and max_body else own or max_body
        self.plan = plan
        self.legacy = legacy
        self.new = new
        self.breaker = breaker
        self.budget = budget
        self.retired = plan.stage is Stage.RETIRED
        self.captured = bool(plan.shadow.sample) and plan.stage in _SHADOWED


_SHADOWED = frozenset({Stage.SHADOW, Stage.CANARY, Stage.NEW})


class Runtime:
    """The state of one worker. Everything happens on the thread of its event loop.

    `workers` is how many processes share the fallback budgets; `name` tells this worker's
    breakers from those of others, so that they do not probe as one.
    """

    def __init__(
        self,
        compiled: CompiledTable,
        *,
        open_upstream: OpenUpstream,
        timer: DeadlineTimer,
        recorder: Recorder,
        spawn: Spawn,
        report: Report,
        settings: FacadeSettings | None = None,
        workers: int = 1,
        name: str = "",
        breaker_changed: BreakerChanged | None = None,
    ) -> None:
        """Raises what `open_upstream` raises for a backend that cannot be used."""
        self.settings = settings or FacadeSettings()
        self.timer = timer
        self.recorder = recorder
        self.report = report
        self.capture: Capture | None = None
        self.breaker_changed = breaker_changed
        self.in_flight = 0
        self.trace_parents = TraceParents()
        self._open = open_upstream
        self._spawn = spawn
        self._workers = workers
        self._name = name
        self._kill = False
        self._targets: dict[str, Target] = {}
        self._closing: set[Target] = set()
        self._lanes: dict[str, Lane] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._budgets: dict[str, FallbackBudget] = {}
        self._guards = Guards(timer, spawn, workers)
        self.swap(compiled)

    # -- what changes ------------------------------------------------------------------------

    @property
    def kill(self) -> bool:
        """The kill switch of this host: everything to legacy."""
        return self._kill

    @kill.setter
    def kill(self, value: bool) -> None:
        self._kill = value
        self.killed = value or self.table.table.kill_switch

    def swap(self, compiled: CompiledTable) -> None:
        """Serve another table from now on. On an exception nothing has changed.

        Raises what `open_upstream` raises for a backend that cannot be used.
        """
        backends = compiled.table.backends
        opened: dict[str, Target] = {}
        try:
            for key, backend in backends.items():
                known = self._targets.get(key)
                if known is None or known.backend != backend:
                    credentials = self._credentials(backend)
                    target = Target(backend, self._open(backend), credentials)
                    if backend.urls:
                        target.retry = FallbackBudget(backend.retry, self._workers)
                    opened[key] = target
            self._guards.follow(compiled.with_policies.values())
        except BaseException:
            for target in opened.values():
                self._retire(target)
            raise
        self.table = compiled
        self.killed = self._kill or compiled.table.kill_switch
        gone = [key for key in self._targets if key in opened or key not in backends]
        for key in gone:
            self._retire(self._targets.pop(key))
        self._targets.update(opened)
        for target in opened.values():
            if target.credentials is not None and target.credentials.from_files:
                self.timer.add(target.credentials)
        self._forget_routes(compiled)

    def _forget_routes(self, compiled: CompiledTable) -> None:
        plans = compiled.plans
        if len(self._lanes) > len(plans) + 1:
            self._lanes = {key: lane for key, lane in self._lanes.items() if key in plans}
        for key in [key for key in self._breakers if key[0] not in plans]:
            del self._breakers[key]
        for backend_id in [key for key in self._budgets if key not in self._targets]:
            del self._budgets[backend_id]

    def secrets_changed(self) -> None:
        """Take the credentials of every backend from where they are."""
        for target in self.targets():
            if target.credentials is not None:
                target.credentials.expired(self.timer.now)

    def _retire(self, target: Target) -> None:
        target.retired = True
        if target.credentials is not None:
            self.timer.discard(target.credentials)
        target.upstream.retire()
        self._closing.add(target)
        if not target.in_flight:
            self.released(target)

    def released(self, target: Target) -> None:
        """The last request of a retired target is done: close it."""
        if target in self._closing:
            self._closing.discard(target)
            self._spawn(target.upstream.close(), f"close backend {target.backend.id}")

    async def close(self) -> None:
        """Close every upstream, with what is still under way."""
        self._guards.close()
        targets = [*self._targets.values(), *self._closing]
        self._targets.clear()
        self._closing.clear()
        for target in targets:
            if target.credentials is not None:
                self.timer.discard(target.credentials)
            await target.upstream.close()

    # -- what a request asks for -------------------------------------------------------------

    def lane(self, plan: Plan) -> Lane:
        """The lane of a plan of the present table."""
        lane = self._lanes.get(plan.route_id)
        if lane is None or lane.plan is not plan:
            lane = self._lanes[plan.route_id] = self._make_lane(plan)
        return lane

    def _make_lane(self, plan: Plan) -> Lane:
        new = None if plan.new is None else self._targets[plan.new.id]
        breaker = None if plan.new is None else self._breaker(plan, plan.new)
        legacy = self._targets[plan.legacy.id]
        budget, guard = self._budget(plan.legacy), self._guards.guard(plan)
        return Lane(plan, legacy, new, breaker, budget, guard, self.settings.max_body)

    def _credentials(self, backend: Backend) -> Credentials | None:
        return Credentials(backend, self.report) if backend.credentials else None

    def _breaker(self, plan: Plan, new: Backend) -> Breaker:
        key = (plan.route_id, new.id)
        breaker = self._breakers.get(key)
        if breaker is None:
            seed = f"{self._name}/{plan.route_id}/{new.id}".encode()
            breaker = Breaker(plan.breaker, seed, self._observer(*key))
            self._breakers[key] = breaker
        breaker.policy = plan.breaker
        return breaker

    def _observer(
        self, route: str, backend: str
    ) -> Callable[[BreakerState, BreakerState, int], None]:
        def changed(before: BreakerState, after: BreakerState, when: int) -> None:
            if self.breaker_changed is not None:
                self.breaker_changed(route, backend, before, after, when)

        return changed

    def _budget(self, legacy: Backend) -> FallbackBudget:
        budget = self._budgets.get(legacy.id)
        if budget is None:
            budget = FallbackBudget(legacy.fallback_budget, self._workers)
            self._budgets[legacy.id] = budget
        budget.policy = legacy.fallback_budget
        return budget

    def refused(self, peer: str, problem: Problem) -> None:
        """A client was refused before there was a request: leave a record of it."""
        record = RequestRecord()
        record.started_ms = int(time() * 1_000)
        record.revision = self.table.revision
        record.client = peer
        record.status = problem.status
        record.problem = problem.code
        self.recorder.record(record)

    def breakers(self) -> list[tuple[str, str, Breaker]]:
        """Route, backend and breaker of every pair that has served a request."""
        return [(route, backend, breaker) for (route, backend), breaker in self._breakers.items()]

    def targets(self) -> list[Target]:
        """Every backend, those that only finish their last requests included."""
        return [*self._targets.values(), *self._closing]

    def budgets(self) -> list[tuple[str, str, FallbackBudget]]:
        """Backend, use (`fallback` or `retry`) and budget."""
        found = [(key, "fallback", budget) for key, budget in self._budgets.items()]
        for target in self.targets():
            if target.retry is not None:
                found.append((target.backend.id, "retry", target.retry))
        return found


class TraceParents:
    """Fresh W3C traceparent values, cheaply: random bytes are taken from the system in bulk."""

    __slots__ = ("_at", "_digits")

    def __init__(self) -> None:
        self._digits = b""
        self._at = 0

    def fresh(self) -> bytes:
        """A new trace with a new parent, flagged as sampled."""
        at = self._at
        if at + 48 > len(self._digits):
            self._digits = os.urandom(4_800).hex().encode()
            at = 0
        self._at = at + 48
        digits = self._digits
        return b"00-%b-%b-01" % (digits[at : at + 32], digits[at + 32 : at + 48])


def fresh_id() -> bytes:
    """A new identity for the cookie of a split: 128 random bits in hexadecimal."""
    return os.urandom(16).hex().encode()


def side_of(lane: Lane, side: Side) -> Target:
    """The target that stands for `side`."""
    if side is Side.NEW and lane.new is not None:
        return lane.new
    return lane.legacy
