"""The supervisor's end of shadowing: wants the worker, feeds it, keeps the books, tells.

It begins with the first table that has a route to copy, and goes on until the proxy ends: a route
may come back, and an idle worker costs nothing but its memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from figway.model.table import Route, Stage
from figway.routing.compile import CompiledTable
from proxy.control.client import ControlError
from proxy.loop.channel import Message
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.shadow.batches import Batches, Control
from proxy.processes.shadow.ledger import Ledger
from proxy.processes.shadow.process import ShadowProcess
from proxy.shadow.settings import ShadowSettings

if TYPE_CHECKING:
    from proxy.processes.workers import Worker

_COPYING = frozenset({Stage.SHADOW, Stage.CANARY, Stage.NEW})


class ShadowControl(Control, Protocol):
    """What is asked of the control plane besides."""

    async def replays(self, instance: str) -> list[dict[str, Any]]:
        """Replay jobs for this instance. Raises `ControlError`."""

    async def replayed(self, job: str, results: list[dict[str, Any]]) -> None:
        """Hand in the results of a job. Raises `ControlError`."""


class ShadowDesk:
    """One a supervisor."""

    def __init__(
        self,
        control: ShadowControl,
        settings: ShadowSettings,
        instance: str,
        boot: str,
        log: EventLog,
        keeper: TaskKeeper,
        *,
        to_workers: Callable[[Message], None],
        table: Callable[[], Awaitable[bytes | None]],
    ) -> None:
        self.batches = Batches(control, instance, boot)
        self.ledger = Ledger(self.batches.open)
        self._to_workers = to_workers
        self._table = table
        self._control = control
        self._settings = settings
        self._instance = instance
        self._log = log
        self._keeper = keeper
        self._replays_missing = False
        self._jobs: set[str] = set()
        self.process = ShadowProcess(
            log, keeper, self._start_message, self._greet, self._heard, self.ledger.ended
        )
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
        self._to_workers({"t": "shadow", "path": self.path})

    @property
    def path(self) -> str:
        """Where serving workers send their captures; empty for nowhere."""
        return self.process.path if self._wanted else ""

    def changes(self, message: Message) -> None:
        """Changes of the table go to the shadow worker too."""
        self.process.send(message)

    def counted(self, worker: Worker, rows: list[dict[str, Any]]) -> None:
        """A serving worker counted captures."""
        self.ledger.served(worker_name(worker.number, worker.pid), rows)

    def worker_died(self, worker: Worker) -> None:
        """A serving worker is gone."""
        self.ledger.gone(worker_name(worker.number, worker.pid))

    async def run(self, interval_s: float) -> None:
        """Tell the control plane, and ask it for replays, for ever."""
        failing = False
        while True:
            await asyncio.sleep(interval_s)
            try:
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
        self.ledger.timer()
        await self.batches.send()

    async def look_for_replays(self) -> None:
        """Ask for replay jobs, and hand them to the worker. Raises `ControlError`."""
        if not self.process.alive or self._replays_missing:
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
            self.process.send({"t": "replay", "jobs": fresh})

    async def drain(self, timeout_s: float) -> None:
        """The serving workers have ended: finish what they captured."""
        await self.process.drain(timeout_s)
        self.ledger.timer()

    # -- what the shadow worker tells --------------------------------------------------------

    def _start_message(self, life: int) -> Message:
        self._jobs.clear()
        return {
            "t": "start",
            "settings": self._settings.to_data(),
            "life": life,
            "plain": self._log.plain,
        }

    def _greet(self) -> None:
        self._keeper.spawn(self._send_table(), "shadow table")

    async def _send_table(self) -> None:
        frame = await self._table()
        if frame is not None:
            self.process.send_packed(frame)

    def _heard(self, message: Message) -> None:
        kind = message["t"]
        if kind == "pairs":
            self.ledger.shadowed(message["life"], message["rows"], message["received"])
            self.batches.worker = message["worker"]
        elif kind == "refused" and not message["whole"]:
            self._greet()
        elif kind == "refused":
            self._log.error(
                "shadow_table_refused", f"The shadow worker cannot use it: {message['message']}."
            )
        elif kind == "replayed":
            self._keeper.spawn(self._replayed(message["id"], message["results"]), "replayed")

    async def _replayed(self, job: str, results: list[dict[str, Any]]) -> None:
        try:
            await self._control.replayed(job, results)
        except ControlError as error:
            self._log.warning("replay_failed", f"The results of a replay are lost: {error}.")
        finally:
            self._jobs.discard(job)


def _copies(route: Route) -> bool:
    return route.stage in _COPYING and bool(route.shadow.sample) and bool(route.new)


def worker_name(number: int, pid: int) -> str:
    """Tells one process of a serving worker from all others."""
    return f"{number}:{pid}"
