"""The present table as the shadow worker uses it: lanes to backends, kits to compare routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from figway.evidence.comparing import evidence_window, overruled
from figway.model.table import Backend, Side
from figway.routing.compile import CompiledTable, Plan
from proxy.capture.message import Captured
from proxy.policies.credentials import Credentials
from proxy.request.live import LiveBackend
from proxy.shadow.decoders import decoders
from proxy.shadow.judge import Kit
from proxy.shadow.lanes import Lane, Work
from proxy.shadow.noise import Noise
from proxy.shadow.settings import ShadowSettings
from proxy.upstreams.port import Upstream


@dataclass(slots=True)
class Compared:
    """A route, and what compares it."""

    plan: Plan
    window: str
    kit: Kit
    noise: Noise


class ShadowTable:
    """Follows the table. `opened` makes the upstream of a backend, `told` hears of pauses,
    `fault` of secrets that cannot be read again."""

    def __init__(
        self,
        settings: ShadowSettings,
        opened: Callable[[Backend], Upstream],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        work: Work,
        told: Callable[[Lane], None],
        fault: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self.compiled: CompiledTable | None = None
        self.lanes: dict[str, Lane] = {}
        self._settings = settings
        self._open = opened
        self._spawn = spawn
        self._work = work
        self._told = told
        self._fault = fault
        self._known: dict[str, Backend] = {}
        self._routes: dict[str, Compared] = {}
        self._decoders = decoders()

    @property
    def revision(self) -> int:
        """Of the present table; -1 before the first."""
        return -1 if self.compiled is None else self.compiled.revision

    def swap(self, compiled: CompiledTable) -> list[Captured]:
        """Use another table; the captures that waited for backends that are gone."""
        self.compiled = compiled
        backends = compiled.table.backends
        gone = [key for key in self.lanes if self._known.get(key) != backends.get(key)]
        orphans = []
        for key in gone:
            lane = self.lanes.pop(key)
            del self._known[key]
            orphans += lane.drain()
            self._spawn(_close(lane.target), f"close backend {key}")
        self._routes = {key: found for key, found in self._routes.items() if key in compiled.plans}
        return orphans

    def route(self, route_id: str) -> Compared | None:
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

    def _make(self, plan: Plan, before: Compared | None) -> Compared:
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
        kit = Kit.make(policy, self._settings.key, hosts, self._decoders)
        if before is not None and before.window == window:
            noise = before.noise  # another sample or redaction takes nothing from what was learned
            noise.sample = policy.noise_sample
        else:
            noise = Noise(policy.noise_sample, overruled(policy))
        return Compared(plan, window, kit, noise)

    def lane(self, compared: Compared, side: Side) -> Lane:
        """The lane to the backend of a side. Raises ValueError or OSError if it cannot be used."""
        backend = compared.plan.legacy if side is Side.LEGACY else compared.plan.new
        assert backend is not None
        lane = self.lanes.get(backend.id)
        if lane is None:
            credentials = Credentials(backend, self._fault) if backend.credentials else None
            target = LiveBackend(backend, self._open(self._bounded(backend)), credentials)
            lane = Lane(target, self._settings.concurrency, self._work, self._told)
            self.lanes[backend.id], self._known[backend.id] = lane, backend
        return lane

    def secrets_changed(self) -> None:
        """Take the credentials of every backend from where they are."""
        for lane in self.lanes.values():
            if lane.target.credentials is not None:
                lane.target.credentials.expired(0)

    def _bounded(self, backend: Backend) -> Backend:
        """The backend with the shadow's own limits and timeouts."""
        most, patience = self._settings.concurrency, self._settings.timeout_ms
        timeouts, limits = backend.timeouts, backend.limits
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
        """Close every connection."""
        for lane in self.lanes.values():
            await lane.target.upstream.close()


async def _close(target: LiveBackend) -> None:
    target.retired = True
    target.upstream.retire()
    await target.upstream.close()
