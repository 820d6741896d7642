"""Handlers for the tests of the function host."""

from __future__ import annotations

import os
import sys
import time
from typing import Any


def echo(event: Any, context: Any) -> dict[str, Any]:
    return {
        "event": event,
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "client": context.client_context.custom if context.client_context else None,
        "environment": dict(os.environ),
    }


def speak(event: dict[str, Any], context: Any) -> str:
    print(f"heard {event['word']}")
    return "done"


def fail(event: Any, context: Any) -> None:
    raise KeyError("missing thing")


def leave(event: Any, context: Any) -> None:
    sys.exit(3)


def sleep(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if path := event.get("mark"):
        with open(path, "a", encoding="utf-8") as file:
            file.write("ran\n")
    time.sleep(event["seconds"])
    return {"pid": os.getpid()}


def big(event: dict[str, Any], context: Any) -> str:
    return "x" * event["size"]


def hog(event: Any, context: Any) -> int:
    held = bytearray(400 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(5)
    return len(held)
