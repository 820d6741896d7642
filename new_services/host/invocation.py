"""What goes into one invocation and what comes out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

RESPONSE_LIMIT = 6_291_556
"""Bytes that a function may answer with (AWS: 6 MB and a little for the envelope)."""


@dataclass(frozen=True)
class Invocation:
    """One event for a function."""

    request_id: str
    arn: str
    payload: bytes
    trace_id: str
    client_context: str = ""
    """JSON, decoded from X-Amz-Client-Context."""


@dataclass(frozen=True)
class Outcome:
    """What an execution environment made of an invocation."""

    payload: bytes
    failed: bool = False
    log: bytes = b""
    kind: str = "ok"
    """For the statistics: ok, error, timeout, exit, init, oversize."""


def failure(kind: str, type: str, message: str, log: bytes = b"") -> Outcome:
    body = json.dumps({"errorType": type, "errorMessage": message}).encode()
    return Outcome(body, failed=True, log=log, kind=kind)


def timed_out(request_id: str, seconds: float, log: bytes) -> Outcome:
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return failure("timeout", "Sandbox.Timedout", message, log)


def exited(request_id: str, returncode: int | None, log: bytes) -> Outcome:
    """The process ended while it had the invocation, by itself or by the memory limit."""
    how = "signal: killed" if returncode == -9 else f"exit status {returncode}"
    message = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
    return failure("exit", "Runtime.ExitError", message, log)


def oversized() -> Outcome:
    return failure(
        "oversize",
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes).",
    )
