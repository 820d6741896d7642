"""The optional export of spans."""

from __future__ import annotations

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from proxy.loop.record import RequestRecord
from proxy.telemetry.otel import SpanExport


def test_a_record_becomes_a_span_of_its_trace() -> None:
    memory = InMemorySpanExporter()
    export = SpanExport("http://127.0.0.1:9", "here", exporter=memory)
    record = RequestRecord()
    record.trace_id = "0af7651916cd43dd8448eb211c80319c"
    record.method, record.target, record.status = "GET", b"/a?secret=1", 502
    record.started_ms, record.total_us = 1_700_000_000_000, 2_500
    record.failure = "reset"
    export(record)
    export.close()
    (span,) = memory.get_finished_spans()
    assert span.context is not None
    assert format(span.context.trace_id, "032x") == record.trace_id
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 2_500_000
    assert not span.status.is_ok
    assert "secret" not in str(span.attributes)
