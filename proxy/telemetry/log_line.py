"""The log line of a request: one JSON object, without secrets.

Headers and bodies are never in it. The query is left out unless a setting asks for it, as tokens
travel there. The target is cut, so that a line stays below the size that a pipe takes whole
(PIPE_BUF): lines of several workers do not run into each other.
"""

from __future__ import annotations

from typing import Any

import orjson

from proxy.loop.record import RequestRecord

MAX_TARGET = 1_024
"""Bytes of the target that are logged."""

_OPTIONAL = ("fallback", "no_fallback", "failure", "problem", "key_source")


def log_line(record: RequestRecord, *, query: bool = False) -> bytes:
    """The line, newline included."""
    target = record.target if query else record.target.partition(b"?")[0]
    data: dict[str, Any] = {
        "at": record.started_ms,
        "method": record.method,
        "target": target[:MAX_TARGET].decode("latin-1"),
        "host": record.host[:256].decode("latin-1"),
        "client": record.client,
        "status": record.status,
        "route": record.route,
        "side": record.side,
        "backend": record.backend,
        "why": record.why,
        "revision": record.revision,
        "attempts": record.attempts,
        "head_us": record.head_us,
        "total_us": record.total_us,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "trace": record.trace_id,
    }
    for name in _OPTIONAL:
        if value := getattr(record, name):
            data[name] = value
    if record.bucket >= 0:
        data["bucket"] = record.bucket
    if record.client_gone:
        data["client_gone"] = True
    if record.upgrade:
        data["upgrade"] = True
    return orjson.dumps(data, option=orjson.OPT_APPEND_NEWLINE)


def always_logged(record: RequestRecord) -> bool:
    """Does this request escape sampling? Those are the ones somebody will ask about."""
    return bool(
        record.status >= 500
        or record.problem
        or record.fallback
        or record.failure
        or record.client_gone
    )
