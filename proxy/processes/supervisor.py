"""The supervisor: follows the control plane, keeps the workers alive, speaks for all of them.

It serves no request itself, so its death stops nothing at once: the workers finish what they have.
All outbound calls that are not a user's request are made here, once for all workers. Tables are
the business of `TableFeed`, counters that of `Collector`; here is the life of the proxy, and who
hears what a worker says.
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

from figway.compare.plugin_names import plugin_names
from proxy.control.client import ControlError, ControlPlane
from proxy.kill.file import KillFile
from proxy.kill.switch import KillSwitch
from proxy.kill.watch import ASK_S, KillWatch
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.processes.acknowledge import Acknowledger, acknowledgement
from proxy.processes.collector import Collector
from proxy.processes.hand_over import HandOver, TakeOver
from proxy.processes.legacy_load import LegacyLoad
from proxy.processes.load_memory import LoadMemory, make_memory
from proxy.processes.materials import Materials
from proxy.processes.messages import (
    Applied,
    Breakers,
    Counters,
    KillState,
    Message,
    Quarantined,
    Ready,
    Refused,
    SetKill,
    SetShadow,
    StartWorker,
    Stop,
)
from proxy.processes.shadow.supervisor import ShadowSupervisor
from proxy.processes.state_lock import StateLock, StateLocked
from proxy.processes.table_feed import TableFeed
from proxy.processes.worker_settings import WorkerSettings
from proxy.processes.workers import Worker, Workers
from proxy.settings import Settings
from proxy.shadow.settings import ShadowSettings, redaction_key
from proxy.tables.check import Checker
from proxy.tables.follow import Follower
from proxy.tables.installation import Allegiance
from proxy.tables.last_good import LastGood
from proxy.telemetry.carried import Carried
from proxy.telemetry.report import Reporter

SHADOW_DRAIN_S = 5.0
"""How long what was captured before a stop may take to be compared."""

FAREWELL_S = 2.0
"""How long the last report and acknowledgement may take."""

FOLDER_WAIT_S = 10.0
"""How long a successor waits for the state folder, which the predecessor has let go of."""
_LOOK_S = 0.05

SECOND_SIGNAL_S = 0.5
"""A signal that follows sooner is the same wish: shells and `timeout` signal group and child."""

_REPORTS, _COMPARISONS = "reports.jsonl", "comparisons.jsonl"


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
    kill_watch: KillWatch | None
    lock: StateLock
    private: socket.socket
    take_over: TakeOver | None = None
    terminal: bool = False
    """It runs in a terminal, whose end is its end."""
    on_taken: Callable[[], None] = lambda: None
    """A successor has the private listener: answer there no more."""


class Supervisor:
    """One proxy."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.settings = settings = parts.settings
        self.log = log = parts.log
        self.keeper = TaskKeeper(self._task_failed)
        self.stopping = False
        self.workers = Workers(parts.listeners, self, log, self.keeper, self._start_message)
        self.kill = KillSwitch(
            parts.kill_file, log, lambda on: self.workers.send(SetKill(on)), self.on_change
        )
        self.allegiance = Allegiance(settings.state_dir, settings.installation)
        self.tables = TableFeed(
            *(self.workers, parts.checker, parts.last_good, log, self.keeper),
            on_change=self.on_change,
            allegiance=self.allegiance,
            materials=Materials(settings.secrets_dir, settings.ca_dir),
        )
        self._load_fd = make_memory(len(parts.listeners))
        self.load = self.tables.load = LegacyLoad(
            LoadMemory(self._load_fd, len(parts.listeners)),
            Carried(settings.state_dir),
            self.workers.send,
            log,
        )
        self.shadow: ShadowSupervisor | None = None
        self.acknowledger: Acknowledger | None = None
        reporter = None
        if parts.control is not None:
            control, name = parts.control, settings.instance_name
            store = settings.state_dir / _REPORTS
            reporter = Reporter(control.report, name, parts.boot, store)
            control.on_notice, control.on_left = self.kill.hear, self._left
            control.known = lambda: self.kill.control.known
            follower = self.tables.follower = Follower(
                *(control, parts.checker, self.tables, log, settings.poll_s, self.allegiance),
                on_disk=parts.last_good.path.exists,
            )
            if parts.kill_watch is not None:
                parts.kill_watch.on_notice = self.kill.hear
                parts.kill_watch.known = control.known
                parts.kill_watch.is_needless = partial(follower.stream_heard_within, ASK_S)
            self.acknowledger = Acknowledger(
                control, lambda: acknowledgement(self), settings.heartbeat_s
            )
            if settings.shadow:
                self.shadow = self.tables.shadow = self._make_shadow(control)
        self.collector = Collector(self.workers, reporter, log)
        self.lame = False
        self._handed_over = False
        self._hand_over: HandOver | None = None
        self._stop = asyncio.Event()
        self._signalled_at = 0.0
        self._at_once = asyncio.Event()

    # -- the life of a proxy -------------------------------------------------------------------

    async def run(self) -> int:
        """Serve until told to stop; the number of requests that a drain had to cut off."""
        self._handle_signals()
        self.kill.look()
        await self.tables.first(self.settings)
        self.workers.start(self._load_fd)
        self._begin_work()
        await self._stop.wait()
        await self._lame_duck()
        unfinished = await self._drain()
        await self._farewell()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self.keeper.close()
                if self.parts.kill_watch is not None:
                    await self.parts.kill_watch.close()
        return unfinished

    def _begin_work(self) -> None:
        settings, control = self.settings, self.parts.control
        self._forever(self.kill.watch, "kill file")
        self._forever(self.kill.keep, "kill switch on disk")
        self._forever(self.tables.store.run, "last good table")
        self._forever(self.tables.watch_files, "files of the table")
        self._forever(self.load.run, "load of legacy")
        if control is not None:
            assert self.tables.follower is not None
            assert self.acknowledger is not None
            self._forever(self._serve_hand_overs, "hand-over")
            self._forever(self.tables.follower.poll, "table poll")
            self._forever(self.tables.follower.stream, "table stream")
            if self.parts.kill_watch is not None:
                self._forever(self.parts.kill_watch.run, "kill switch asked for")
            self._forever(self.acknowledger.run, "acknowledgements")
            self._forever(partial(self.collector.report, settings.report_s), "reports")
            show = partial(self.collector.show_decisions, control, settings.instance_name)
            self._forever(show, "decisions")
        if self.shadow is not None:
            self._forever(partial(self.shadow.run, settings.report_s), "comparisons")

    async def _lame_duck(self) -> None:
        """Serve on while `/ready` says 503, until whoever balances has noticed."""
        wait = self.settings.lame_duck_s
        if not wait or self._handed_over or self._at_once.is_set():
            return
        self.lame = True
        self.log.info("lame_duck", f"Stopping in {wait:g} s: /ready says so, requests are served.")
        self.on_change()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._at_once.wait()
        self._at_once.clear()

    async def _serve_hand_overs(self) -> None:
        await self._take_over()
        await self._offer_hand_over()

    # -- from one proxy to the next ------------------------------------------------------------

    async def _offer_hand_over(self) -> None:
        sockets = [*self.parts.listeners, self.parts.private]
        self._hand_over = HandOver(self.settings.state_dir, sockets, self._taken)
        try:
            await self._hand_over.run()
        except OSError as error:
            self.log.warning("no_hand_over", f"No proxy can take over from this one: {error}.")
        await self._stop.wait()

    def _taken(self) -> None:
        """A successor serves: this one has nothing left to say of the instance."""
        self.log.info("handed_over", "Another proxy has taken the port over.")
        self._handed_over = True
        if self.acknowledger is not None:
            self.acknowledger.silent = True
        self.parts.on_taken()
        self._stop.set()

    async def _take_over(self) -> None:
        take_over = self.parts.take_over
        if take_over is None:
            return
        while not self.workers.ready:  # noqa: ASYNC110  many conditions, none with an event
            await asyncio.sleep(_LOOK_S)
        await take_over.ready(self._own_the_folder)
        self.parts.take_over = None

    async def _own_the_folder(self) -> None:
        try:
            await asyncio.to_thread(self.parts.lock.take, FOLDER_WAIT_S)
        except StateLocked as error:
            self.log.error("state_locked", f"{error}")
        else:
            self.log.info("took_over", "This proxy has taken the port over.")

    async def _drain(self) -> int:
        self.stopping = True
        if self._hand_over is not None:
            self.parts.lock.release()
            self._hand_over.released()
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
        """The last report and acknowledgement, within a bound; what is not taken is kept."""
        with contextlib.suppress(ControlError, TimeoutError):
            async with asyncio.timeout(0.1 if self._at_once.is_set() else FAREWELL_S):
                if self.acknowledger is not None:
                    await self.acknowledger.send()
                if self.collector.reporter is not None:
                    await self.collector.reporter.send()
                if self.shadow is not None:
                    await self.shadow.send()
        self._keep_what_waits()
        self.load.save()
        if self.parts.control is not None:
            await self.parts.control.close()

    def _keep_what_waits(self) -> None:
        reporter, shadow = self.collector.reporter, self.shadow
        outboxes = [reporter.outbox] if reporter is not None else []
        try:
            if reporter is not None:
                reporter.seal()
                reporter.outbox.save()
            if shadow is not None:
                shadow.batches.seal()
                shadow.batches.outbox.save()
        except OSError as error:
            lost = sum(map(len, outboxes))
            self.log.error(
                "counts_lost",
                f"{lost} reports and what was compared last are lost: {error.strerror or error}.",
            )

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGQUIT, self._quit)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        loop.add_signal_handler(signal.SIGUSR1, self.kill.pull, "SIGUSR1")
        loop.add_signal_handler(signal.SIGUSR2, self.kill.release)

    def _quit(self) -> None:
        """SIGQUIT: stop at once."""
        self._stop.set()
        self._at_once.set()

    def _hung_up(self) -> None:
        """SIGHUP: the terminal is gone, so drain; without a terminal it asks for a reload."""
        if self.parts.terminal:
            self._signalled()
            return
        self.log.info(
            "hangup",
            "SIGHUP: the table, secrets and certificates are read again; settings need a restart.",
        )
        self.reload()

    def _signalled(self) -> None:
        now = time.monotonic()
        if not self._stop.is_set():
            self._stop.set()
            self._signalled_at = now
        elif now - self._signalled_at >= SECOND_SIGNAL_S:
            self._at_once.set()

    # -- workers (`WorkerOwner`) ---------------------------------------------------------------

    def _start_message(self, number: int) -> Message:
        return StartWorker(
            settings=self.parts.worker_settings.to_data(),
            worker=number,
            workers=len(self.workers.all),
            kill=self.kill.wish,
            plain=self.log.plain,
            shadow="" if self.shadow is None else self.shadow.path,
            load_fd=self._load_fd,
        )

    async def greet(self, worker: Worker) -> None:
        """A worker has started: tell it what to serve."""
        if self.stopping:
            worker.child.send(Stop())
            return
        await self.tables.greet(worker)

    def on_exit(self, worker: Worker) -> None:
        """A worker is gone."""
        self.collector.gone(worker)
        if self.shadow is not None:
            self.shadow.worker_gone(worker.name)
        self.on_change()

    def on_message(self, worker: Worker, message: Message) -> None:
        """A worker said something."""
        match message:
            case Counters():
                if self.shadow is not None:
                    self.shadow.counted(worker.name, message.shadow)
                if self.collector.counted(worker, message):
                    self.on_change()
            case Breakers():
                self.collector.broke(message)
                self.on_change()
            case Quarantined():
                self.collector.quarantined(worker, message)
                self.on_change()
            case Refused(whole=False):
                self.keeper.spawn(self.greet(worker), "whole table")
            case Refused():
                self.tables.on_refused(worker, message)
            case Applied():
                self.tables.on_applied(message)
            case Ready() | KillState():
                self.on_change()
            case _:
                pass

    def on_change(self) -> None:
        """Something that the fleet should know changed."""
        if self.acknowledger is not None:
            self.acknowledger.soon()

    def _left(self, url: str) -> None:
        """The control plane that was called does not do: this one is called now. Said once, where
        none does: each is called in turn then."""
        follower = self.tables.follower
        if follower is not None and follower.reachable and not follower.foreign:
            text = f"The control plane {url} is followed now."
            self.log.warning("control_plane_left", text, url=url)

    def reload(self) -> None:
        """Read again what may have changed outside, now instead of at its next turn."""
        self.keeper.spawn(self.tables.read_files(), "files of the table")
        if self.tables.follower is not None:
            self.keeper.spawn(self.tables.follower.pull(), "table poll")

    # -- shadow --------------------------------------------------------------------------------

    def _make_shadow(self, control: ControlPlane) -> ShadowSupervisor:
        settings = self.settings
        own, given = settings.redact_key, settings.control_key
        return ShadowSupervisor(
            control,
            ShadowSettings(
                key=redaction_key(own.get_secret_value(), given.get_secret_value()),
                concurrency=settings.shadow_concurrency,
                timeout_ms=int(settings.shadow_timeout_s * 1000),
                legacy_percent=settings.shadow_legacy_percent,
                plugins=plugin_names(settings.compare_plugins),
            ),
            settings.instance_name,
            self.parts.boot,
            self.log,
            self.keeper,
            set_path=lambda path: self.workers.send(SetShadow(path)),
            table=self.tables.present,
            store=settings.state_dir / _COMPARISONS,
        )

    # -- tasks ---------------------------------------------------------------------------------

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
