"""Takes acknowledgements, and waits for them."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.fleet import store
from control_plane.fleet.schemas import AckIn, InstanceOut, Propagation, ProxyProgress
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import Snapshot, TableState

_POLL_S = 0.25  # how soon an acknowledgement that reached another control plane is noticed


class FleetService:
    """The proxies of this installation."""

    def __init__(
        self, database: Database, state: TableState, live: Hub, *, live_seconds: float
    ) -> None:
        self._database = database
        self._state = state
        self._live = live
        self._live_ms = int(live_seconds * 1_000)
        self._began_ms = now_ms()
        self._before: frozenset[str] | None = None
        self._heard = asyncio.Event()
        self._last: dict[str, tuple[Any, ...]] = {}

    async def ack(self, ack: AckIn) -> None:
        """Keep what a proxy says of itself, and wake those who wait for it."""
        async with self._database.write() as connection:
            await self._live_before(connection)
            await store.put(self._database, connection, ack, now_ms())
        self._heard.set()
        self._heard = asyncio.Event()
        said = (ack.boot, ack.revision, ack.etag, ack.refused, ack.stopping, ack.kill_file)
        if self._last.get(ack.instance) != said:
            if len(self._last) > 10_000:
                self._last.clear()
            self._last[ack.instance] = said
            shown = ack.model_dump(mode="json", exclude={"workers", "breakers"})
            self._live.publish(event("ack", shown))

    def shown(self, row: Any) -> InstanceOut:
        """A stored proxy as the API shows it."""
        ack = AckIn.model_validate_json(row.document)
        current = self._state.current
        served = row.etag == current.etag
        return InstanceOut(
            **dict(ack),
            live=not row.stopping and now_ms() - row.seen_ms <= self._live_ms,
            behind=0 if served else max(0, current.revision - row.revision),
            since_ms=row.since_ms,
            first_seen_ms=row.first_seen_ms,
            seen_ms=row.seen_ms,
        )

    async def counts(self) -> tuple[int, int]:
        """How many proxies are live, and how many of those serve the current table."""
        async with self._database.read() as connection:
            rows = await store.live(connection, now_ms() - self._live_ms)
        current = self._state.current.etag
        return len(rows), sum(row.etag == current for row in rows)

    async def wait(self, snapshot: Snapshot, timeout: float) -> Propagation:
        """Wait until every live proxy serves `snapshot` or a later table, or has refused it.

        Ends after `timeout` seconds at the latest and says how far each proxy is; never raises for
        that. A control plane that has just started has heard of nobody: for as long as a proxy may
        be silent it also waits for those that were live when one was last heard of.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            heard = self._heard
            progress = await self._progress(snapshot)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or all(entry.state != "waiting" for entry in progress):
                return _summed(snapshot, progress)
            try:
                await asyncio.wait_for(heard.wait(), min(left, _POLL_S))
            except TimeoutError:
                continue

    async def _progress(self, snapshot: Snapshot) -> list[ProxyProgress]:
        async with self._database.read() as connection:
            since = now_ms() - self._live_ms
            if since > self._began_ms:
                rows = await store.live(connection, since)
            else:
                before = await self._live_before(connection)
                known = await store.live(connection, 0)
                rows = [row for row in known if row.seen_ms >= since or row.instance in before]
        return [_one(row, snapshot) for row in rows]

    async def _live_before(self, connection: AsyncConnection) -> frozenset[str]:
        """Who was live when this control plane began; asked of the database before it changes."""
        if self._before is None:
            rows = await store.last_live(connection, self._live_ms)
            self._before = frozenset(row.instance for row in rows)
        return self._before


def _one(row: Any, snapshot: Snapshot) -> ProxyProgress:
    ack = AckIn.model_validate_json(row.document)
    found = ProxyProgress(instance=row.instance, state="waiting", revision=row.revision)
    if row.revision >= snapshot.revision or row.etag == snapshot.etag:
        found.state = "applied"
        found.ms = max(0, row.since_ms - snapshot.created_ms)
        found.applied_ms = ack.applied_ms
    elif ack.refused is not None and ack.refused.revision >= snapshot.revision:
        found.state = "refused"
        found.findings = list(ack.refused.findings)
    return found


def _summed(snapshot: Snapshot, progress: list[ProxyProgress]) -> Propagation:
    done = [entry for entry in progress if entry.state == "applied"]
    applied = len(done) == len(progress)
    ms = (
        max((entry.ms or 0 for entry in done), default=0)
        if applied
        else now_ms() - snapshot.created_ms
    )
    if not progress:
        text = f"no proxy is live; revision {snapshot.revision} waits for the first"
    else:
        text = f"{len(done)} of {_proxies(len(progress))} on revision {snapshot.revision}"
        text += f" {'in' if applied else 'after'} {ms} ms"
    refused = sum(entry.state == "refused" for entry in progress)
    if refused:
        text += f"; {refused} refused it"
    return Propagation(
        revision=snapshot.revision, applied=applied, ms=ms, summary=text, proxies=progress
    )


def _proxies(number: int) -> str:
    return "1 proxy" if number == 1 else f"{number} proxies"
