"""The shadow worker's process.

`python -m proxy.processes.shadow.worker <channel fd> <listener fd>`, by the supervisor.

It is on nobody's path: the facade serves the same without it. All that it knows comes over its
channel (`proxy.processes.messages`). Nothing that was captured is written to a disk or a log; rows
and examples leave it redacted.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import time
from typing import Any

from figway.routing.compile import CompiledTable
from proxy.aws.secrets import SCHEME, AwsSecrets
from proxy.capture.message import Captured
from proxy.loop.channel import Channel
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.events import EventLog
from proxy.loop.files import GivenFiles
from proxy.loop.tasks import TaskKeeper
from proxy.policies.credentials import READ_AGAIN_MS, Secrets
from proxy.processes import entry
from proxy.processes.memory import offer_to_oom_killer
from proxy.processes.messages import (
    Applied,
    Drain,
    Files,
    Learned,
    Message,
    Refused,
    Replay,
    Replayed,
    StartShadow,
    Stop,
    TableChanges,
    TableMessage,
    WholeTable,
    pack,
)
from proxy.processes.messages import (
    Pairs as PairsMessage,
)
from proxy.processes.shadow.intake import Intake
from proxy.shadow.backend_queue import BackendQueue
from proxy.shadow.engine import ShadowEngine
from proxy.shadow.replay import parts
from proxy.shadow.settings import ShadowSettings
from proxy.tables.worker_table import TableState, Unusable
from proxy.upstreams.factory import open_upstream

REPORT_S = 0.5
"""How often rows go to the supervisor; a worker that is killed takes up to this with it."""
TICK_S = 0.05
MOST_OPEN = 2_048
"""Captures that are worked on or wait; beyond it nothing more is read."""
MOST_BYTES = 64 * 1024 * 1024


class ShadowWorker:
    """Composes the worker, and obeys the supervisor."""

    def __init__(self, listener: socket.socket, start: StartShadow, log: EventLog) -> None:
        self.settings = ShadowSettings.from_data(start.settings)
        self.log = log
        self.done = asyncio.Event()
        self._generation = start.generation
        self._listener = listener
        self._channel: Channel | None = None
        self._keeper = TaskKeeper(self._failed)
        self._timer = DeadlineTimer()
        self._tables = TableState()
        self._inbox: asyncio.Queue[TableMessage] = asyncio.Queue()
        self._files = GivenFiles()
        self._secrets = AwsSecrets(self._timer, self._secrets_changed, self._failed)
        references = Secrets(self._files.read, {SCHEME: self._secrets.get})
        self._engine = ShadowEngine(
            self.settings,
            lambda backend: open_upstream(backend, self._timer, self._files.read),
            self._keeper.spawn,
            self._paused_changed,
            self._failed,
            references,
        )
        self._pairs = self._engine.pairs
        self._connections: set[Intake] = set()
        self._server: asyncio.AbstractServer | None = None
        self._draining = False
        self._faults = 0

    async def run(self, channel: Channel) -> None:
        """Work until told to end."""
        self._channel = channel
        self._timer.start()
        self._keeper.spawn(self._follow(), "tables")
        self._keeper.spawn(self._tick(), "tick")
        self._keeper.spawn(self._beat(), "rows")
        self._keeper.spawn(self._reread(), "credentials")
        await self.done.wait()
        self._pairs.stop("stopping")
        await self._keeper.close()
        self._send_rows()
        self._timer.stop()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        await self._engine.close()
        await self._secrets.close()

    def obey(self, message: Message) -> None:
        """Take one message of the supervisor."""
        match message:
            case WholeTable() | TableChanges():
                self._inbox.put_nowait(message)
            case Files():
                if self._files.give(message.decoded()):
                    self._secrets_changed()
            case Replay():
                for job in message.jobs:
                    self._keeper.spawn(self._replay(job), "replay")
            case Learned():
                self._engine.restore(message.windows)
            case Drain():
                self._keeper.spawn(self._drain(message.timeout_ms / 1_000), "drain")
            case Stop():
                self.done.set()
            case _:
                pass

    def orphaned(self) -> None:
        """The supervisor is gone: nobody takes what is counted."""
        self.done.set()

    def _secrets_changed(self) -> None:
        self._engine.table.secrets_changed()

    # -- tables ------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            message = await self._inbox.get()
            try:
                compiled = await asyncio.to_thread(self._compiled, message)
            except (Unusable, ValueError) as error:
                whole = isinstance(message, WholeTable)
                self._send(Refused(message.revision, message.etag, whole, str(error)))
                continue
            await self._secrets.ready(compiled.table)
            self._secrets.serves(compiled.table)
            self._tables.compiled = compiled
            self._engine.swap(compiled)
            self._send(Applied(compiled.revision, compiled.etag))
            if self._server is None:
                await self._listen()

    def _compiled(self, message: TableMessage) -> CompiledTable:
        revision, etag = message.revision, message.etag
        if isinstance(message, WholeTable):
            return self._tables.whole(revision, etag, message.table)
        return self._tables.changed(revision, etag, message.base, message.changes)

    async def _listen(self) -> None:
        """Captures before the first table could only be skipped: listen when there is one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Intake(self._generation, self._take, self._bad_message, self._connections),
            sock=self._listener,
        )

    # -- captures ----------------------------------------------------------------------------

    def _take(self, worker: str, captured: Captured) -> None:
        self._engine.tally.came(worker, captured)
        self._pairs.take(captured)
        if self._full:
            self._read(False)

    @property
    def _full(self) -> bool:
        return self._pairs.open >= MOST_OPEN or self._pairs.waiting_bytes >= MOST_BYTES

    def _read(self, on: bool) -> None:
        for connection in list(self._connections):
            connection.read(on)

    def _bad_message(self, why: str) -> None:
        self.log.error("shadow_message", f"A serving worker sent what cannot be read: {why}.")

    def _paused_changed(self, queue: BackendQueue) -> None:
        paused = queue.paused()
        name = queue.target.backend.id
        if paused is None:
            self.log.info("shadow_resumed", f"Copies go to {name} again.", backend=name)
            return
        self.log.warning(
            "shadow_paused",
            f"No copies go to {name} for a while: {paused['why']}.",
            backend=name,
            side=queue.side,
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._pairs.tick()
            self._read(self._pairs.throttle.tick() and not self._full)

    async def _reread(self) -> None:
        """Secrets in files are read again as in the workers that serve."""
        while True:
            await asyncio.sleep(READ_AGAIN_MS / 1_000)
            self._engine.table.secrets_changed()

    async def _replay(self, job: dict[str, Any]) -> None:
        for part in parts(job):
            results = await self._engine.replayer.replay(part)
            self._send(Replayed(job["id"], results))

    # -- telling -----------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._send_rows()

    def _send_rows(self) -> None:
        tally = self._engine.tally
        gauges = {
            "received": tally.total_received,
            "dropped": tally.total_dropped,
            "open": self._pairs.open,
            "faults": self._faults,
        }
        worker = {"paused": self._engine.paused, "queue": gauges}
        self._send(PairsMessage(self._generation, worker=worker, **tally.take()))

    def _send(self, message: Message) -> None:
        if self._channel is not None:
            self._channel.send(pack(message))

    def _failed(self, where: str, error: BaseException) -> None:
        # The exception's text may quote a body: its name alone is told.
        self._faults += 1
        self.log.error("shadow_fault", f"Unexpected error in {where}: {type(error).__name__}.")

    async def _drain(self, timeout_s: float) -> None:
        """Finish what has come in, as far as there is time; then end."""
        if self._draining:
            return
        self._draining = True
        deadline = time.monotonic() + timeout_s
        quiet = 0
        while time.monotonic() < deadline and quiet < 3:
            self._pairs.hurry()
            quiet = 0 if self._pairs.open else quiet + 1
            await asyncio.sleep(0.02)
        self.done.set()


def begin(listener: socket.socket, start: Message, log: EventLog) -> ShadowWorker:
    """The worker that the first message describes; it gives way to whoever serves users.

    Raises TypeError for any other message.
    """
    if not isinstance(start, StartShadow):
        raise TypeError(f"a shadow worker cannot start from {type(start).__name__}")
    with contextlib.suppress(OSError):
        os.nice(10)
    offer_to_oom_killer()
    gc.freeze()
    log.plain = start.plain
    return ShadowWorker(listener, start, log)


if __name__ == "__main__":
    entry.run(begin)
