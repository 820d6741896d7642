"""Following the control plane: a stream of revisions, with polling beneath it.

The stream brings a change within milliseconds. The poll, which costs a 304, corrects whatever the
stream missed; while no stream shows signs of life (it was cut, a middlebox buffers it, it died in
silence) the poll is made each second, so that a flip and the kill switch take no longer. Both come
to the same place, under one lock. What cannot be served is refused and reported; the table before
stays. With the control plane down, nothing changes but the waits between the attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.control.client import ControlError, ControlPlane, Publication
from proxy.control.notice import Notice, of_event
from proxy.loop.backoff import Backoff, jittered
from proxy.loop.events import EventLog
from proxy.tables.check import Checker, RefusedTable, Served, Source, StaleBase
from proxy.tables.installation import Allegiance

RETRY_FIRST_S = 0.2
RETRY_CAP_S = 3.0
QUICK_S = 0.75
"""Between two polls while no stream shows signs of life, or none answers: a flip back to legacy may
be waiting. Together with a look it makes a second."""
LOOK_S = 0.25
"""Between two looks whether the stream lives."""
DOUBT_S = 1.5
"""A stream that has shown no sign of life for so long is not relied on; one comes each half second,
and each second from a control plane of an older release."""

MAX_PENDING = 100
"""Table events that may wait for the one that is worked on; beyond it the table is pulled."""

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a control plane announced last: number and hash of its table, and whose it is."""

    installation: str
    revision: int
    etag: str


class TableListener(Protocol):
    """Who is told of tables."""

    def followed(self, installation: str) -> None:
        """The table of this installation is followed from now on, or refused: see `foreign`."""

    async def publish(self, served: Served, changes: Any, base: str) -> None:
        """A new table passed every check. `changes` lead to it from `base`, or are None."""

    def refuse(self, refused: RefusedTable) -> None:
        """A table was refused."""

    def watch(self, routes: list[str], ms: int) -> None:
        """Somebody watches the decisions of these routes, for so long."""


class Follower:
    """Keeps `served` in step with the control plane."""

    def __init__(
        self,
        control: ControlPlane,
        checker: Checker,
        listener: TableListener,
        log: EventLog,
        poll_s: float,
        allegiance: Allegiance,
        on_disk: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_disk` says whether there is a last good table, which nobody may have loaded yet."""
        self._control = control
        self._checker = checker
        self._listener = listener
        self._log = log
        self._poll_s = poll_s
        self._allegiance = allegiance
        self._on_disk = on_disk
        self.foreign = False
        """The control plane is of another installation, and is not followed."""
        self.offered: Offer | None = None
        self._lock = asyncio.Lock()
        self._refused = ""
        self._reachable: bool | None = None
        self._contact = time.monotonic()
        self.served: Served | None = None
        self.streaming = False
        self._stream_lived = 0.0

    @property
    def reachable(self) -> bool:
        """Did the last call reach the control plane?"""
        return bool(self._reachable)

    @property
    def silent_s(self) -> float:
        """Seconds since the control plane was last heard of."""
        return time.monotonic() - self._contact

    def begin(self, served: Served) -> None:
        """Start from a table that did not come from the control plane."""
        self.served = served

    async def pull(self) -> bool:
        """Ask once for the table; False if the control plane could not be asked."""
        try:
            await self._pull()
        except ControlError as error:
            self._lost(error)
            return False
        self._heard()
        return True

    async def poll(self) -> None:
        """Ask again and again, for ever."""
        backoff = Backoff(RETRY_FIRST_S, QUICK_S)
        while True:
            begun = time.monotonic()
            if await self.pull():
                backoff.reset()
                await self._rest(took=time.monotonic() - begun)
            else:
                await asyncio.sleep(backoff.next())

    async def _rest(self, took: float) -> None:
        """Wait until the next poll is due: soon, while nothing else would bring what is new. A
        control plane that answers slowly is asked more seldom. What another installation publishes
        is not waited for."""
        quick, slow = max(jittered(QUICK_S), took), jittered(self._poll_s)
        begun = time.monotonic()
        while True:
            due = slow if self._stream_lives or self.foreign else min(quick, slow)
            left = begun + due - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, LOOK_S))

    @property
    def _stream_lives(self) -> bool:
        return self.stream_heard_within(DOUBT_S)

    def stream_heard_within(self, seconds: float) -> bool:
        """Has the stream shown a sign of life so lately?"""
        return self.streaming and time.monotonic() - self._stream_lived < seconds

    async def stream(self) -> None:
        """Listen to the stream of revisions, for ever."""
        backoff = Backoff(RETRY_FIRST_S, RETRY_CAP_S)
        while True:
            try:
                await self._listen(backoff)
            except ControlError as error:
                self._lost(error)
            finally:
                self.streaming = False
            await asyncio.sleep(backoff.next())

    async def _listen(self, backoff: Backoff) -> None:
        """Read the stream; tables are worked on beside it, so that no kill switch waits for one."""
        events: asyncio.Queue[Event] = asyncio.Queue()
        work = asyncio.get_running_loop().create_task(self._work(events), name="table events")
        try:
            async for name, data in self._control.stream():
                backoff.reset()
                self.streaming = True
                self._stream_lived = time.monotonic()
                self._heard()
                if not name:
                    continue
                events.put_nowait((name, data))
                if work.done():
                    break
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def _work(self, events: asyncio.Queue[Event]) -> None:
        while True:
            name, data = await events.get()
            if events.qsize() > MAX_PENDING:
                while not events.empty():
                    events.get_nowait()
                await self._pull()
            else:
                await self._event(name, data)

    # -- inside ----------------------------------------------------------------------------------

    async def _event(self, name: str, data: dict[str, Any]) -> None:
        if name == "watch":
            self._watch(data)
        if name not in ("current", "revision"):
            return
        revision, etag = data.get("revision"), data.get("etag")
        if not isinstance(revision, int) or not isinstance(etag, str):
            raise ControlError("the table stream sent an event without revision or etag")
        if not self._accepts(of_event(name, data), revision, etag):
            return
        async with self._lock:
            served = self.served
            if name == "revision" and served is not None and revision <= served.revision:
                changes = None  # late or repeated: only the control plane knows what holds now
            else:
                changes = None if served is None else self._changes(served, data)
            if served is not None and changes is not None:
                try:
                    await self._change(served, revision, etag, changes)
                    return
                except StaleBase as stale:
                    self._log.warning(
                        "table_delta_unusable", f"Pulling the whole table: {stale}.", etag=etag
                    )
        await self._pull()

    def _accepts(self, notice: Notice, revision: int, etag: str) -> bool:
        """Whether a table of this installation may be served; says so when that changes."""
        if revision >= 0:
            self.offered = Offer(notice.installation, revision, etag)
        served, allegiance = self.served, self._allegiance
        holds = self._on_disk() if served is None else bool(served.table.routes)
        before, mine = self.foreign, allegiance.followed
        self.foreign = not allegiance.accepts(notice, holds)
        if self.foreign:
            self._control.leave()
        if self.foreign and not before:
            self._log.error(
                "foreign_installation",
                f"The control plane is of installation {notice.installation}, this proxy follows "
                f"{mine}: its table is not taken. If that is meant, set FIGWAY_INSTALLATION="
                f"{notice.installation}, or let the control plane adopt {mine}.",
            )
        if not self.foreign and allegiance.follow(notice.installation):
            self._listener.followed(notice.installation)
        elif self.foreign is not before:
            self._listener.followed(mine)
        return not self.foreign

    def _watch(self, data: dict[str, Any]) -> None:
        routes, ms = data.get("routes"), data.get("ms")
        if isinstance(routes, list) and isinstance(ms, int):
            self._listener.watch([route for route in routes if isinstance(route, str)], ms)

    @staticmethod
    def _changes(served: Served, data: dict[str, Any]) -> Any:
        """What leads from the served table to the one of an event; None if that is not known."""
        if data["etag"] == served.etag:
            return []  # at most the number is new: undone and done again while nobody listened
        return data.get("changes") if data.get("base") == served.etag else None

    async def _change(self, served: Served, revision: int, etag: str, changes: Any) -> None:
        if revision == served.revision and etag == served.etag and not self._refused:
            return
        try:
            found = await asyncio.to_thread(self._checker.changed, served, revision, etag, changes)
        except RefusedTable as refused:
            self._refuse(refused)
            return
        await self._publish(found, changes, served.etag)

    async def _pull(self) -> None:
        before = self.served
        known = [before.etag] if before is not None else []
        if self._refused:
            known.append(self._refused)
        found = await self._control.table(known)
        if not self._accepts(found.notice, found.revision, found.etag):
            return
        async with self._lock:
            if self.served is not before:
                return  # the stream was faster than this answer
            if found.data is not None:
                await self._whole(before, found)
            elif before is not None and found.etag == before.etag:
                await self._confirmed(before)

    async def _confirmed(self, before: Served) -> None:
        """The control plane publishes what is served: also when the served came from the disk, or
        when something that was refused in between has been taken back."""
        if self._refused:
            await self._change(before, before.revision, before.etag, [])
        elif before.source is not Source.CONTROL_PLANE:
            self.served = Served(before.compiled, Source.CONTROL_PLANE)

    async def _whole(self, before: Served | None, found: Publication) -> None:
        try:
            served = await asyncio.to_thread(
                self._checker.whole,
                before,
                found.revision,
                found.etag,
                found.data,
                Source.CONTROL_PLANE,
            )
        except RefusedTable as refused:
            self._refuse(refused)
            return
        await self._publish(served, None, "")

    async def _publish(self, served: Served, changes: Any, base: str) -> None:
        before, self.served = self.served, served
        self._refused = ""
        if before is not None and served.revision < before.revision:
            self._log.warning(
                "table_went_back",
                f"The control plane went back from revision {before.revision} to "
                f"{served.revision}; following it.",
            )
        await self._listener.publish(served, changes, base)

    def _refuse(self, refused: RefusedTable) -> None:
        if self._refused != refused.etag:
            self._log.error(
                "table_refused",
                f"Revision {refused.revision} is refused, the table before it stays: {refused}.",
                revision=refused.revision,
                findings=refused.findings,
            )
        self._refused = refused.etag
        self._listener.refuse(refused)

    def _heard(self) -> None:
        self._contact = time.monotonic()
        if self._reachable is False:
            self._log.info("control_plane_back", "The control plane answers again.")
        self._reachable = True

    def _lost(self, error: ControlError) -> None:
        if self._reachable is not False:
            self._log.warning(
                "control_plane_lost", f"Serving goes on without the control plane: {error}."
            )
        self._reachable = False
