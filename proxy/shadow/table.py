"""The present table as the shadow worker uses it: queues to backends, what compares each route."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from figway.evidence.comparing import evidence_window, faults_of, overruled
from figway.model.backend import Backend, timeouts_of
from figway.model.words import Side
from figway.routing.compile import CompiledTable, Plan
from proxy.capture.message import Captured
from proxy.policies.credentials import Credentials, Secrets
from proxy.request.live import LiveBackend
from proxy.shadow.backend_queue import BackendQueue, Work
from proxy.shadow.comparer import RouteComparer
from proxy.shadow.extra_reads import ExtraReads
from proxy.shadow.plugins import ComparePlugins
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.window import WindowState, digest_with
from proxy.upstreams.port import Upstream
from proxy.wire.decoders import decoders

MOST_LEARNED = 10_000
"""Windows of an earlier life that are kept until their route is asked for."""


@dataclass(slots=True)
class ComparedRoute:
    """A route, what compares it, and what is known of its window."""

    plan: Plan
    window: str
    comparer: RouteComparer
    state: WindowState
    sample: int
    """Share of pairs that look at legacy alone whether they differ or not, in basis points."""
    words: frozenset[str]
    """Fields and paths that a person called noise: no look is spent on them."""


class ShadowTable:
    """Follows the table. `opened` makes the upstream of a backend, `told` hears of pauses,
    `fault` of secrets that cannot be read again."""

    def __init__(
        self,
        settings: ShadowSettings,
        opened: Callable[[Backend], Upstream],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        work: Work,
        told: Callable[[BackendQueue], None],
        fault: Callable[[str, BaseException], None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.compiled: CompiledTable | None = None
        self.queues: dict[str, BackendQueue] = {}
        self._settings = settings
        self._open = opened
        self._spawn = spawn
        self._work = work
        self._told = told
        self._fault = fault
        self._secrets = secrets
        self._known: dict[str, Backend] = {}
        self._routes: dict[str, ComparedRoute] = {}
        self._decoders = decoders()
        self._plugins = ComparePlugins(settings.plugins)
        self._digest = digest_with(settings.key)
        self._learned: dict[tuple[str, str], Mapping[str, Any]] = {}

    @property
    def revision(self) -> int:
        """Of the present table; -1 before the first."""
        return -1 if self.compiled is None else self.compiled.revision

    def swap(self, compiled: CompiledTable) -> list[Captured]:
        """Use another table; the captures that waited for backends that are gone."""
        self.compiled = compiled
        backends = compiled.table.backends
        gone = [key for key in self.queues if self._known.get(key) != backends.get(key)]
        orphans = []
        for key in gone:
            queue = self.queues.pop(key)
            del self._known[key]
            orphans += queue.drain()
            self._spawn(_close(queue.target), f"close backend {key}")
        self._routes = {key: found for key, found in self._routes.items() if key in compiled.plans}
        return orphans

    def route(self, route_id: str) -> ComparedRoute | None:
        """What compares a route; None for one that is not there or has no new backend.

        Raises `RuleError` or `PolicyError` for a policy that cannot be used.
        """
        plan = None if self.compiled is None else self.compiled.plans.get(route_id)
        if plan is None or plan.new is None or plan.route is None:
            return None
        known = self._routes.get(route_id)
        if known is None or known.plan is not plan:
            known = self._routes[route_id] = self._make(plan, known)
        return known

    def _make(self, plan: Plan, before: ComparedRoute | None) -> ComparedRoute:
        assert plan.route is not None
        assert plan.new is not None
        policy = plan.route.comparison
        hosts = frozenset(
            host.lower()
            for backend in (plan.legacy, plan.new)
            for host in (urlsplit(backend.url).netloc.rpartition("@")[2],)
            if host
        )
        window = evidence_window(plan)
        comparer = RouteComparer.make(
            policy,
            self._settings.key,
            hosts,
            self._decoders,
            faults_of(plan.route),
            plan.new.build_header,
            self._plugins.reader(policy.compare),
        )
        if before is not None and before.window == window:
            state = before.state  # another sample or weight takes nothing from what was learned
        else:
            state = WindowState(self._digest, ExtraReads(self._settings.legacy_percent))
            if (learned := self._learned.pop((plan.route_id, window), None)) is not None:
                state.restore(learned)
        words = frozenset(field for field, noise in overruled(policy).items() if noise)
        return ComparedRoute(plan, window, comparer, state, policy.noise_sample, words)

    def restore(self, windows: Iterable[Mapping[str, Any]]) -> None:
        """Take in what an earlier life learned of windows, also of those that come yet."""
        for data in windows:
            route, window = str(data["route"]), str(data["window"])
            known = self._routes.get(route)
            if known is not None and known.window == window:
                known.state.restore(data)
            elif len(self._learned) < MOST_LEARNED:
                self._learned[route, window] = data

    def queue(self, compared: ComparedRoute, side: Side) -> BackendQueue:
        """The queue to the backend of a side. Raises ValueError or OSError if it cannot be used."""
        backend = compared.plan.legacy if side is Side.LEGACY else compared.plan.new
        assert backend is not None
        queue = self.queues.get(backend.id)
        if queue is None:
            credentials = None
            if backend.credentials:
                credentials = Credentials(backend, self._fault, self._secrets)
            target = LiveBackend(backend, self._open(self._bounded(backend)), credentials)
            queue = BackendQueue(target, self._settings.concurrency, self._work, self._told)
            self.queues[backend.id], self._known[backend.id] = queue, backend
        return queue

    def secrets_changed(self) -> None:
        """Take the credentials of every backend from where they are."""
        for queue in self.queues.values():
            if queue.target.credentials is not None:
                queue.target.credentials.expired(0)

    def _bounded(self, backend: Backend) -> Backend:
        """The backend with the shadow's own limits and timeouts."""
        most, patience = self._settings.concurrency, self._settings.timeout_ms
        timeouts, limits = timeouts_of(backend), backend.limits
        return replace(
            backend,
            timeouts=replace(
                timeouts,
                connect_ms=min(timeouts.connect_ms, patience),
                head_ms=min(timeouts.head_ms, patience),
                idle_ms=min(timeouts.idle_ms, patience),
            ),
            limits=replace(
                limits,
                max_connections=min(limits.max_connections, most),
                max_waiting=most,
                wait_ms=min(patience, 10_000),
            ),
        )

    async def close(self) -> None:
        """Close every connection, and end the processes of plugins."""
        self._plugins.close()
        for queue in self.queues.values():
            await queue.target.upstream.close()


async def _close(target: LiveBackend) -> None:
    target.retired = True
    target.upstream.retire()
    await target.upstream.close()
