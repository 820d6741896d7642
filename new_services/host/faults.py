"""Faults that tests and the demo set on functions, as `POST /host/faults` names them."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("throttle", "service", "reset", "delay", "hang", "lost", "crash")


@dataclass
class Fault:
    """One fault: `times` invocations of `function` ("*": any) meet it; -1 means all."""

    function: str
    kind: str
    value: float = 0.0
    """Milliseconds, for `delay`."""
    times: int = -1


class Faults:
    """The faults that are set; the first that fits an invocation is used up by it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, function: str) -> Fault | None:
        """The fault for one invocation of a function, counted down."""
        for fault in self._faults:
            if fault.function in ("*", function):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None
