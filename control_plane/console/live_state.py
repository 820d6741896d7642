"""What every live view shows, read once for all viewers.

Ten browsers that look cost what one costs: the numbers are read when somebody asks and the last
ones are older than `_LEAST_S`, or, where reading takes long, older than `_SHARE` times as long
as it took. So watching is bounded to a few per cent of a core however large the table. Traffic is
read beside the requests: who asks gets the last numbers, unless they are older than `_STALE_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from control_plane.db.engine import UNAVAILABLE, DatabaseAway
from control_plane.fleet.schemas import InstanceOut, KillStandOut, OpenBreakerIn
from control_plane.fleet.service import kill_stand
from control_plane.publishing.state import Snapshot
from control_plane.services import Services
from control_plane.traffic.schemas import RouteTraffic

MINUTES = 5
_LEAST_S = 1.0
_SHARE = 100
_LONGEST_S = 15.0
_STALE_S = 60.0
_PATIENCE_S = 2.0
"""How long a page waits for a database that hangs."""


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """The state of the whole at one moment."""

    published: Snapshot
    """The table."""
    proxies: Sequence[InstanceOut]
    traffic: Mapping[str, RouteTraffic]
    """By route, over the last `MINUTES`; `*` is everything, `-` what no route matched."""
    breakers: Mapping[str, Sequence[OpenBreakerIn]]
    """Those of live proxies that are not closed, by route."""
    kill: KillStandOut
    """The kill switch, as it was pressed and as live proxies do."""
    fault: str = ""
    """Why the numbers are old, when they are."""

    @property
    def live_proxies(self) -> list[InstanceOut]:
        """Proxies that were heard of lately."""
        return [proxy for proxy in self.proxies if proxy.live]

    @property
    def current(self) -> int:
        """How many live proxies serve the newest table."""
        return sum(proxy.etag == self.published.etag for proxy in self.live_proxies)

    @property
    def version(self) -> Hashable:
        """Changes with everything but the numbers: with the table, with what proxies do."""
        proxies = tuple(
            (
                proxy.instance, proxy.live, proxy.revision, proxy.etag, proxy.stopping,
                proxy.kill_file, _by_its_host(proxy),
                proxy.refused is not None, proxy.killed, proxy.silent,
                proxy.foreign, tuple((q.kind, q.id) for q in proxy.quarantine),
                tuple(worker.kill for worker in proxy.workers),
                tuple((b.worker, b.route, b.backend, b.state) for b in proxy.breakers),
            )
            for proxy in self.proxies
        )  # fmt: skip
        stand = (self.kill.on, self.kill.number, bool(self.kill.doubt))
        return self.published.revision, self.published.etag, stand, proxies, self.fault

    @property
    def summary(self) -> str:
        """`3 of 3 proxies on revision 42`"""
        number = len(self.live_proxies)
        silent = sum(proxy.silent for proxy in self.proxies)
        tail = f"; {silent} silent" if silent else ""
        if not number:
            return f"no proxy connected{tail}"
        noun = "proxy" if number == 1 else "proxies"
        return f"{self.current} of {number} {noun} on revision {self.published.revision}{tail}"

    @property
    def all_killed(self) -> bool:
        """Everything goes to legacy by what live proxies say, whoever pressed it; without a live
        proxy, by what was pressed."""
        live = self.live_proxies
        return all(proxy.killed for proxy in live) if live else self.kill.on

    @property
    def killed_hosts(self) -> list[str]:
        """Proxies whose own kill file or signal sends everything to legacy."""
        return [proxy.instance for proxy in self.live_proxies if _by_its_host(proxy)]

    @property
    def told_elsewhere(self) -> list[str]:
        """Proxies that send everything to legacy by a press that is not known here."""
        if self.kill.on:
            return []
        killed = [proxy for proxy in self.live_proxies if proxy.killed or _some_killed(proxy)]
        return [proxy.instance for proxy in killed if not _by_its_host(proxy)]

    def unopened(self, backends: Iterable[str], route: str) -> list[str]:
        """What live proxies cannot open of a route, a line for each kind of trouble."""
        wanted = {("backend", backend) for backend in backends} | {("route", route)}
        found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for proxy in self.live_proxies:
            for item in proxy.quarantine:
                if (item.kind, item.id) in wanted:
                    text = item.text.removeprefix(f"Backend {item.id}: ")
                    found[item.kind, item.id, text].append(proxy.instance)
        return [
            f"{len(names)} of {len(self.live_proxies)} proxies cannot open {kind} {name}: {text}"
            for (kind, name, text), names in found.items()
        ]


def _some_killed(proxy: InstanceOut) -> bool:
    return any(worker.kill for worker in proxy.workers)


def _by_its_host(proxy: InstanceOut) -> bool:
    if proxy.kill is None:  # an older proxy
        return proxy.kill_file
    return proxy.kill.file or proxy.kill.signal


class LiveState:
    """Reads the state of the whole, at most as often as is worth it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = asyncio.Lock()
        self._traffic: Mapping[str, RouteTraffic] = {}
        self._traffic_at = -_STALE_S
        self._traffic_until = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._proxies: Sequence[InstanceOut] = ()
        self._proxies_until = 0.0
        self._fault = ""

    async def snapshot(self) -> LiveSnapshot:
        """The state now. Without the database, the last one known, and why it is old."""
        async with self._lock:
            try:
                await self._read()
                self._fault = ""
            except UNAVAILABLE:
                self._fault = "The database does not answer; these numbers are old."
        breakers: dict[str, list[OpenBreakerIn]] = defaultdict(list)
        for proxy in self._proxies:
            if proxy.live:
                for breaker in proxy.breakers:
                    breakers[breaker.route].append(breaker)
        kill = self._services.kill
        return LiveSnapshot(
            self._services.state.current,
            self._proxies,
            self._traffic,
            breakers,
            kill_stand(
                kill.current,
                [proxy for proxy in self._proxies if proxy.live],
                kill.doubt,
                [proxy.instance for proxy in self._proxies if proxy.silent],
            ),
            self._fault,
        )

    async def _read(self) -> None:
        services = self._services
        begun = time.monotonic()
        if begun >= self._proxies_until:
            self._proxies = await services.fleet.all()
            self._proxies_until = begun + _LEAST_S
        if self._reading is not None and self._reading.done():
            # Its error is raised here, to whoever asks next.
            done, self._reading = self._reading, None
            done.result()
        now = time.monotonic()
        if now >= self._traffic_until and self._reading is None:
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(self._read_traffic(), name="reading traffic")
        if now - self._traffic_at > _STALE_S and self._reading is not None:
            await self._wait_for_traffic(self._reading)

    @staticmethod
    async def _wait_for_traffic(reading: asyncio.Task[None]) -> None:
        await asyncio.wait({reading}, timeout=_PATIENCE_S)
        if not reading.done():
            raise DatabaseAway(f"no answer within {_PATIENCE_S:g} s")
        reading.result()

    async def _read_traffic(self) -> None:
        begun = time.monotonic()
        self._traffic = (await self._services.traffic.summary(MINUTES)).routes
        self._traffic_at = time.monotonic()
        self._traffic_until = _until(begun)


def _until(begun: float) -> float:
    now = time.monotonic()
    return now + max(_LEAST_S, min((now - begun) * _SHARE, _LONGEST_S))
