"""Comparison plugins: own code that reads two bodies for the comparer, in a process of its own.

A route names one (`comparison.compare: module:function`); it runs only where the shadow worker was
started with that name in `FIGWAY_COMPARE_PLUGINS`. What goes wrong ends the pair as
`compare_error`, with a reason, and nothing else:

    plugin_off       the worker was not started with this name
    plugin_failed    it cannot be loaded, it raised, it returned no two JSON values, or its process
                     ended
    plugin_slow      it took longer than `SECONDS`
    plugin_resting   it was slow, could not be loaded or its process ended `MOST_IN_A_ROW` times in
                     a row; it is left alone for `REST_S`
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from figway.compare.answer import OwnReader, PlainBody
from figway.compare.canonical.json import NotThisFormat, Value, parse_json
from figway.compare.limits import CompareError
from proxy.shadow.plugin_process import SECONDS, START_S, receive, send

MOST_IN_A_ROW = 3
REST_S = 60.0


class ComparePlugins:
    """The plugins of one worker, by name. All calls come from its comparing thread."""

    def __init__(self, names: Iterable[str], seconds: float = SECONDS) -> None:
        self._plugins = {name: ComparePlugin(name, seconds) for name in names}

    def reader(self, name: str) -> OwnReader | None:
        """What reads for a route; None where the route names no plugin."""
        return (self._plugins.get(name) or _off) if name else None

    def close(self) -> None:
        """End their processes."""
        for plugin in self._plugins.values():
            plugin.close()


def _off(legacy: PlainBody, new: PlainBody) -> tuple[Value, Value]:
    raise CompareError("plugin_off", "FIGWAY_COMPARE_PLUGINS of the worker does not name it")


class ComparePlugin:
    """One plugin, and its process while there is one."""

    def __init__(
        self, name: str, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._in_a_row = 0
        self._rest_until = 0.0

    def __call__(self, legacy: PlainBody, new: PlainBody) -> tuple[Value, Value]:
        """The values that stand for two bodies. Raises `CompareError`."""
        if self._clock() < self._rest_until:
            raise CompareError("plugin_resting", self._name)
        answer = self._ask({"sides": [_shown(legacy), _shown(new)]})
        self._in_a_row = 0
        if "error" in answer:
            raise CompareError("plugin_failed", f"{self._name}: {answer['error']}")
        try:
            left, right = map(parse_json, answer["values"])
        except NotThisFormat:
            raise CompareError("plugin_failed", f"{self._name}: no JSON values") from None
        return left, right

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        reason, detail = "plugin_failed", "its process ended"
        try:
            connection = self._connection or self._started()
            connection.settimeout(self._seconds)
            send(connection, question)
            if (answer := receive(connection)) is not None:
                return answer
        except TimeoutError:
            reason, detail = "plugin_slow", f"no answer in {self._seconds:g} s"
        except _NotLoaded as error:
            detail = f"cannot be loaded: {error}"
        except (OSError, ValueError) as error:
            detail = type(error).__name__
        self._went_wrong()
        raise CompareError(reason, f"{self._name}: {detail}")

    def _started(self) -> socket.socket:
        """A process that has loaded the plugin. Raises OSError, TimeoutError, `_NotLoaded`."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603  a name that the operator gave
                    [sys.executable, "-P", "-m", "proxy.shadow.plugin_process", self._name],
                    stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env=_environment(os.environ),
                )  # fmt: skip
            except OSError:
                ours.close()
                raise
        self._connection = ours
        ours.settimeout(START_S)
        said = receive(ours)
        if said is None or "error" in said:
            raise _NotLoaded("its process ended" if said is None else said["error"])
        return ours

    def _went_wrong(self) -> None:
        self.close()
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            self._in_a_row = 0
            self._rest_until = self._clock() + REST_S

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class _NotLoaded(Exception):
    """A process did not come to the point where it can be asked; says why."""


def _shown(side: PlainBody) -> dict[str, Any]:
    return {"headers": dict(side.headers), "body": base64.b64encode(side.body).decode("ascii")}


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Without what is Figway's or AWS's: keys and passwords are no business of a plugin."""
    return {
        name: value for name, value in given.items() if not name.startswith(("FIGWAY_", "AWS_"))
    }
