"""When a child counts as hung, told in ticks and without processes."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from proxy.loop.events import EventLog
from proxy.processes.child import Child, ChildSpec
from proxy.processes.messages import Ready, UnknownMessage, pack, unpack


class _Running:
    """A process that runs, and keeps what it was sent."""

    returncode = None

    def __init__(self) -> None:
        self.signals: list[Any] = []

    def send_signal(self, number: Any) -> None:
        self.signals.append(number)


class _Owner:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.changes = 0

    def on_change(self) -> None:
        self.changes += 1


def child() -> tuple[Child, _Running, _Owner]:
    owner, process = _Owner(), _Running()
    found = Child(
        ChildSpec("m", "worker", "Worker 0", 3, 10), cast(Any, owner), EventLog(), cast(Any, None)
    )
    found._process = cast(Any, process)
    return found, process, owner


def test_a_clock_that_jumps_makes_nobody_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """L2: silence is counted in ticks of the supervisor's own loop."""
    found, process, owner = child()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3_600)
    found.tick()
    assert (found.hung, process.signals, owner.changes) == (False, [], 0)


def test_hung_after_three_and_killed_after_ten() -> None:
    """L5: unready first, replaced soon after; who speaks again is fine again."""
    found, process, owner = child()
    for _ in range(3):
        found.tick()
    assert (found.hung, process.signals, owner.changes) == (True, [], 1)
    found._heard()
    assert (found.hung, owner.changes) == (False, 2)
    for _ in range(10):
        found.tick()
    assert len(process.signals) == 1


def test_messages_of_another_release() -> None:
    """What is not known is left out; what is missing takes its default, or is said to be."""
    assert pack(Ready()).endswith(b'{"t":"Ready"}')
    assert unpack({"t": "Ready", "later": 1}) == Ready()
    for data in ({"t": "Later"}, {}, {"t": "Applied"}):
        with pytest.raises(UnknownMessage):
            unpack(data)
