"""One worker process.

`python -m proxy.processes.worker <channel fd> <listener fd>`, by the supervisor.

It imports the core and the hot path, nothing else: no httpx, no pydantic. All that it knows comes
over its channel. SIGTERM and SIGINT are the supervisor's business; a worker drains when it is told
to, or when the channel ends because the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from figway.model.backend import Backend
from figway.routing.compile import CompiledTable
from figway.serving.attempts.breaker import BreakerState
from figway.serving.attempts.load import Load
from proxy.aws.secrets import SCHEME, AwsSecrets
from proxy.capture.capture import ShadowCapture
from proxy.capture.counts import CountBook
from proxy.capture.queue import SocketQueue
from proxy.doors.server import NativeDoor
from proxy.kill.file import LOOK_MS, KillFile
from proxy.loop.channel import Channel
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.events import EventLog
from proxy.loop.files import GivenFiles
from proxy.loop.last_resort import end_within
from proxy.loop.tasks import TaskKeeper
from proxy.policies.credentials import BadSecret, Secrets
from proxy.private.responder import Responder
from proxy.private.waiting import WithoutTable
from proxy.processes import entry
from proxy.processes.load_memory import LoadMemory
from proxy.processes.messages import (
    Applied,
    Breakers,
    Counters,
    Drain,
    Drained,
    Files,
    Flush,
    KillState,
    LegacyLoads,
    Message,
    NoTable,
    Quarantined,
    Ready,
    Refused,
    SetKill,
    SetShadow,
    StartWorker,
    Stop,
    TableChanges,
    TableMessage,
    WatchDecisions,
    WholeTable,
    pack,
)
from proxy.processes.worker_settings import WorkerSettings
from proxy.request.runtime import Runtime
from proxy.tables.worker_table import TableState, Unusable
from proxy.telemetry.backends import BackendBook
from proxy.telemetry.recorder import WorkerRecorder
from proxy.telemetry.writer import Export, RecordWriter
from proxy.upstreams.factory import open_upstream
from proxy.upstreams.port import Upstream

COUNTERS_S = 1.0
"""How often counters go to the supervisor; a worker that is killed takes up to this with it."""
ORPHAN_DRAIN_S = 30.0
CLOSE_S = 2.0
"""How long connections and tasks may take to end once every request has."""
CAPTURES_S = 2.0
"""How long a worker that ends waits for the shadow worker to take its captures."""
_SETTLE_S = 0.05
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
FIRST_TABLE_S = 20.0
"""How long connections wait for a first table that is on its way."""


class Door(Protocol):
    """What every door offers."""

    async def listen(self, sock: socket.socket) -> None:
        """Accept on a listening socket."""

    def stop_listening(self) -> None:
        """Accept no more."""

    async def drain(self, timeout_s: float) -> int:
        """Finish what is under way; how many requests were cut off."""


class KillLook:
    """Looks for the kill file from the sweep, and pulls or releases the switch of this worker."""

    def __init__(self, worker: WorkerProcess, file: KillFile) -> None:
        self._worker = worker
        self._file = file
        self.deadline = 0

    def expired(self, now: int) -> None:
        """Look."""
        self.deadline = now + LOOK_MS
        self._worker.set_kill(file=self._file.look())


class WorkerProcess:
    """Composes a worker, and obeys the supervisor."""

    def __init__(self, listener: socket.socket, start: StartWorker, log: EventLog) -> None:
        self.settings = WorkerSettings.from_data(start.settings)
        self.log = log
        self.keeper = TaskKeeper(self.report)
        self.timer = DeadlineTimer()
        self.tables = TableState()
        self.runtime: Runtime | None = None
        self.secrets = AwsSecrets(self.timer, self._secrets_changed, self.report)
        self.files = GivenFiles()
        self._references = Secrets(self.files.read, {SCHEME: self.secrets.get})
        self.done = asyncio.Event()
        self._listener = listener
        self._number = start.worker
        self._workers = start.workers
        self._channel: Channel | None = None
        self._door: Door | None = None
        self._connection: Callable[[], asyncio.Protocol] = asyncio.Protocol
        self._inbox: asyncio.Queue[TableMessage] = asyncio.Queue()
        self._first = asyncio.Event()
        self._draining = False
        self._kill_file = False
        self._kill_wish = start.kill
        self._kill_told: bool | None = None
        self._errors = 0
        self._peaks: dict[str, float] = {}
        self._load: LoadMemory | None = None
        if start.load_fd >= 0:
            self._load = LoadMemory(start.load_fd, start.workers, start.worker)
        self._telling_quarantine = False
        self._backends = BackendBook()
        self._export = self._open_export()
        self._writer = self._open_writer()
        self._recorder = WorkerRecorder(self._writer, self.settings.log_sample)
        self._without_table = WithoutTable()
        self._waiting = Responder(self._without_table.respond)
        self._captures = CountBook()
        most, budget = self.settings.shadow_queue, self.settings.shadow_memory
        name = f"{self._number}:{os.getpid()}"
        self._queue = SocketQueue(name, self._captures, most, budget)
        self._capture = ShadowCapture(self._queue, self._captures, budget)
        self._shadow_to(start.shadow)

    async def run(self, channel: Channel) -> None:
        """Work until told to end."""
        self._channel = channel
        if self._writer is not None:
            self._writer.start()
        self.timer.start()
        look = KillLook(self, KillFile(self.settings.state_dir))
        look.expired(self.timer.now)
        self.timer.add(look)
        self.keeper.spawn(self._follow(), "tables")
        self.keeper.spawn(self._beat(), "counters")
        self.keeper.spawn(self._queue.run(), "captures")
        await self.done.wait()
        await self._queue.close(CAPTURES_S)
        self._send_counters(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.keeper.close()
                self.timer.stop()
                if self.runtime is not None:
                    await self.runtime.close()
                await self.secrets.close()
        if self._writer is not None:
            self._writer.close()
        if self._export is not None:
            self._export.close()

    # -- messages ------------------------------------------------------------------------------

    def obey(self, message: Message) -> None:
        """Take one message of the supervisor."""
        match message:
            case WholeTable() | TableChanges():
                self._inbox.put_nowait(message)
                self._first.set()
            case NoTable():
                self._without_table.detail = message.detail
                self._first.set()
            case LegacyLoads():
                self._take_loads(message)
            case Files():
                self._take_files(message)
            case SetKill():
                self._kill_wish = message.on
                self.set_kill()
            case SetShadow():
                self._shadow_to(message.path)
            case WatchDecisions():
                self._recorder.decisions.watch(message.routes, message.ms)
            case Flush():
                self._send_counters(message.number)
            case Drain():
                self.keeper.spawn(self.drain(message.timeout_ms / 1000), "drain")
            case Stop():
                self.done.set()
            case _:
                pass

    def orphaned(self) -> None:
        """The supervisor is gone: its successor listens anew, so finish and end."""
        end_within(ORPHAN_DRAIN_S + CAPTURES_S + 2 * CLOSE_S)
        self.keeper.spawn(self.drain(ORPHAN_DRAIN_S), "drain")

    def set_kill(self, *, file: bool | None = None) -> None:
        """Bring the kill switch in line with the file and the supervisor's wish."""
        if file is not None:
            self._kill_file = file
        on = self._kill_file or self._kill_wish
        if self.runtime is not None:
            self.runtime.kill = on
            on = self.runtime.killed  # the table may say so too
        if on is not self._kill_told:
            self._kill_told = on
            self._send(KillState(on))

    def _shadow_to(self, path: str) -> None:
        """Capture for the shadow worker that listens there; not at all when nobody does."""
        self._queue.connect_to(path)
        if self.runtime is not None:
            self.runtime.capture = self._capture if path else None
        self._shadow_path = path

    async def drain(self, timeout_s: float) -> None:
        """Accept no more, finish what is in flight, end."""
        if self._draining or self.done.is_set():
            return
        self._draining = True
        self._waiting.close()
        unfinished = 0
        if self._door is None:
            self._listener.close()
        else:
            unfinished = await self._drain_door(self._door, timeout_s)
        self._send(Drained(unfinished))
        self.done.set()

    async def _drain_door(self, door: Door, timeout_s: float) -> int:
        """Drain without losing who waits to be accepted: closing a port resets those."""
        door.stop_listening()
        await asyncio.sleep(_SETTLE_S)  # the door's copy of the socket closes meanwhile
        loop = asyncio.get_running_loop()
        for client in take_waiting(self._listener):
            with contextlib.suppress(OSError):  # gone before it was served
                await loop.connect_accepted_socket(self._connection, client)
        return await door.drain(timeout_s)

    def report(self, where: str, error: BaseException) -> None:
        """An exception that should not have been; a secret that is gone is none of those."""
        if isinstance(error, BadSecret):
            text = f"{error}. What was read last is used on."
            self.log.error("secret_not_read", text, worker=self._number)
            return
        self._errors += 1
        self.log.error(
            "unexpected",
            f"Unexpected error in {where}: {type(error).__name__}: {error}",
            worker=self._number,
        )

    def _not_believed(self, peer: str) -> None:
        self.log.warning(
            "proxy_not_trusted",
            f"X-Forwarded-Proto: https from {peer} is not believed, so legacy is told http and may "
            f"redirect for ever. If your TLS proxy is there, say FIGWAY_TRUSTED_PROXIES={peer}",
            peer=peer,
        )

    # -- tables --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        await self._answer_without_table()
        while True:
            message = await self._inbox.get()
            began = time.monotonic()
            try:
                compiled = await asyncio.to_thread(self._compiled, message)
                await self.secrets.ready(compiled.table)
                await self._serve(compiled)
            except (Unusable, ValueError, OSError) as error:
                whole = isinstance(message, WholeTable)
                self._send(Refused(message.revision, message.etag, whole, str(error)))
                continue
            if isinstance(message, WholeTable):
                gc.freeze()  # a table stays: collections need not walk a hundred thousand routes
            took = int((time.monotonic() - began) * 1000)
            self._send(Applied(compiled.revision, compiled.etag, took))

    def _compiled(self, message: TableMessage) -> CompiledTable:
        revision, etag = message.revision, message.etag
        if isinstance(message, WholeTable):
            return self.tables.whole(revision, etag, message.table)
        return self.tables.changed(revision, etag, message.base, message.changes)

    def _secrets_changed(self) -> None:
        if self.runtime is not None:
            self.runtime.secrets_changed()

    async def _serve(self, compiled: CompiledTable) -> None:
        self._capture.table_changed(compiled.revision, len(compiled.plans))
        if self.runtime is not None:
            self.runtime.swap(compiled)
            self.tables.compiled = compiled
            self.secrets.serves(compiled.table)
            self.set_kill()
            return
        runtime = Runtime(
            compiled,
            open_upstream=self._open_upstream,
            timer=self.timer,
            recorder=self._recorder,
            spawn=self.keeper.spawn,
            report=self.report,
            settings=self.settings.facade,
            workers=self._workers,
            name=f"{self.settings.instance}/{self._number}",
            breaker_changed=self._breaker_changed,
            secrets=self._references,
            quarantine_changed=self._quarantine_changed,
            load=self._load_of,
            peaks=self._peaks,
        )
        runtime.unbelieved = self._not_believed
        self.runtime, self.tables.compiled = runtime, compiled
        self.secrets.serves(compiled.table)
        self._shadow_to(self._shadow_path)
        self.set_kill()
        self._waiting.close()
        self._door, self._connection = _make_door(self.settings.door, runtime)
        await self._door.listen(self._listener.dup())  # the original is for the drain
        self._send(Ready())

    async def _answer_without_table(self) -> None:
        """Answer 503 on a copy of the socket, until the first table comes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_TABLE_S):
                await self._first.wait()
        if self._inbox.empty() and not self._draining:
            await self._waiting.start(self._listener.dup())

    def _open_upstream(self, backend: Backend) -> Upstream:
        return open_upstream(backend, self.timer, self.files.read)

    # -- telemetry -----------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(COUNTERS_S)
            self._send_counters(0)

    def _send_counters(self, number: int) -> None:
        operations: list[dict[str, Any]] = []
        if self.runtime is not None:
            operations = self.runtime.operations.take()
            self._recorder.series.merge(self.runtime.operations.take_faults())
        gauges = {
            "in_flight": 0 if self.runtime is None else self.runtime.in_flight,
            "log_dropped": self._recorder.log_dropped,
            "unexpected_errors": self._errors,
            "tasks": len(asyncio.all_tasks()),
            "descriptors": open_descriptors(),
        }
        self._send(
            Counters(
                number=number,
                series=self._recorder.take(),
                gauges=gauges,
                backends=self._backends.take(self.runtime),
                decisions=self._recorder.decisions.take(),
                shadow=self._captures.take(),
                operations=operations,
            )
        )

    def _breaker_changed(
        self, route: str, backend: str, before: BreakerState, after: BreakerState, when: int
    ) -> None:
        now = int(time.time() * 1000)
        event = {
            "at_ms": now,
            "kind": "breaker",
            "route": route,
            "backend": backend,
            "worker": self._number,
            "from": before.value,
            "to": after.value,
        }
        self._send(Breakers(self._breakers(), [event]))

    def _breakers(self) -> list[dict[str, Any]]:
        """Every breaker that is not closed. Its clock is monotonic; people read the other one."""
        if self.runtime is None:
            return []
        offset = int(time.time() * 1000) - int(time.monotonic() * 1000)
        return [
            {
                "worker": self._number,
                "route": route,
                "backend": backend,
                "state": breaker.state.value,
                "since_ms": breaker.changed_at + offset,
            }
            for route, backend, breaker in self.runtime.breakers()
            if breaker.state is not BreakerState.CLOSED
        ]

    def _take_loads(self, message: LegacyLoads) -> None:
        if self._load is not None:
            self._load.places = message.places
        self._peaks = message.peaks
        if self.runtime is not None:
            self.runtime.carried(message.peaks)

    def _load_of(self, backend_id: str) -> Load | None:
        return None if self._load is None else self._load.load(backend_id)

    def _take_files(self, message: Files) -> None:
        changed = self.files.give(message.decoded())
        if self.runtime is not None and changed:
            self.runtime.files_changed(changed)

    def _quarantine_changed(self) -> None:
        """Tell it once this turn is over: a swap changes many."""
        if not self._telling_quarantine:
            self._telling_quarantine = True
            asyncio.get_running_loop().call_soon(self._tell_quarantine)

    def _tell_quarantine(self) -> None:
        self._telling_quarantine = False
        if self.runtime is not None:
            self._send(Quarantined(self.runtime.quarantine.rows()))

    def _send(self, message: Message) -> None:
        if self._channel is not None:
            self._channel.send(pack(message))

    def _open_export(self) -> Any:
        if not self.settings.otel_endpoint:
            return None
        # Imported where it is asked for: it doubles the memory of a worker.
        from proxy.telemetry.otel import SpanExport

        return SpanExport(self.settings.otel_endpoint, self.settings.instance)

    def _open_writer(self) -> RecordWriter | None:
        if not self.settings.log and self._export is None:
            return None
        fd = sys.stdout.fileno() if self.settings.log else None
        export: Export | None = self._export
        return RecordWriter(fd=fd, query=self.settings.log_query, export=export)


def _make_door(name: str, runtime: Runtime) -> tuple[Door, Callable[[], asyncio.Protocol]]:
    """The door of that name, and what makes it a connection that was accepted elsewhere."""
    if name == "asgi":
        # Imported where it is asked for: uvicorn is an optional extra.
        from proxy.doors.uvicorn import UvicornDoor

        served = UvicornDoor(runtime)
        return served, served.connection
    door = NativeDoor(runtime)
    return door, door.connection


def open_descriptors() -> int:
    """How many descriptors this process has open; 0 where the system does not say."""
    try:
        return len(os.listdir(_DESCRIPTORS)) - 1  # less the one that lists
    except OSError:
        return 0


def take_waiting(listener: socket.socket) -> list[socket.socket]:
    """Accept every connection that waits, and close the listener with nothing in between."""
    found: list[socket.socket] = []
    try:
        while True:
            found.append(listener.accept()[0])
    except OSError:  # BlockingIOError: nobody waits any more
        listener.close()
    for client in found:
        client.setblocking(False)
    return found


def begin(listener: socket.socket, start: Message, log: EventLog) -> WorkerProcess:
    """The worker that the first message describes. Raises TypeError for any other message."""
    if not isinstance(start, StartWorker):
        raise TypeError(f"a worker cannot start from {type(start).__name__}")
    log.plain = start.plain
    return WorkerProcess(listener, start, log)


if __name__ == "__main__":
    entry.run(begin)
