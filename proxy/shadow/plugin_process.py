"""The process in which one comparison plugin runs: `python -P -m proxy.shadow.plugin_process NAME`.

Nobody else imports a plugin. What it does to this process (exits, hangs, prints, fills the memory)
ends with this process, which ends itself when a call takes too long. Standard input is a socket on
which the shadow worker asks; a message is four bytes of length, big-endian, and JSON.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 2.0
"""For one call."""
START_S = 10.0
"""For an interpreter to start, and to load the plugin."""
MEMORY = 1 << 30
"""Bytes of address space."""
LONGEST = 16 * 1024 * 1024
"""Bytes of one message."""


@dataclass(frozen=True, slots=True)
class PluginAnswer:
    """An answer as a plugin gets it."""

    headers: dict[str, list[str]]
    """Values by lower-case name, in their order."""
    body: bytes
    """With its content coding undone."""


def main(name: str) -> None:
    """Answer questions until the worker is gone."""
    connection = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # what a plugin prints may hold what users sent
        os.dup2(null, standard)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _end_after(START_S)
    try:
        plugin = _load(name)
    except Exception as error:
        send(connection, {"error": _told(error)})
        return
    send(connection, {"ready": True})
    _end_after(0)
    while (question := receive(connection)) is not None:
        _end_after(SECONDS + 1)
        send(connection, _answer(plugin, question))
        _end_after(0)


def _end_after(seconds: float) -> None:
    """Nobody handles the signal: it ends the process, also where no Python runs any more."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(plugin: Callable[..., Any], question: dict[str, Any]) -> dict[str, Any]:
    try:
        values = _asked(plugin, question)
        return {"values": [json.dumps(value, allow_nan=False) for value in values]}
    except Exception as error:
        return {"error": _told(error)}


def _load(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _asked(plugin: Callable[..., Any], question: dict[str, Any]) -> tuple[Any, Any]:
    sides = [
        PluginAnswer(side["headers"], base64.b64decode(side["body"])) for side in question["sides"]
    ]
    legacy, new = plugin(*sides)
    return legacy, new


def _told(error: Exception) -> str:
    """What went wrong and where; no message, as that may hold what users sent."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}"


# -- messages ----------------------------------------------------------------------------------


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message, within the socket's timeout."""
    data = json.dumps(message).encode()
    connection.sendall(len(data).to_bytes(4, "big") + data)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Take one message; None when the other end is gone. Raises ValueError for one too long."""
    head = _exactly(connection, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    if size > LONGEST:
        raise ValueError("a message is too long")
    data = _exactly(connection, size)
    if data is None:
        return None
    found: dict[str, Any] = json.loads(data)
    return found


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts, left = [], size
    while left:
        part = connection.recv(min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main(sys.argv[1])
