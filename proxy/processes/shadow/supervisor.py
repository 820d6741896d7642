"""The supervisor's end of shadowing.

It starts the shadow worker when a route needs it, sends it tables, counts what was captured and
what became of it, and reports to the control plane. It begins with the first table that has a
route to copy, and goes on until the proxy ends: a route may come back, and an idle worker costs
nothing but its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from figway.model.table import Route, Stage
from figway.routing.compile import CompiledTable
from proxy.control.client import ControlError
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.messages import (
    Learned,
    Message,
    Pairs,
    Refused,
    Replay,
    Replayed,
    Row,
    StartShadow,
)
from proxy.processes.shadow.batches import Batches
from proxy.processes.shadow.ledger import Ledger
from proxy.processes.shadow.process import ShadowProcess
from proxy.shadow.settings import ShadowSettings

_COPYING = frozenset({Stage.SHADOW, Stage.CANARY, Stage.NEW})


class ShadowControl(Protocol):
    """What is asked of the control plane."""

    async def comparisons(self, batch: Row) -> bool:
        """Take a batch; False if it had been counted before. Raises `ControlError`."""

    async def replays(self, instance: str) -> list[Row]:
        """Replay jobs for this instance. Raises `ControlError`."""

    async def learned(self) -> list[Row]:
        """Forms and looks of the present evidence windows. Raises `ControlError`."""

    async def replayed(self, job: str, results: list[Row]) -> None:
        """Hand in the results of a job. Raises `ControlError`."""


class ShadowSupervisor:
    """One a supervisor. `set_path` tells the serving workers where captures go."""

    def __init__(
        self,
        control: ShadowControl,
        settings: ShadowSettings,
        instance: str,
        boot: str,
        log: EventLog,
        keeper: TaskKeeper,
        *,
        set_path: Callable[[str], None],
        table: Callable[[], Awaitable[bytes | None]],
        store: Path | None = None,
    ) -> None:
        self.batches = Batches(control.comparisons, instance, boot, store)
        self.ledger = Ledger(self.batches.open)
        self._set_path = set_path
        self._table = table
        self._control = control
        self._settings = settings
        self._instance = instance
        self._log = log
        self._keeper = keeper
        self._replays_missing = False
        self._knows = False
        """The worker of now was told what was learned before it."""
        self._jobs: set[str] = set()
        self.process = ShadowProcess(self, log, keeper)
        self.child = self.process.child
        self._wanted = False

    # -- what the supervisor tells -----------------------------------------------------------

    def table(self, compiled: CompiledTable) -> None:
        """Another table is served."""
        if self._wanted or not any(map(_copies, compiled.table.routes.values())):
            return
        try:
            self.process.begin()
        except OSError as error:
            self._log.error("shadow_listen", f"Nothing can be shadowed: {error}.")
            return
        self._wanted = True
        self._set_path(self.path)

    @property
    def path(self) -> str:
        """Where serving workers send their captures; empty for nowhere."""
        return self.process.path if self._wanted else ""

    def counted(self, worker: str, rows: list[Row]) -> None:
        """A serving worker counted captures."""
        self.ledger.served(worker, rows)

    def worker_gone(self, worker: str) -> None:
        """A serving worker is gone."""
        self.ledger.gone(worker)

    async def run(self, interval_s: float) -> None:
        """Tell the control plane, and ask it for replays, for ever."""
        failing = False
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.tell_learned()
                await self.look_for_replays()
                await self.send()
            except ControlError as error:
                if not failing:
                    self._log.warning("comparisons_failed", f"Comparisons wait: {error}.")
                failing = True
            else:
                failing = False

    async def send(self) -> None:
        """Send what was compared. Raises `ControlError`."""
        self.ledger.settle()
        await self.batches.send()

    async def tell_learned(self) -> None:
        """Give a worker that began anew what the control plane knows. Raises `ControlError`."""
        if self._knows or not self.child.alive:
            return
        try:
            windows = await self._control.learned()
        except ControlError as error:
            if error.status != 404:
                raise
            windows = []  # a control plane of before second looks
        self._knows = True
        if windows:
            self.child.send(Learned(windows))

    async def look_for_replays(self) -> None:
        """Ask for replay jobs, and hand them to the worker. Raises `ControlError`."""
        if not self.child.alive or self._replays_missing:
            return
        try:
            jobs = await self._control.replays(self._instance)
        except ControlError as error:
            if error.status != 404:
                raise
            self._replays_missing = True  # a control plane of before replays
            return
        fresh = [job for job in jobs if job["id"] not in self._jobs]
        if fresh:
            self._jobs.update(job["id"] for job in fresh)
            self.child.send(Replay(fresh))

    async def drain(self, timeout_s: float) -> None:
        """The serving workers have ended: finish what they captured."""
        await self.process.drain(timeout_s)
        self.ledger.settle()

    # -- Owner of the shadow worker's process --------------------------------------------------

    def start_message(self) -> Message:
        self._jobs.clear()
        self._knows = False
        return StartShadow(self._settings.to_data(), self.child.generation, self._log.plain)

    async def greet(self) -> None:
        self._keeper.spawn(self._send_table(), "shadow table")

    def on_message(self, message: Message) -> None:
        match message:
            case Pairs():
                self.ledger.shadowed(message.generation, message.rows, message.received)
                self.batches.worker = message.worker
            case Refused(whole=False):
                self._keeper.spawn(self._send_table(), "shadow table")
            case Refused():
                text = f"The shadow worker cannot use it: {message.message}."
                self._log.error("shadow_table_refused", text)
            case Replayed():
                self._keeper.spawn(self._replayed(message.id, message.results), "replayed")
            case _:
                pass

    def on_exit(self) -> None:
        self.ledger.ended(self.child.generation)

    def on_change(self) -> None:
        """Nobody relies on a shadow worker that hangs: it is replaced."""

    async def _send_table(self) -> None:
        data = await self._table()
        if data is not None:
            self.child.send_packed(data)

    async def _replayed(self, job: str, results: list[Row]) -> None:
        try:
            await self._control.replayed(job, results)
        except ControlError as error:
            self._log.warning("replay_failed", f"The results of a replay are lost: {error}.")
        finally:
            self._jobs.discard(job)


def _copies(route: Route) -> bool:
    return route.stage in _COPYING and bool(route.shadow.sample) and bool(route.new)
