"""Counted operations and faults reach the control plane from workers and from Lambda."""

from __future__ import annotations

from typing import Any

from figway.model.operations import OperationKind
from figway.operation.operation import Operation
from proxy.loop.operation_counts import OperationCounts
from proxy.loop.record import RequestRecord
from proxy.serverless.telemetry import LambdaRecorder, Reports
from proxy.telemetry.report import Reporter
from proxy.telemetry.series import SeriesSet

GET = Operation(OperationKind.SOAP, "{urn:shop}Get")


def counted(times: int = 1) -> OperationCounts:
    counts = OperationCounts()
    for _ in range(times):
        counts.count(record(), "/ws", (GET,), "soap Server", blamed=True)
    return counts


def record() -> RequestRecord:
    return RequestRecord(route="soap", side="new", backend="fn", status=200)


def test_a_function_reports_them_with_its_series() -> None:
    recorder = LambdaRecorder(log=False, sample=1.0, query=False, namespace="")
    recorder.operations.merge(counted(2).take())
    recorder.operations.count(record(), "/ws", (GET,), "soap Server", blamed=True)
    recorder.record(record())
    reports = Reports(recorder, "i", "b", 0.0)
    batch = reports.due(1.0, list)
    assert batch is not None
    [row] = batch["operations"]
    assert (row["name"], row["requests"], row["faults"]) == ("{urn:shop}Get", 3, 3)
    [series] = batch["series"]
    assert (series["requests"], series["faulted"]) == (1, {"failed": 1})


def test_a_proxy_reports_them_and_neighbours_are_merged() -> None:
    async def post(row: dict[str, Any]) -> bool:
        return True

    reporter = Reporter(post, "i", "b")
    series = {"route": "soap", "side": "new", "backend": "fn", "requests": 1}
    for _ in range(2):
        reporter.add([series], counted().take())
    reporter.seal()
    [waiting] = reporter.outbox.batches
    [row] = waiting.to_data()["operations"]
    assert row["requests"] == 2


def test_codes_that_backends_invent_are_bounded_over_all_workers() -> None:
    """A report with more codes than the control plane takes would be refused for ever."""
    series = SeriesSet()
    for number in range(300):
        faults = {f"graphql E{number}": 1}
        series.merge([{"route": "r", "side": "new", "backend": "b", "faults": faults}])
    [row] = series.take()
    assert len(row["faults"]) == 51
    assert sum(row["faults"].values()) == 300
