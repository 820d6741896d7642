"""How an attempt fails, and what a client is told of it."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from figway.message.problem import Problem


class Sent(IntEnum):
    """What had been written to the backend when an attempt failed."""

    NOTHING = 0
    SOME = 1


class FailureKind(StrEnum):
    """How an attempt failed."""

    CONNECT = "connect"
    """No connection: refused, unreachable, the name does not resolve, timed out."""
    TLS = "tls"
    """The TLS handshake or the verification of the certificate failed."""
    SATURATED = "saturated"
    """No connection became free in time, or too many requests wait."""
    STALE = "stale"
    """A reused connection was closed before any byte of the answer."""
    TIMEOUT = "timeout"
    """No response head in time."""
    RESET = "reset"
    """The connection ended before the response head."""
    PROTOCOL = "protocol"
    """The answer is not well-formed HTTP, or frames itself ambiguously."""
    TOO_LARGE = "too_large"
    """The request or answer is over a limit of the backend's platform."""
    FUNCTION_ERROR = "function_error"
    """The function raised, timed out or was killed."""
    THROTTLED = "throttled"
    """The platform refused the invocation: concurrency or rate."""
    MESSAGE_TOO_LARGE = "message_too_large"
    """The request is over what a queue, bus, topic or workflow takes; nothing was sent."""
    SERVICE_THROTTLED = "service_throttled"
    """The queue, bus, topic or workflow takes no more now; it took nothing."""
    SERVICE_REFUSED = "service_refused"
    """The queue, bus, topic or workflow refused the call: permissions, a name; it took nothing."""
    SERVICE_ERROR = "service_error"
    """The service behind a queue, bus, topic or workflow failed; whether it took the request is not
    known."""
    WORKFLOW_FAILED = "workflow_failed"
    """The execution failed or was aborted."""
    WORKFLOW_TIMED_OUT = "workflow_timed_out"
    """The execution ended by its own time-out."""
    DEADLINE = "deadline"
    """The deadline over all attempts passed."""


_PROBLEMS: Final = {
    FailureKind.CONNECT: (502, "backend_unreachable", "The backend cannot be reached"),
    FailureKind.TLS: (502, "backend_tls", "The backend's TLS certificate or handshake failed"),
    FailureKind.SATURATED: (503, "backend_saturated", "The backend is busy"),
    FailureKind.STALE: (502, "backend_reset", "The backend closed the connection"),
    FailureKind.TIMEOUT: (504, "backend_timeout", "The backend did not answer in time"),
    FailureKind.RESET: (502, "backend_reset", "The backend closed the connection"),
    FailureKind.PROTOCOL: (502, "backend_protocol", "The backend's answer is not valid HTTP"),
    FailureKind.TOO_LARGE: (502, "backend_too_large", "Over a size limit of the backend"),
    FailureKind.FUNCTION_ERROR: (502, "function_error", "The function failed"),
    FailureKind.THROTTLED: (503, "function_throttled", "The function is busy"),
    FailureKind.MESSAGE_TOO_LARGE: (413, "message_too_large", "The request is too large"),
    FailureKind.SERVICE_THROTTLED: (503, "service_throttled", "The service behind it is busy"),
    FailureKind.SERVICE_REFUSED: (502, "service_refused", "The service behind it refused"),
    FailureKind.SERVICE_ERROR: (502, "service_error", "The service behind it failed"),
    FailureKind.WORKFLOW_FAILED: (502, "workflow_failed", "The workflow failed"),
    FailureKind.WORKFLOW_TIMED_OUT: (504, "workflow_timed_out", "The workflow took too long"),
    FailureKind.DEADLINE: (504, "deadline", "No answer before the deadline"),
}
ELSEWHERE: Final = frozenset(
    {FailureKind.CONNECT, FailureKind.TLS, FailureKind.RESET, FailureKind.STALE}
)
"""Failures after which another URL of the backend may do better."""
_OVERLOAD: Final = frozenset(
    {FailureKind.SATURATED, FailureKind.THROTTLED, FailureKind.SERVICE_THROTTLED}
)
OVERSIZE: Final = frozenset({FailureKind.TOO_LARGE, FailureKind.MESSAGE_TOO_LARGE})
"""The size of a message says nothing about the backend's health."""


def problem_of(kind: FailureKind, detail: str) -> Problem:
    """What the client is told where a failure is the answer: the kind. Names of functions,
    addresses, classes and settings are for the log; a workflow's error is named for callers."""
    status, code, title = _PROBLEMS[kind]
    told = detail if kind is FailureKind.WORKFLOW_FAILED else ""
    return Problem(status, code, title, told, 1 if kind in _OVERLOAD else None)
