"""What one worker serves requests with: the table, and what must outlive a table.

`table` is the one atomic reference. A swap puts another there and reconciles the backends behind
it: one that is unchanged keeps its pool, one that is gone or different is retired and closed
when its last request is done. Breakers and budgets live on across swaps. A request takes its
`LiveRoute` once and keeps it, whatever is swapped meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from time import time
from types import MappingProxyType
from typing import Any

from figway.message.headers import MAX_HOPS
from figway.message.problem import Problem
from figway.model.backend import Backend, secret_references
from figway.model.words import Side
from figway.routing.compile import CompiledTable, Plan
from figway.serving.attempts.breaker import Breaker, BreakerState
from figway.serving.attempts.budget import FallbackBudget
from figway.serving.attempts.load import Load
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.operation_counts import OperationCounts
from proxy.loop.record import Recorder, RequestRecord
from proxy.policies.credentials import Credentials, Secrets
from proxy.policies.guard import Guards
from proxy.request.capture_port import Capture
from proxy.request.ids import TraceParents
from proxy.request.live import LiveBackend, LiveRoute, barred
from proxy.request.quarantine import Quarantine
from proxy.request.readers import Readers
from proxy.upstreams.mending import LoggingIn, Mending
from proxy.upstreams.port import Upstream

OpenUpstream = Callable[[Backend], Upstream]
"""Makes the upstream of a backend; may raise ValueError or OSError for one that cannot be used."""

Spawn = Callable[[Coroutine[Any, Any, Any], str], object]
"""Runs a coroutine in the background under a name: `TaskKeeper.spawn`."""

BreakerChanged = Callable[[str, str, BreakerState, BreakerState, int], None]
"""Told of each change of a breaker: route, backend, from, to, when (monotonic milliseconds)."""

Unbelieved = Callable[[str], None]
"""Told of a peer, once, that says its client spoke https and is no trusted proxy."""

MAX_UNBELIEVED = 16
"""Peers that are told of."""

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
    backlog: int = 2_048
    """Connections that may wait to be accepted."""
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
    unrouted_ms: int = 0
    """For legacy to begin an answer that no route names, and between two pieces of it; 0 waits for
    ever."""
    write_ms: int = 75_000
    """How long a client may take no byte of an answer that waits for it."""
    half_closed_ms: int = 3_000
    """How long a client that has closed its half of the connection waits for the next piece of its
    answer; 0 takes it for gone at once."""
    secure: bool = False
    """End users speak HTTPS although nothing here says so: issued cookies are Secure."""


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
        secrets: Secrets | None = None,
        quarantine_changed: Callable[[], None] = lambda: None,
        load: Callable[[str], Load | None] = lambda backend_id: None,
        peaks: Mapping[str, float] = MappingProxyType({}),
        operations: OperationCounts | None = None,
    ) -> None:
        self.settings = settings or FacadeSettings()
        self.timer = timer
        self.recorder = recorder
        self.report = report
        self.capture: Capture | None = None
        self.unbelieved: Unbelieved | None = None
        self._unbelieved: set[str] = set()
        self.breaker_changed = breaker_changed
        self.in_flight = 0
        self.trace_parents = TraceParents()
        self.readers = Readers()
        self.operations = OperationCounts() if operations is None else operations
        self._open = open_upstream
        self._spawn = spawn
        self._workers = workers
        self._name = name
        self._secrets = Secrets() if secrets is None else secrets
        self.quarantine = Quarantine(self.open_again, quarantine_changed)
        timer.add(self.quarantine)
        self._load = load
        self._peaks = peaks
        self._kill = False
        self._backends: dict[str, LiveBackend] = {}
        self._closing: set[LiveBackend] = set()
        self._routes: dict[str, LiveRoute] = {}
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
        """Serve another table from now on. What of it cannot be opened is left out here alone."""
        backends = compiled.table.backends
        opened: dict[str, LiveBackend] = {}
        for key, backend in backends.items():
            known = self._backends.get(key)
            if known is None or known.backend != backend:
                live = self._live(backend, known)
                if live is not known:
                    opened[key] = live
        self._guards.follow(compiled.with_policies.values())
        self.table = compiled
        self.killed = self._kill or compiled.table.kill_switch
        for key in [key for key in self._backends if key not in backends]:
            self._retire(self._backends.pop(key))
        for live in opened.values():
            self._put(live)
        self.quarantine.only(backends.keys())
        self.quarantine.routes(self._guards.closed)
        self._forget_routes(compiled)

    def _live(self, backend: Backend, known: LiveBackend | None) -> LiveBackend:
        """The backend opened; one that cannot be is barred, or used on as it was."""
        try:
            credentials = self._credentials(backend)  # before anything is open
            upstream = self._open(backend)
            if credentials is not None and isinstance(upstream, LoggingIn):
                upstream.log_in_with(credentials)
            live = LiveBackend(backend, upstream, credentials)
            if backend.urls:
                live.retry = FallbackBudget(backend.retry, self._workers)
        except Exception as error:
            kept = backend.side is Side.LEGACY and known is not None and not known.barred
            why = self.quarantine.put(backend, error, self.timer.now, kept=kept)
            if kept and known is not None:
                return known
            return barred(backend, why)
        self.quarantine.end(backend.id)
        return live

    def _put(self, live: LiveBackend) -> None:
        """Use a backend from now on, in place of the one of its name."""
        before = self._backends.get(live.backend.id)
        self._backends[live.backend.id] = live
        if before is not None:
            self._retire(before)
        if live.credentials is not None and live.credentials.from_files:
            self.timer.add(live.credentials)

    def open_again(self, backend_id: str) -> None:
        """Try once more to open a backend, or open it with what its files hold now."""
        backend = self.table.table.backends.get(backend_id)
        known = self._backends.get(backend_id)
        if backend is None or known is None:
            return
        live = self._live(backend, known)
        if live is not known and not (live.barred and known.barred):
            self._put(live)
            self._routes = {}  # each is made anew by its next request

    def files_changed(self, paths: Container[str]) -> None:
        """These files hold something else now, or are gone: take what they hold."""
        for live in list(self._backends.values()):
            backend = live.backend
            if backend.ca_file in paths and backend.id not in self.quarantine:
                self.open_again(backend.id)
        self.secrets_changed()

    def _forget_routes(self, compiled: CompiledTable) -> None:
        plans = compiled.plans
        if len(self._routes) > len(plans) + 1:
            self._routes = {key: route for key, route in self._routes.items() if key in plans}
        for key in [key for key in self._breakers if key[0] not in plans]:
            del self._breakers[key]
        for backend_id in [key for key in self._budgets if key not in self._backends]:
            del self._budgets[backend_id]

    def secrets_changed(self) -> None:
        """Take the credentials of every backend from where they are."""
        for backend_id in self.quarantine.backends:
            self.open_again(backend_id)
        for live in self.backends():
            if live.credentials is not None:
                live.credentials.expired(self.timer.now)

    def _retire(self, live: LiveBackend) -> None:
        live.retired = True
        if live.credentials is not None:
            self.timer.discard(live.credentials)
        live.upstream.retire()
        self._closing.add(live)
        if not live.in_flight:
            self.released(live)

    def released(self, live: LiveBackend) -> None:
        """The last request of a retired backend is done: close it."""
        if live in self._closing:
            self._closing.discard(live)
            self._spawn(live.upstream.close(), f"close backend {live.backend.id}")

    async def close(self) -> None:
        """Close every upstream, with what is still under way."""
        self.timer.discard(self.quarantine)
        self._guards.close()
        closing = [*self._backends.values(), *self._closing]
        self._backends.clear()
        self._closing.clear()
        for live in closing:
            if live.credentials is not None:
                self.timer.discard(live.credentials)
            await live.upstream.close()

    def carried(self, peaks: Mapping[str, float]) -> None:
        """The most that each legacy backend is known to have carried in a second."""
        self._peaks = peaks
        for backend_id, budget in self._budgets.items():
            budget.peak = peaks.get(backend_id, 0.0)

    # -- what a request asks for -------------------------------------------------------------

    def route(self, plan: Plan) -> LiveRoute:
        """The live route of a plan of the present table."""
        route = self._routes.get(plan.route_id)
        if route is None or route.plan is not plan:
            route = self._routes[plan.route_id] = self._make_route(plan)
        return route

    def _make_route(self, plan: Plan) -> LiveRoute:
        new = None if plan.new is None else self._backends[plan.new.id]
        breaker = None if plan.new is None else self._breaker(plan, plan.new)
        if breaker is not None:
            breaker.quarantined = new is not None and new.barred
        legacy = self._backends[plan.legacy.id]
        budget, guard = self._budget(plan.legacy), self._guards.guard(plan)
        return LiveRoute(
            plan,
            legacy,
            new,
            breaker,
            budget,
            guard,
            max_body=self.settings.max_body,
            unrouted_ms=self.settings.unrouted_ms,
        )

    def _credentials(self, backend: Backend) -> Credentials | None:
        if not secret_references(backend):
            return None
        return Credentials(backend, self.report, self._secrets)

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
            budget = FallbackBudget(legacy.fallback_budget, self._workers, self._load(legacy.id))
            budget.peak = self._peaks.get(legacy.id, 0.0)
            self._budgets[legacy.id] = budget
        budget.policy = legacy.fallback_budget
        return budget

    def refused(self, peer: str, problem: Problem) -> None:
        """A client was refused before there was a request: leave a record of it."""
        record = RequestRecord(
            started_ms=int(time() * 1_000),
            revision=self.table.revision,
            client=peer,
            status=problem.status,
            problem=problem.code,
        )
        self.recorder.record(record)

    def not_believed(self, peer: str) -> None:
        """`peer` says that its client spoke https, and is no trusted proxy."""
        known = self._unbelieved
        if self.unbelieved is not None and peer not in known and len(known) < MAX_UNBELIEVED:
            known.add(peer)
            self.unbelieved(peer)

    def breakers(self) -> list[tuple[str, str, Breaker]]:
        """Route, backend and breaker of every pair that has served a request."""
        return [(route, backend, breaker) for (route, backend), breaker in self._breakers.items()]

    def backends(self) -> list[LiveBackend]:
        """Every backend, those that only finish their last requests included."""
        return [*self._backends.values(), *self._closing]

    def odd_answers(self) -> list[tuple[str, str, int]]:
        """Backend, kind (`proxy.wire.odd_head`) and number of answers mended since last asked."""
        return [
            (live.backend.id, kind, count)
            for live in self.backends()
            if isinstance(live.upstream, Mending)
            for kind, count in live.upstream.take_odd().items()
        ]

    def budgets(self) -> list[tuple[str, str, FallbackBudget]]:
        """Backend, use (`fallback` or `retry`) and budget."""
        budgets = [(key, "fallback", budget) for key, budget in self._budgets.items()]
        for live in self.backends():
            if live.retry is not None:
                budgets.append((live.backend.id, "retry", live.retry))
        return budgets
