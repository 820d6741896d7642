"""The supervisor: follows the control plane, keeps the workers alive, speaks for all of them.

It serves no request itself, so its death stops nothing at once: the workers finish what they have.
All outbound calls that are not a user's request are made here, once for all workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from figway.model.codec import to_data
from proxy.control.client import ControlError, ControlPlane
from proxy.loop.channel import Message, pack
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.acknowledge import Acknowledger, acknowledgement
from proxy.processes.shadow.desk import ShadowDesk
from proxy.processes.worker_settings import WorkerSettings
from proxy.processes.workers import Worker, Workers
from proxy.settings import Settings
from proxy.shadow.settings import ShadowSettings, redaction_key
from proxy.tables.check import Checker, RefusedTable, Served, Source
from proxy.tables.cold_start import stored_table
from proxy.tables.follow import Follower
from proxy.tables.kill_file import KillFile
from proxy.tables.kill_switch import KillSwitch
from proxy.tables.last_good import LastGood
from proxy.tables.store import TableStore
from proxy.telemetry.backends import BackendTotals
from proxy.telemetry.decisions import DecisionOutbox
from proxy.telemetry.flush import Flushes
from proxy.telemetry.report import Reporter
from proxy.telemetry.series import SeriesSet

DECISIONS_S = 0.5
"""How often a sample of decisions goes to those who watch, while somebody does."""

SHADOW_DRAIN_S = 5.0
"""How long what was captured before a stop may take to be compared."""

SECOND_SIGNAL_S = 0.5
"""A signal that follows sooner is the same wish: shells and `timeout` signal group and child."""


@dataclass(slots=True)
class Parts:
    """What the composition root hands to a supervisor."""

    settings: Settings
    worker_settings: WorkerSettings
    listeners: list[socket.socket]
    facade_url: str
    boot: str
    log: EventLog
    checker: Checker
    last_good: LastGood
    kill_file: KillFile
    control: ControlPlane | None


class Supervisor:
    """One proxy."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.log = parts.log
        self.keeper = TaskKeeper(self._task_failed)
        self.totals = SeriesSet()
        self.backends = BackendTotals()
        self._decisions = DecisionOutbox()
        self.refused: RefusedTable | None = None
        self.store = TableStore(parts.last_good, parts.log)
        self.applied_ms = 0
        self.stopping = False
        self.workers = Workers(parts.listeners, self, parts.log, self.keeper, self._start_message)
        self.kill = KillSwitch(parts.kill_file, parts.log, self.workers.send, self.changed)
        self.flushes = Flushes(self.workers.send)
        self.follower: Follower | None = None
        self.reporter: Reporter | None = None
        self.acknowledger: Acknowledger | None = None
        self._served: Served | None = None
        self._frame: tuple[str, bytes] | None = None
        self._published_at = time.monotonic()
        self._stop = asyncio.Event()
        self._signalled_at = 0.0
        self._at_once = asyncio.Event()
        self.shadow: ShadowDesk | None = None
        self._lost: dict[str, int] = {}  # by gauge: what workers that are gone had lost
        if parts.control is not None:
            self.follower = Follower(
                parts.control, parts.checker, self, parts.log, self.settings.poll_s
            )
            name = self.settings.instance_name
            self.reporter = Reporter(parts.control, name, parts.boot)
            self.acknowledger = Acknowledger(
                parts.control, lambda: acknowledgement(self), self.settings.heartbeat_s
            )
            if self.settings.shadow:
                self.shadow = self._make_shadow(parts.control)

    # -- the life of a proxy -------------------------------------------------------------------

    async def run(self) -> int:
        """Serve until told to stop; the number of requests that a drain had to cut off."""
        self._handle_signals()
        self.kill.look()
        await self._first_table()
        self.workers.start()
        self._forever(self.kill.watch, "kill file")
        self._forever(self.store.run, "last good table")
        if self.follower is not None:
            assert self.acknowledger is not None
            self._forever(self.follower.poll, "table poll")
            self._forever(self.follower.stream, "table stream")
            self._forever(self.acknowledger.run, "acknowledgements")
            self._forever(self._report, "reports")
            self._forever(self._show_decisions, "decisions")
        if self.shadow is not None:
            self._forever(partial(self.shadow.run, self.settings.report_s), "comparisons")
        await self._stop.wait()
        unfinished = await self._drain()
        await self._farewell()
        await self.keeper.close()
        return unfinished

    async def _drain(self) -> int:
        self.stopping = True
        timeout = self.settings.drain_timeout_s
        self.log.info("draining", f"Stopping: requests in flight have {timeout:g} s to finish.")
        if self.acknowledger is not None:
            self.acknowledger.soon()
        for sock in self.parts.listeners:
            sock.close()  # the worker's copy is now the last: closing it closes the port
        drain = self.keeper.spawn(self.workers.drain(timeout), "drain")
        hurry = self.keeper.spawn(self._at_once.wait(), "second signal")
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            self.log.warning("stopped_at_once", "A second signal: stopping at once.")
            await self.workers.stop()
        hurry.cancel()
        await asyncio.wait((drain,))
        if self.shadow is not None:
            await self.shadow.drain(0.1 if self._at_once.is_set() else SHADOW_DRAIN_S)
        unfinished: int = drain.result()
        return unfinished

    async def _farewell(self) -> None:
        """The last report and acknowledgement, within a bound."""
        with contextlib.suppress(ControlError, TimeoutError):
            async with asyncio.timeout(0.1 if self._at_once.is_set() else 2.0):
                if self.reporter is not None:
                    await self.reporter.send()
                if self.acknowledger is not None:
                    await self.acknowledger.send()
                if self.shadow is not None:
                    await self.shadow.send()
        if self.parts.control is not None:
            await self.parts.control.close()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGUSR1, self.kill.pull, "SIGUSR1")
        loop.add_signal_handler(signal.SIGUSR2, self.kill.release)

    def _signalled(self) -> None:
        now = time.monotonic()
        if not self._stop.is_set():
            self._stop.set()
            self._signalled_at = now
        elif now - self._signalled_at >= SECOND_SIGNAL_S:
            self._at_once.set()

    # -- tables --------------------------------------------------------------------------------

    async def _first_table(self) -> None:
        """Where the first table comes from: the control plane, else the disk, else day 0."""
        if self.follower is None:
            try:
                served = self.parts.checker.day_0(self.settings.legacy_url)
            except RefusedTable as refused:
                self.refuse(refused)
                self.log.error("day_0_refused", f"FIGWAY_LEGACY_URL cannot be used: {refused}.")
                return
            await self.publish(served, None, "")
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.start_wait_s):
                await self.follower.pull()
        if self._served is None:
            parts = self.parts
            found = await stored_table(parts.last_good, parts.checker, self.log, self.refuse)
            if found is not None:
                self.follower.begin(found)
                await self.publish(found, None, "")

    async def publish(self, served: Served, changes: Any, base: str) -> None:
        """A table passed every check: send it to the workers, and keep it."""
        self._served = served
        # Otherwise nothing is to be told before a worker says that it serves the table.
        if self.refused is not None or not self.workers.live:
            self.refused = None
            self.changed()
        self._published_at = time.monotonic()
        if changes is not None:
            message = {"t": "changes", "base": base, "changes": changes}
            message = {**message, "revision": served.revision, "etag": served.etag}
            self.workers.send(message)
            if self.shadow is not None:
                self.shadow.changes(message)
        elif any(worker.channel is not None for worker in self.workers.all):
            frame = await self._table_frame(served)
            for worker in self.workers.all:
                worker.send(frame)
            if self.shadow is not None:
                self.shadow.process.send_packed(frame)
        if self.shadow is not None:
            self.shadow.table(served.compiled)
        if served.source is Source.CONTROL_PLANE:
            self.store.keep(served)
        self.log.info(
            "table_published",
            f"Revision {served.revision} goes to the workers.",
            revision=served.revision,
            etag=served.etag,
            source=served.source.value,
        )

    def refuse(self, refused: RefusedTable) -> None:
        """A table was refused: say so."""
        self.refused = refused
        self.changed()

    def watch(self, routes: list[str], ms: int) -> None:
        """Somebody watches the decisions of these routes: let the workers keep some."""
        self.workers.send({"t": "watch", "routes": routes, "ms": ms})

    @property
    def store_error(self) -> str:
        """Why the table cannot be kept on disk; empty if it can."""
        return self.store.error

    @property
    def served(self) -> Served | None:
        """What the workers are told to serve."""
        if self.follower is not None and self.follower.served is not None:
            return self.follower.served
        return self._served

    async def _table_frame(self, served: Served) -> bytes:
        """The message with the whole table; kept, as every worker that starts needs it."""
        key = f"{served.revision}/{served.etag}"
        if self._frame is None or self._frame[0] != key:
            frame = await asyncio.to_thread(_whole_table, served)
            self._frame = (key, frame)
        return self._frame[1]

    # -- workers -------------------------------------------------------------------------------

    def _start_message(self, number: int) -> Message:
        return {
            "t": "start",
            "settings": self.parts.worker_settings.to_data(),
            "worker": number,
            "workers": len(self.workers.all),
            "kill": self.kill.wish,
            "plain": self.log.plain,
            "shadow": "" if self.shadow is None else self.shadow.path,
        }

    async def greet(self, worker: Worker) -> None:
        """A worker has started: tell it what to serve."""
        if self.stopping:
            worker.send(pack({"t": "stop"}))
            return
        while (served := self._served) is not None:
            frame = await self._table_frame(served)
            if served is self._served:  # else another was published meanwhile
                worker.send(frame)
                return

    def worker_died(self, worker: Worker) -> None:
        """A worker is gone: its counters stay, in the totals."""
        for name, value in worker.gauges.items():
            self._lost[name] = self._lost.get(name, 0) + value
        if self.shadow is not None:
            self.shadow.worker_died(worker)
        self.flushes.gone(worker.number)
        self.changed()

    def lost(self, name: str) -> int:
        """A count of losses over all workers, those that are gone included."""
        return self._lost.get(name, 0) + sum(
            worker.gauges.get(name, 0) for worker in self.workers.all if worker.alive
        )

    def from_worker(self, worker: Worker, message: Message) -> None:
        """A worker said something."""
        kind = message["t"]
        if kind == "counters":
            self.totals.merge(message["series"])
            self._heard_of_backends(worker, message["backends"])
            self._decisions.add(worker.number, message["decisions"])
            if self.reporter is not None:
                self.reporter.add(message["series"])
            if self.shadow is not None:
                self.shadow.counted(worker, message["shadow"])
            self.flushes.came(worker.number, message["n"])
        elif kind == "breakers":
            if self.reporter is not None:
                for event in message["events"]:
                    self.reporter.event(event)
            self.changed()
        elif kind == "refused":
            self._worker_refused(worker, message)
        elif kind in ("applied", "ready", "kill"):
            if kind == "applied":
                if self.refused is not None and self.refused.etag == message["etag"]:
                    self.refused = None  # what it waited for has come
                self.applied_ms = int((time.monotonic() - self._published_at) * 1000)
            self.changed()

    def _heard_of_backends(self, worker: Worker, told: dict[str, Any]) -> None:
        self.backends.add(told["counts"])
        if self.reporter is not None:
            for event in told["events"]:
                self.reporter.event({**event, "worker": worker.number})
        if worker.out != told["out"]:
            worker.out = told["out"]
            self.changed()

    def _worker_refused(self, worker: Worker, message: Message) -> None:
        if not message["whole"]:
            self.keeper.spawn(self.greet(worker), "whole table")
            return
        text = f"Worker {worker.number} cannot serve it: {message['message']}"
        finding = {
            "code": "table_worker",
            "severity": "error",
            "path": "$",
            "message": text,
            "resolution": "Check the backends of the table: files and regions that it names.",
        }
        self.log.error("table_refused", f"Revision {message['revision']} is refused. {text}.")
        self.refuse(RefusedTable(message["revision"], message["etag"], [finding]))

    async def flush(self) -> None:
        """Get the workers' latest counters, within a bound."""
        live = self.workers.live
        await self.flushes.run(worker.number for worker in live if worker.channel is not None)

    # -- shadow --------------------------------------------------------------------------------

    def _make_shadow(self, control: ControlPlane) -> ShadowDesk:
        settings = self.settings
        own, given = settings.redact_key, settings.control_key
        return ShadowDesk(
            control,
            ShadowSettings(
                key=redaction_key(own.get_secret_value(), given.get_secret_value()),
                concurrency=settings.shadow_concurrency,
                timeout_ms=int(settings.shadow_timeout_s * 1000),
                legacy_percent=settings.shadow_legacy_percent,
            ),
            settings.instance_name,
            self.parts.boot,
            self.log,
            self.keeper,
            to_workers=self.workers.send,
            table=self._present_table,
        )

    async def _present_table(self) -> bytes | None:
        """The message with the whole table that is served."""
        return None if self._served is None else await self._table_frame(self._served)

    # -- telling -------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something that the fleet should know changed."""
        if self.acknowledger is not None:
            self.acknowledger.soon()

    async def _report(self) -> None:
        assert self.reporter is not None
        failing = False
        while True:
            await asyncio.sleep(self.settings.report_s)
            try:
                await self.reporter.send()
            except ControlError as error:
                if not failing:
                    self.log.warning("report_failed", f"Reports wait: {error}.")
                failing = True
            else:
                failing = False

    async def _show_decisions(self) -> None:
        """Pass on what workers sent for those who watch; what does not arrive is not missed."""
        assert self.parts.control is not None
        while True:
            await asyncio.sleep(DECISIONS_S)
            if found := self._decisions.take():
                with contextlib.suppress(ControlError):
                    name = self.settings.instance_name
                    await self.parts.control.decisions({"instance": name, "decisions": found})

    def _forever(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run work that has no end; a fault in it is reported, and it begins anew."""

        async def run() -> None:
            while True:
                try:
                    await work()
                except Exception as error:
                    self._task_failed(name, error)
                await asyncio.sleep(1.0)

        self.keeper.spawn(run(), name)

    def _task_failed(self, name: str, error: BaseException) -> None:
        self.log.error("task_failed", f"{name} failed: {type(error).__name__}: {error}")


def _whole_table(served: Served) -> bytes:
    return pack(
        {
            "t": "table",
            "revision": served.revision,
            "etag": served.etag,
            "table": to_data(served.table),
        }
    )
