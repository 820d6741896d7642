"""The log line of a request: one JSON object, without secrets.

Headers and bodies are never in it. The query is left out unless a setting asks for it, as tokens
travel there. The target is cut, so that a line stays below the size that a pipe takes whole
(PIPE_BUF): lines of several workers do not run into each other.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import orjson

from figway.redact.looks_random import looks_random
from figway.redact.names import is_secret_parameter
from figway.redact.paths import hide_in_path, suspect
from proxy.loop.record import RequestRecord

MAX_TARGET = 1_024
"""Bytes of the target that are logged."""

_OPTIONAL = (
    "fallback", "no_fallback", "failure", "detail", "problem", "key_source", "operation", "unread",
)  # fmt: skip


def log_line(record: RequestRecord, *, query: bool = False) -> bytes:
    """The line, newline included."""
    data: dict[str, Any] = {
        "at": record.started_ms,
        "method": record.method,
        "target": target_for_logs(record.target, query=query),
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


def target_for_logs(target: bytes, *, query: bool) -> str:
    """The target, cut, without the secrets of one-time links; with `query` also its query, less
    the values of secret parameters."""
    path, mark, parameters = target[:MAX_TARGET].partition(b"?")
    text = path.decode("latin-1")
    if suspect(path):
        text = hide_in_path(text, _hidden)
    if not query or not mark:
        return text
    return f"{text}?{'&'.join(map(_parameter, parameters.decode('latin-1').split('&')))}"


def _parameter(pair: str) -> str:
    name, equals, value = pair.partition("=")
    plain = unquote_plus(value)
    if plain and (is_secret_parameter(unquote_plus(name), plain) or looks_random(plain)):
        return f"{name}{equals}[hidden]"
    return pair


def _hidden(kind: str, _: str) -> str:
    return "[hidden]"


def always_logged(record: RequestRecord) -> bool:
    """Does this request escape sampling? Those are the ones somebody will ask about."""
    return bool(
        record.status >= 500
        or record.problem
        or record.fallback
        or record.failure
        or record.client_gone
    )


class LogSample:
    """Which requests are logged: exactly the share that was asked for, evenly and without chance
    (error diffusion), and those that somebody will ask about."""

    __slots__ = ("_credit", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._credit = 0.0

    def takes(self, record: RequestRecord) -> bool:
        """Is this request logged?"""
        self._credit += self._share
        if self._credit >= 1.0:
            self._credit -= 1.0
            return True
        return always_logged(record)
