"""What the workers count, added up: for metrics, for reports, for those who watch decisions."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

from proxy.control.client import ControlError, ControlPlane
from proxy.loop.events import EventLog
from proxy.processes.messages import Breakers, Counters, Flush, Quarantined, Row
from proxy.processes.quarantine import events
from proxy.processes.workers import Worker, Workers
from proxy.telemetry.backends import BackendTotals
from proxy.telemetry.decisions import DecisionOutbox
from proxy.telemetry.flush import Flushes
from proxy.telemetry.report import Reporter
from proxy.telemetry.series import SeriesSet

DECISIONS_S = 0.5
"""How often a sample of decisions goes to those who watch, while somebody does."""


class Collector:
    """Counts outlive the workers that counted."""

    def __init__(self, workers: Workers, reporter: Reporter | None, log: EventLog) -> None:
        self.totals = SeriesSet()
        self.backends = BackendTotals()
        self.reporter = reporter
        self.flushes = Flushes(lambda number: workers.send(Flush(number)))
        self._workers = workers
        self._log = log
        self._decisions = DecisionOutbox()
        self._left_out: dict[int, list[Row]] = {}  # by worker
        self._lost: Counter[str] = Counter()  # by gauge: what workers that are gone had lost

    def counted(self, worker: Worker, message: Counters) -> bool:
        """A worker sent its counters; whether something changed that the fleet should know."""
        self.totals.merge(message.series)
        self._decisions.add(worker.number, message.decisions)
        if self.reporter is not None:
            self.reporter.add(message.series, message.operations)
        self.flushes.came(worker.number, message.number)
        return self._of_backends(worker, message.backends)

    def _of_backends(self, worker: Worker, counted: Row) -> bool:
        self.backends.add(counted["counts"])
        for event in counted["events"]:
            self.event({**event, "worker": worker.number})
        before, worker.out = worker.out, counted["out"]
        return before != worker.out

    def broke(self, message: Breakers) -> None:
        """Breakers of a worker changed."""
        for event in message.events:
            self.event(event)

    def quarantined(self, worker: Worker, message: Quarantined) -> None:
        """What a worker cannot open of the table changed."""
        for row in events(self._left_out.get(worker.number, []), message.rows, worker.number):
            self.event(row)
            self._log.warning(
                "quarantine" if row["to"] == "quarantine" else "quarantine_over",
                f"Worker {worker.number}: {row.get('backend') or row.get('route')} is "
                + ("left out: " + _why(message, row) if row["to"] == "quarantine" else "back."),
                code=row["code"],
            )
        self._left_out[worker.number] = message.rows

    def event(self, event: Row) -> None:
        """Something happened that the control plane should be told."""
        if self.reporter is not None:
            self.reporter.event(event)

    def gone(self, worker: Worker) -> None:
        """A worker is gone: its counters stay, in the totals."""
        self._lost.update(worker.gauges)
        self.flushes.gone(worker.number)

    def lost(self, name: str) -> int:
        """A count of losses over all workers, those that are gone included."""
        return self._lost[name] + sum(item.gauges.get(name, 0) for item in self._workers.live)

    async def flush(self) -> None:
        """Get the workers' latest counters, within a bound."""
        live = [worker for worker in self._workers.live if not worker.child.hung]
        await self.flushes.run(item.number for item in live if item.child.channel is not None)

    async def report(self, interval_s: float) -> None:
        """Send reports for ever."""
        assert self.reporter is not None
        failing = False
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.reporter.send()
            except ControlError as error:
                if not failing:
                    self._log.warning("report_failed", f"Reports wait: {error}.")
                failing = True
            else:
                failing = False

    async def show_decisions(self, control: ControlPlane, instance: str) -> None:
        """Pass on what workers sent for those who watch; what does not arrive is not missed."""
        while True:
            await asyncio.sleep(DECISIONS_S)
            if decisions := self._decisions.take():
                sample: dict[str, Any] = {"instance": instance, "decisions": decisions}
                with contextlib.suppress(ControlError):
                    await control.decisions(sample)


def _why(message: Quarantined, row: Row) -> str:
    name = row.get("backend") or row.get("route")
    return next((str(item["text"]) for item in message.rows if item["id"] == name), "")
