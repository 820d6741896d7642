"""What an answer of AWS's API that is no success says: refused, throttled, too large, or unknown.

An error of the client's kind (4xx) says that the service took nothing, and so does a redirect that
asks for the same call elsewhere. A failure of the service (5xx) leaves that open, as does a status
that AWS's API does not have: whoever answers 202 or 303 may well have taken the call. Details name
the error alone: messages may hold names of accounts and resources, which no client should read.
"""

from __future__ import annotations

import re

import orjson

from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.port import Failure

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "ExecutionLimitExceeded",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_ELSEWHERE = frozenset({301, 307, 308})
_LARGE = frozenset({"MessageTooLong", "RequestEntityTooLargeException", "RequestTooLarge"})
_LARGE_TEXT = re.compile(
    rb"must be shorter than|too long|length less than or equal to|exceeds? .*size"
)
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")


def error_name(fields: dict[bytes, bytes], payload: bytes) -> str:
    """The name of the error in an answer, without namespace; empty if it has none."""
    name = fields.get(b"x-amzn-errortype", b"").decode("latin-1").partition(":")[0]
    if not name:
        name = _named_in(payload)
    return "".join(c for c in name.rpartition("#")[2][:100] if c.isprintable())


def failure_of(status: int, fields: dict[bytes, bytes], payload: bytes) -> Failure:
    """The failure that an answer other than 200 stands for."""
    if status < 400 and status not in _ELSEWHERE:
        return Failure(FailureKind.PROTOCOL, Sent.SOME, f"It answered with status {status}.")
    name = error_name(fields, payload)
    return failure_named(name or f"status {status}", status, payload)


def failure_named(name: str, status: int, payload: bytes = b"") -> Failure:
    """The failure that an error's name, or else the status that it came with, stands for."""
    refused = f"It refused: {name}."
    if name in _THROTTLED or status == 429:
        return Failure(FailureKind.SERVICE_THROTTLED, Sent.NOTHING, refused)
    if status >= 500:
        return Failure(FailureKind.SERVICE_ERROR, Sent.SOME, f"It failed: {name}.")
    if name in _LARGE or status == 413 or _LARGE_TEXT.search(payload) is not None:
        return Failure(FailureKind.MESSAGE_TOO_LARGE, Sent.NOTHING, refused)
    return Failure(FailureKind.SERVICE_REFUSED, Sent.NOTHING, refused)


def _named_in(payload: bytes) -> str:
    if (found := _CODE.search(payload)) is not None:
        return found[1].decode("utf-8", "replace")
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    named = value.get("__type") or value.get("code") or "" if isinstance(value, dict) else ""
    return str(named)
