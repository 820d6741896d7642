"""Comparison plugins: one that works, and those that do what none should."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any, Protocol


class PluginAnswer(Protocol):
    """What a plugin gets."""

    headers: dict[str, list[str]]
    body: bytes


def pairs(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Bodies such as `total=7|name=a`, in any order."""
    left, right = (
        dict(part.split("=", 1) for part in side.body.decode().split("|")) for side in (legacy, new)
    )
    return left, right


def whole(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Everything that a plugin is told."""
    left, right = ([side.headers, side.body.decode()] for side in (legacy, new))
    return left, right


def surroundings(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Names of variables that hold secrets elsewhere, and what is loaded."""
    names = sorted(name for name in os.environ if name.startswith(("FIGWAY_", "AWS_")))
    return names, [name for name in sys.modules if name.startswith("control_plane")]


def raises(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Names what a user sent in its error."""
    raise KeyError(legacy.body.decode())


def hangs(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Never ends."""
    while True:
        time.sleep(1)


def exits(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Ends its process."""
    os._exit(3)


def crashes(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Reads where nothing is."""
    ctypes.string_at(0)
    return None, None


def fills(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Asks for more memory than there is."""
    return len(bytearray(1 << 40)), None


def prints(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """Writes to both of its outputs, and reads its input."""
    sys.stdout.write("printed" * 100_000)
    sys.stdout.flush()
    sys.stderr.write("printed" * 100_000)
    return len(sys.stdin.read()), 0


def one(legacy: PluginAnswer, new: PluginAnswer) -> Any:
    """One value where two are wanted."""
    return [1]


def no_json(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """A value that JSON does not have."""
    return object(), float("nan")


def deep(legacy: PluginAnswer, new: PluginAnswer) -> tuple[Any, Any]:
    """A value within a value, and so on."""
    return eval("[" * 90 + "1" + "]" * 90), eval("[" * 90 + "2" + "]" * 90)
