"""OpenTelemetry traces, for those who have a collector: a server span a request, made afterwards.

Optional (`figway[otel]`): imported only where FIGWAY_OTEL_ENDPOINT is set. Spans are made from
finished records on the writer's thread, and leave through the SDK's own bounded queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode

if TYPE_CHECKING:
    from proxy.loop.record import RequestRecord

_QUEUE = 2_048


class _RecordIds(RandomIdGenerator):
    """Gives the span the trace id of the record at hand, so that it joins the client's trace."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id or super().generate_trace_id()


class SpanExport:
    """Turns records into spans. Called from one thread."""

    def __init__(
        self, endpoint: str, instance: str, *, exporter: SpanExporter | None = None
    ) -> None:
        resource = Resource.create({"service.name": "figway", "service.instance.id": instance})
        self._ids = _RecordIds()
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = exporter or OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
        self._tracer = self._provider.get_tracer("figway.proxy")

    def __call__(self, record: RequestRecord) -> None:
        """Export one request."""
        self._ids.trace_id = int(record.trace_id, 16) if record.trace_id else 0
        start = record.started_ms * 1_000_000
        span = self._tracer.start_span(
            f"{record.method} {record.route}",
            kind=SpanKind.SERVER,
            start_time=start,
            attributes={
                "http.request.method": record.method,
                "url.path": record.target.partition(b"?")[0].decode("latin-1"),
                "http.response.status_code": record.status,
                "client.address": record.client,
                "figway.route": record.route,
                "figway.side": record.side,
                "figway.backend": record.backend,
                "figway.why": record.why,
                "figway.revision": record.revision,
                "figway.fallback": record.fallback,
            },
        )
        if record.status >= 500 or record.failure:
            span.set_status(Status(StatusCode.ERROR, record.failure or record.problem or None))
        span.end(end_time=start + record.total_us * 1_000)

    def close(self) -> None:
        """Send what is queued."""
        self._provider.shutdown()
