"""What every live view shows, read once for all viewers.

Ten browsers that look cost what one costs: the numbers are read when somebody asks and the last
ones are older than `_LEAST_MS`, or, where reading takes long, older than `_SHARE` times as long
as it took. So watching is bounded to a few per cent of a core however large the table.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control_plane.db.engine import UNAVAILABLE
from control_plane.fleet import store as fleet_store
from control_plane.fleet.schemas import BreakerIn, InstanceOut
from control_plane.publishing.state import Snapshot
from control_plane.services import Services
from control_plane.traffic.schemas import RouteTraffic

MINUTES = 5
_LEAST_MS = 1_000
_SHARE = 40
_MOST_PROXIES = 1_000


@dataclass(frozen=True, slots=True)
class Beat:
    """The state of the whole at one moment."""

    snapshot: Snapshot
    proxies: Sequence[InstanceOut]
    traffic: Mapping[str, RouteTraffic]
    """By route, over the last `MINUTES`; `*` is everything, `-` what no route matched."""
    breakers: Mapping[str, Sequence[BreakerIn]]
    """Those of live proxies that are not closed, by route."""
    fault: str = ""
    """Why the numbers are old, when they are."""

    @property
    def live(self) -> list[InstanceOut]:
        """Proxies that were heard of lately."""
        return [proxy for proxy in self.proxies if proxy.live]

    @property
    def current(self) -> int:
        """How many live proxies serve the newest table."""
        return sum(proxy.etag == self.snapshot.etag for proxy in self.live)

    @property
    def summary(self) -> str:
        """`3 of 3 proxies on revision 42`"""
        number = len(self.live)
        if not number:
            return "no proxy connected"
        noun = "proxy" if number == 1 else "proxies"
        return f"{self.current} of {number} {noun} on revision {self.snapshot.revision}"

    @property
    def killed_hosts(self) -> list[str]:
        """Proxies whose own kill file or signal sends everything to legacy."""
        return [
            proxy.instance
            for proxy in self.live
            if proxy.kill_file or any(worker.kill for worker in proxy.workers)
        ]


class Pulse:
    """Reads the state of the whole, at most as often as is worth it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._traffic: Mapping[str, RouteTraffic] = {}
        self._traffic_until = 0.0
        self._proxies: Sequence[InstanceOut] = ()
        self._proxies_until = 0.0
        self._fault = ""

    async def beat(self) -> Beat:
        """The state now. Without the database, the last one known, and why it is old."""
        async with self._lock:
            try:
                await self._read()
                self._fault = ""
            except UNAVAILABLE:
                self._fault = "The database does not answer; these numbers are old."
        breakers: dict[str, list[BreakerIn]] = defaultdict(list)
        for proxy in self._proxies:
            if proxy.live:
                for breaker in proxy.breakers:
                    breakers[breaker.route].append(breaker)
        return Beat(
            self._services.state.current, self._proxies, self._traffic, breakers, self._fault
        )

    async def _read(self) -> None:
        services = self._services
        begun = time.monotonic()
        if begun >= self._proxies_until:
            async with services.database.read() as connection:
                rows = await fleet_store.page(connection, "", _MOST_PROXIES)
            self._proxies = [services.fleet.shown(row) for row in rows]
            self._proxies_until = _until(begun)
        begun = time.monotonic()
        if begun >= self._traffic_until:
            self._traffic = (await services.traffic.summary(MINUTES)).routes
            self._traffic_until = _until(begun)


def _until(begun: float) -> float:
    took = time.monotonic() - begun
    return begun + took + max(_LEAST_MS / 1_000, min(took * _SHARE, 10.0))
