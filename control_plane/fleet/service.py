"""Takes acknowledgements, and waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database
from control_plane.fleet import store
from control_plane.fleet.heard import Heard
from control_plane.fleet.schemas import (
    AckIn,
    InstanceOut,
    KillStandOut,
    Propagation,
    ProxyProgress,
)
from control_plane.fleet.store import StoredInstance
from control_plane.kill.store import Kill
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import Snapshot, TableState
from control_plane.publishing.store import etag_of

_POLL_S = 0.25  # how soon an acknowledgement that reached another control plane is noticed
_ANSWER_S = 2.0  # until a database that does not answer is done without
_MOST = 1_000

State = Literal["applied", "refused", "waiting", "silent", "foreign", "host"]


@dataclass(frozen=True, slots=True)
class FleetOverview:
    """How the proxies stand, together."""

    live: int
    current: int
    """How many live ones serve the newest table."""
    summary: str
    silent: list[str]
    kill: KillStandOut


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
        self._known = Heard()
        self._storing: dict[str, asyncio.Lock] = {}
        self._last: dict[str, tuple[Any, ...]] = {}

    async def ack(self, ack: AckIn) -> None:
        """Keep what a proxy says of itself, and wake those who wait for it. It is known also where
        the database does not take it."""
        self._known.said(ack, now_ms())
        try:
            await self._database.within(_ANSWER_S, self._store(ack))
        finally:
            self._heard.set()
            self._heard = asyncio.Event()
        said = (
            ack.boot,
            ack.revision,
            ack.etag,
            ack.refused,
            ack.stopping,
            ack.kill_file,
            ack.kill,
        )
        if self._last.get(ack.instance) != said:
            if len(self._last) > 10_000:
                self._last.clear()
            self._last[ack.instance] = said
            shown = ack.model_dump(mode="json", exclude={"workers", "breakers"})
            self._live.publish(event("ack", shown))

    def shown(self, row: StoredInstance) -> InstanceOut:
        """A stored proxy as the API shows it."""
        current = self._state.current
        served = row.ack.etag == current.etag
        return InstanceOut(
            **dict(row.ack),
            live=self._live_now(row),
            silent=self._silent(row),
            killed=killed(row.ack),
            behind=0 if served else max(0, current.revision - row.ack.revision),
            since_ms=row.since_ms,
            first_seen_ms=row.first_seen_ms,
            seen_ms=row.seen_ms,
        )

    def _live_now(self, row: StoredInstance) -> bool:
        # A window of both signs: a clock that was put back makes nobody live for an hour.
        return not row.ack.stopping and abs(now_ms() - row.seen_ms) <= self._live_ms

    def _silent(self, row: StoredInstance) -> bool:
        return not row.ack.stopping and not self._live_now(row)

    async def known(self) -> list[StoredInstance]:
        """Every proxy that is not stopping, as it last described itself."""
        return [row for row in await self._rows() if not row.ack.stopping]

    async def overview(self, kill: Kill, doubt: str = "") -> FleetOverview:
        """How the proxies stand, together; `doubt` is what is not known of the kill switch."""
        rows = await self.known()
        live = [row for row in rows if self._live_now(row)]
        current = self._state.current
        served = sum(row.ack.etag == current.etag for row in live)
        silent = [row.ack.instance for row in rows if self._silent(row)]
        text = f"{served} of {proxies(len(live))} on revision {current.revision}"
        if silent:
            text += f"; silent: {', '.join(silent[:5])}"
        return FleetOverview(
            len(live),
            served,
            text,
            silent,
            kill_stand(kill, [row.ack for row in live], doubt, silent),
        )

    async def page(self, after: str, limit: int) -> list[InstanceOut]:
        """Proxies by name."""
        return [self.shown(row) for row in await self._rows(after, limit)]

    async def all(self) -> list[InstanceOut]:
        """Every proxy that is known, at most a thousand."""
        return await self.page("", _MOST)

    async def learn(self) -> None:
        """Know every proxy before the database is away: who presses the kill switch then must be
        told of all that did not follow, of those that another control plane heard of as well."""
        await self._rows()

    async def _rows(self, after: str = "", limit: int = _MOST) -> list[StoredInstance]:
        """Proxies by name; where the database does not answer, what this control plane has heard of
        them."""
        try:
            rows = await self._database.within(_ANSWER_S, self._read(after, limit))
        except UNAVAILABLE:
            return self._known.page(after, limit)
        return self._known.read(rows, now_ms(), whole=not after and len(rows) < limit)

    async def _store(self, ack: AckIn) -> None:
        """One at a time of each proxy, and of several that wait for a database that hangs the
        newest alone."""
        if len(self._storing) > 10_000:
            self._storing.clear()
        async with self._storing.setdefault(ack.instance, asyncio.Lock()):
            if not self._known.is_newest(ack):
                return
            async with self._database.write() as connection:
                await self._live_before(connection)
                await store.put(self._database, connection, ack)
            self._known.stored(ack)

    async def _read(self, after: str, limit: int) -> list[StoredInstance]:
        async with self._database.read() as connection:
            await self._live_before(connection)
            return await store.page(connection, after, limit)

    async def forget(self, instance: str, entry: AuditEntry) -> bool:
        """Drop a proxy that is gone for good; False if there is none."""
        async with self._database.write() as connection:
            self._known.forget(instance)
            done = await store.drop(connection, instance)
            if done:
                await audit.record(connection, entry, now=now_ms())
        return done

    async def wait(self, snapshot: Snapshot, timeout: float) -> Propagation:
        """Wait until every live proxy serves `snapshot` or a later table, or has refused it.

        Ends after `timeout` seconds at the latest and says how far each proxy is; never raises for
        that. One that went silent is not waited for, and named. A control plane that has just
        started has heard of nobody: for as long as a proxy may be silent it also waits for those
        that were live when one was last heard of.
        """
        later: dict[int, str | None] = {snapshot.revision: snapshot.etag}

        async def one(row: StoredInstance) -> ProxyProgress:
            return _table_progress(row, snapshot, await self._is_later(row, snapshot, later))

        progress = await self._followed(one, timeout)
        return _summed(snapshot, progress)

    async def wait_for_kill(self, kill: Kill, timeout: float) -> Propagation:
        """Wait until every live proxy does what the kill switch says; as `wait`."""

        async def one(row: StoredInstance) -> ProxyProgress:
            done = killed(row.ack) is kill.on
            state: State = "applied" if done else "waiting"
            if not done and not kill.on and _by_its_host(row.ack, kill):
                state = "host"
            return ProxyProgress(
                instance=row.ack.instance,
                state=state,
                revision=row.ack.revision,
                seen_ms=row.seen_ms,
            )

        progress = await self._followed(one, timeout)
        return killed_summary(kill, self._state.current.revision, progress)

    async def _followed(
        self, one: Callable[[StoredInstance], Awaitable[ProxyProgress]], timeout: float
    ) -> list[ProxyProgress]:
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            heard = self._heard
            progress = await self._progress(one)
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or all(entry.state != "waiting" for entry in progress):
                return progress
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), min(left, _POLL_S))

    async def _progress(
        self, one: Callable[[StoredInstance], Awaitable[ProxyProgress]]
    ) -> list[ProxyProgress]:
        rows = await self._rows()
        before = self._before or frozenset()
        fresh = now_ms() - self._began_ms <= self._live_ms
        found = []
        for row in rows:
            if row.ack.stopping:
                continue
            entry = await one(row)
            awaited = self._live_now(row) or (fresh and row.ack.instance in before)
            if (not awaited and entry.state == "waiting") or not awaited:
                entry.state = "silent"
            found.append(entry)
        return found

    async def _is_later(
        self, row: StoredInstance, snapshot: Snapshot, known: dict[int, str | None]
    ) -> bool:
        """Does a proxy serve a later table of this history? By number and hash: the same number may
        stand for another table, after a restore."""
        if row.ack.revision <= snapshot.revision:
            return False
        if row.ack.revision not in known:
            try:
                known[row.ack.revision] = await self._database.within(
                    _ANSWER_S, self._etag(row.ack.revision)
                )
            except UNAVAILABLE:
                return False
        return known[row.ack.revision] == row.ack.etag

    async def _etag(self, revision: int) -> str | None:
        async with self._database.read() as connection:
            return await etag_of(connection, revision)

    async def _live_before(self, connection: AsyncConnection) -> frozenset[str]:
        """Who was live when this control plane began; asked of the database before it changes."""
        if self._before is None:
            rows = await store.last_live(connection, self._live_ms)
            self._before = frozenset(row.ack.instance for row in rows)
        return self._before


def killed(ack: AckIn) -> bool:
    """Do all workers of a proxy send everything to legacy, as it last said?"""
    if ack.kill is not None:
        return ack.kill.on
    return ack.kill_file or (bool(ack.workers) and all(worker.kill for worker in ack.workers))


def _by_its_host(ack: AckIn, kill: Kill) -> bool:
    """Has a proxy heard of the release, and is kept on legacy by its own host?"""
    if ack.kill is None:
        return ack.kill_file
    heard = not ack.kill.control and ack.kill.number >= kill.number
    return heard and (ack.kill.file or ack.kill.signal)


def kill_stand(
    kill: Kill, acks: Sequence[AckIn], doubt: str = "", silent: Sequence[str] = ()
) -> KillStandOut:
    """The kill switch as it was pressed, and what live proxies do about it; what those do that
    went silent nobody knows. With `doubt` it may have been pressed elsewhere since."""
    done, what = sum(killed(ack) for ack in acks), "send everything to legacy"
    if len(acks) == 1:
        what = _one(what)
    if kill.on:
        text = f"on: {done} of {proxies(len(acks))} {what}"
    elif done:
        text = f"off here, but {done} of {proxies(len(acks))} {what}"
    elif doubt:
        text = f"off as far as is known here: {done} of {proxies(len(acks))} {what}"
    else:
        text = "off"
    if kill.on and silent:
        more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        text += f"; {_WORDS['silent']}: {', '.join(silent[:5])}{more}"
    return KillStandOut(on=kill.on, number=kill.number, summary=text, doubt=doubt)


def _table_progress(row: StoredInstance, snapshot: Snapshot, later: bool) -> ProxyProgress:
    ack = row.ack
    found = ProxyProgress(
        instance=ack.instance, state="waiting", revision=ack.revision, seen_ms=row.seen_ms
    )
    refused = ack.refused
    if ack.etag == snapshot.etag or later:
        found.state = "applied"
        found.ms = max(0, row.since_ms - snapshot.created_ms)
        found.applied_ms = ack.applied_ms
    elif ack.foreign:
        found.state = "foreign"
    elif refused is not None and (
        refused.etag == snapshot.etag
        or (not refused.etag and refused.revision >= snapshot.revision)
        or refused.revision > snapshot.revision
    ):
        found.state = "refused"
        found.findings = list(refused.findings)
    return found


def _summed(snapshot: Snapshot, progress: list[ProxyProgress]) -> Propagation:
    done = [entry for entry in progress if entry.state == "applied"]
    applied = len(done) == len(progress)
    ms = (
        max((entry.ms or 0 for entry in done), default=0)
        if applied
        else max(0, now_ms() - snapshot.created_ms)
    )
    if not progress:
        text = f"no proxy is live; revision {snapshot.revision} waits for the first"
    else:
        text = f"{len(done)} of {proxies(len(progress))} on revision {snapshot.revision}"
        text += f" {'in' if applied else 'after'} {ms} ms"
    return Propagation(
        revision=snapshot.revision,
        applied=applied,
        ms=ms,
        summary=text + exceptions(progress),
        proxies=progress,
    )


def killed_summary(kill: Kill, revision: int, progress: list[ProxyProgress]) -> Propagation:
    """What proxies do about the kill switch."""
    done = sum(entry.state == "applied" for entry in progress)
    what = "send everything to legacy" if kill.on else "serve as the routes say"
    if not progress:
        text = f"no proxy is live; the first will {what}"
    else:
        text = f"{done} of {proxies(len(progress))} {what if len(progress) != 1 else _one(what)}"
    return Propagation(
        revision=revision,
        applied=done == len(progress),
        ms=max(0, now_ms() - kill.changed_ms),
        summary=text + exceptions(progress),
        proxies=progress,
    )


def _one(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{verb}s {rest}"


_WORDS = {
    "refused": "refused it",
    "silent": "silent (nobody knows what it serves)",
    "foreign": "follows another installation",
    "host": "kept on legacy by its own host (figway kill off --local there)",
    "waiting": "not yet",
}


def exceptions(progress: list[ProxyProgress]) -> str:
    """Which proxies do not, by name."""
    text = ""
    for state, words in _WORDS.items():
        names = [entry.instance for entry in progress if entry.state == state]
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            text += f"; {words}: {', '.join(names[:5])}{more}"
    return text


def proxies(number: int) -> str:
    return "1 proxy" if number == 1 else f"{number} proxies"
