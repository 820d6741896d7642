"""The one record that a request leaves behind: source of metrics, log line, trace and report."""

from __future__ import annotations

from typing import Protocol


class RequestRecord:
    """What happened to one request. Read-only.

    `route` is the route's id or `-`; `side` and `backend` say who served (the facade's own
    answers have the side that was asked last and a `problem` code). Times are microseconds since
    the request head was complete: `head_us` to the response head, `total_us` to the end;
    `started_ms` is the wall clock in milliseconds since the epoch. `operation` is what was read of
    a body that decides, `unread` why it decided nothing; `detail` says of `failure` what end users
    are not told.
    """

    __slots__ = (
        "attempts",
        "backend",
        "bucket",
        "client",
        "client_gone",
        "detail",
        "failure",
        "fallback",
        "head_us",
        "host",
        "key_source",
        "method",
        "no_fallback",
        "operation",
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
        "unread",
        "upgrade",
        "why",
    )

    def __init__(
        self,
        started_ms: int = 0,
        method: str = "",
        target: bytes = b"",
        host: bytes = b"",
        client: str = "",
        trace_id: str = "",
        revision: int = 0,
        route: str = "-",
        why: str = "",
        bucket: int = -1,
        key_source: str = "",
        side: str = "legacy",
        backend: str = "",
        status: int = 0,
        attempts: int = 0,
        fallback: str = "",
        no_fallback: str = "",
        failure: str = "",
        problem: str = "",
        request_bytes: int = 0,
        response_bytes: int = 0,
        head_us: int = 0,
        total_us: int = 0,
        client_gone: bool = False,
        upgrade: bool = False,
    ) -> None:
        self.started_ms = started_ms
        self.method = method
        self.target = target
        self.host = host
        self.client = client
        self.trace_id = trace_id
        self.revision = revision
        self.route = route
        self.why = why
        self.bucket = bucket
        self.key_source = key_source
        self.side = side
        self.backend = backend
        self.status = status
        self.attempts = attempts
        self.fallback = fallback
        self.no_fallback = no_fallback
        self.failure = failure
        self.problem = problem
        self.request_bytes = request_bytes
        self.response_bytes = response_bytes
        self.head_us = head_us
        self.total_us = total_us
        self.client_gone = client_gone
        self.upgrade = upgrade
        self.operation = ""
        self.unread = ""
        self.detail = ""


class Recorder(Protocol):
    """Takes records; must return at once and never raise."""

    def record(self, record: RequestRecord) -> None:
        """Take one finished request."""
