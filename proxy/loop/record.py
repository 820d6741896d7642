"""The one record that a request leaves behind: source of metrics, log line, trace and report."""

from __future__ import annotations

from typing import Protocol


class RequestRecord:
    """What happened to one request. Filled in by the pipeline, read-only afterwards.

    `route` is the route's id or `-`; `side` and `backend` say who served (the facade's own
    answers have the side that was asked last and a `problem` code). Times are microseconds since
    the request head was complete: `head_us` to the response head, `total_us` to the end;
    `started_ms` is the wall clock in milliseconds since the epoch.
    """

    __slots__ = (
        "attempts",
        "backend",
        "bucket",
        "client",
        "client_gone",
        "failure",
        "fallback",
        "head_us",
        "host",
        "key_source",
        "method",
        "no_fallback",
        "problem",
        "request_bytes",
        "response_bytes",
        "revision",
        "route",
        "side",
        "started_ms",
        "status",
        "target",
        "total_us",
        "trace_id",
        "upgrade",
        "why",
    )

    def __init__(self) -> None:
        self.started_ms = 0
        self.method = ""
        self.target = b""
        self.host = b""
        self.client = ""
        self.trace_id = ""
        self.revision = 0
        self.route = "-"
        self.why = ""
        self.bucket = -1
        self.key_source = ""
        self.side = "legacy"
        self.backend = ""
        self.status = 0
        self.attempts = 0
        self.fallback = ""
        self.no_fallback = ""
        self.failure = ""
        self.problem = ""
        self.request_bytes = 0
        self.response_bytes = 0
        self.head_us = 0
        self.total_us = 0
        self.client_gone = False
        self.upgrade = False


class Recorder(Protocol):
    """Takes records; must return at once and never raise."""

    def record(self, record: RequestRecord) -> None:
        """Take one finished request."""
