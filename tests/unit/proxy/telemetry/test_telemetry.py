"""Counting, exposing, reporting and writing, without processes."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from figway.evidence.histogram import bounds
from proxy.control.client import ControlError
from proxy.loop.record import RequestRecord
from proxy.telemetry.log_line import log_line
from proxy.telemetry.prometheus import Exposition, add_requests
from proxy.telemetry.recorder import WorkerRecorder
from proxy.telemetry.report import MAX_BATCHES, MAX_EVENTS, Reporter
from proxy.telemetry.series import SeriesSet
from proxy.telemetry.writer import RecordWriter


def record(**values: Any) -> RequestRecord:
    found = RequestRecord()
    found.method, found.target, found.status = "GET", b"/a?token=secret", 200
    found.route, found.side, found.backend = "r", "new", "b"
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_series_of_two_workers_add_up() -> None:
    totals = SeriesSet()
    for _ in range(2):
        worker = SeriesSet()
        worker.count(record(head_us=1_500, response_bytes=10))
        worker.count(record(status=503, fallback="breaker_open", failure="timeout"))
        totals.merge(worker.take())
        assert len(worker) == 0
    series = totals.found["r", "new", "b"]
    assert (series.requests, series.response_bytes) == (4, 20)
    assert series.statuses == {"2xx": 2, "5xx": 2}
    assert series.fallbacks == {"breaker_open": 2}
    assert sum(series.latency.values()) == 4


def test_ids_of_paths_make_no_series() -> None:
    """Trap 34: as many series as routes, however many paths."""
    series = SeriesSet()
    for number in range(1_000):
        series.count(record(target=b"/users/%d" % number))
    assert len(series) == 1


def test_histogram_buckets_are_exact_at_their_bounds() -> None:
    series = SeriesSet()
    for microseconds in (1_023, 1_024, 1_025, 5_000_000):
        series.count(record(head_us=microseconds))
    out = Exposition()
    add_requests(out, series)
    text = out.text().decode()
    labels = 'route="r",side="new",backend="b"'
    assert f'figway_response_head_seconds_bucket{{{labels},le="0.001024"}} 1\n' in text
    assert f'figway_response_head_seconds_bucket{{{labels},le="0.002048"}} 3\n' in text
    assert f'figway_response_head_seconds_bucket{{{labels},le="+Inf"}} 4\n' in text
    assert bounds(next(iter(series.found["r", "new", "b"].latency)))[1] <= 1_024


def test_label_values_are_escaped() -> None:
    out = Exposition()
    out.family("m", "gauge", "Help.", [((("a", 'x"y\\z\n'),), 1)])
    assert out.text().endswith(b'm{a="x\\"y\\\\z\\n"} 1\n')


def test_a_log_line_leaves_the_query_out() -> None:
    assert b"secret" not in log_line(record())
    assert b"?token=[hidden]" in log_line(record(), query=True)
    assert b"secret" not in log_line(record(), query=True)
    assert len(log_line(record(target=b"/" + b"\xff" * 100_000))) < 4_096


def test_sampling_keeps_what_failed() -> None:
    reader, fd = os.pipe()
    writer = RecordWriter(fd=fd)
    recorder = WorkerRecorder(writer, sample=0.25)
    for _ in range(100):
        recorder.record(record())
    for _ in range(3):
        recorder.record(record(status=502))
    writer.start()
    writer.close()
    os.close(fd)
    with os.fdopen(reader, "rb") as lines:
        statuses = [line.count(b'"status":502') for line in lines]
    assert sum(statuses) == 3
    assert len(statuses) in (28, 29)


def test_a_reader_that_hangs_costs_lines_and_no_request() -> None:
    reader, fd = os.pipe()
    writer = RecordWriter(fd=fd, capacity=100)
    writer.start()
    recorder = WorkerRecorder(writer)
    for _ in range(50_000):
        recorder.record(record())
    assert recorder.log_dropped > 0
    assert recorder.take()[0]["requests"] == 50_000
    writer.close(timeout_s=0.05)
    os.close(reader)  # the writer's thread ends with a broken pipe
    for thread in threading.enumerate():
        if thread.name == "figway-records":
            thread.join(5)
    os.close(fd)


class Control:
    """Takes reports, or fails with a status."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.batches: list[dict[str, Any]] = []

    async def report(self, batch: dict[str, Any]) -> bool:
        if self.status is not None:
            raise ControlError("no", self.status)
        self.batches.append(batch)
        return True


def rows(count: int) -> list[dict[str, Any]]:
    return [{"route": "r", "side": "new", "backend": "b", "requests": count}]


async def test_an_outage_makes_batches_coarser_and_loses_no_count() -> None:
    control = Control()
    reporter = Reporter(control.report, "i", "boot")
    control.status = 0
    for _ in range(MAX_BATCHES + 50):
        reporter.add(rows(1))
        with pytest.raises(ControlError):
            await reporter.send()
    assert len(reporter.outbox) <= MAX_BATCHES
    control.status = None
    await reporter.send()
    total = sum(row["requests"] for batch in control.batches for row in batch["series"])
    assert total == MAX_BATCHES + 50
    sequences = [batch["sequence"] for batch in control.batches]
    assert sequences == list(range(1, len(sequences) + 1))
    ends = [batch["to_ms"] for batch in control.batches]
    assert ends == sorted(ends)


async def test_a_rejected_batch_is_dropped_and_counted() -> None:
    control = Control()
    reporter = Reporter(control.report, "i", "boot")
    reporter.add(rows(1))
    control.status = 422
    with pytest.raises(ControlError):
        await reporter.send()
    assert (reporter.outbox.dropped, len(reporter.outbox)) == (1, 0)


def test_events_are_bounded_and_their_loss_counted() -> None:
    reporter = Reporter(Control().report, "i", "boot")
    for _ in range(MAX_EVENTS + 5):
        reporter.event({"kind": "breaker"})
    assert reporter.dropped_events == 5
