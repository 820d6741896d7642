"""Reading a header section of the common form, and knowing again what the last one held.

On a kept connection most lines of a head are those of the head before it, in the same order. The
lines that are worth keeping (`proxy.wire.lines.KNOWN`) and follow each other are a run: octets that
are compared as a whole, and whose meaning is known. What stands between the runs is read line by
line. A run is compared octet for octet, so that a head means the same with and without a memory.
"""

from __future__ import annotations

from typing import Final

from proxy.wire.lines import KNOWN, Line, read

LEARNINGS: Final = 4
"""How often a connection's memory is made anew; a client whose heads differ each time has none."""
MAX_OCTETS: Final = 2_048
"""Octets of the runs of one connection."""
MAX_RUNS: Final = 512
"""Runs that connections share."""


class Run:
    """Lines that follow each other, each with its CRLF: `fields` are those that the facade acts on,
    `carried` those that a backend is sent, without the last CRLF; `count` is how many there are."""

    __slots__ = ("carried", "count", "fields", "octets")

    def __init__(self, lines: list[bytes], known: list[Line]) -> None:
        self.octets = b"\r\n".join([*lines, b""])
        self.count = len(lines)
        self.fields = [(line.name, line.value) for line in known if line.acted_on]
        carried = [lines[index] for index, line in enumerate(known) if line.carried]
        self.carried = b"\r\n".join(carried)


class Memory:
    """The runs of the last head of one connection."""

    __slots__ = ("left", "runs")

    def __init__(self, left: int = LEARNINGS) -> None:
        self.left = left
        self.runs: list[Run] = []

    def learn(self, section: bytes) -> None:
        """Keep the runs of `section`, lines with a CRLF between them."""
        self.left -= 1
        self.runs = []
        room = MAX_OCTETS
        lines: list[bytes] = []
        known: list[Line] = []
        for field in [*section.split(b"\r\n"), b""]:
            line = KNOWN.get(field)
            room -= len(field)
            if line is not None and room > 0:
                lines.append(field)
                known.append(line)
            elif lines:
                self.runs.append(_shared(lines, known))
                lines, known = [], []


NO_MEMORY: Final = Memory(0)
"""Of who has read one head only."""

_RUNS: Final[dict[bytes, Run]] = {}


def _shared(lines: list[bytes], known: list[Line]) -> Run:
    """The run of these lines: one for all connections whose heads hold it."""
    made = Run(lines, known)
    run = _RUNS.get(made.octets)
    if run is None:
        if len(_RUNS) >= MAX_RUNS:
            _RUNS.clear()
        run = _RUNS[made.octets] = made
    return run


def read_section(
    data: bytes,
    start: int,
    acted_on: dict[bytes, bytes],
    carried: list[bytes],
    memory: Memory,
) -> int:
    """Read the lines of `data` from `start` on, up to the empty line at its end.

    Fills `acted_on` with the fields that the facade acts on, `carried` with the lines that a
    backend is sent, without their last CRLF. How many lines there are; -1 where one of them is not
    of the common form, or a field that is acted on is there twice.
    """
    at, stop = start, len(data) - 2
    count = again = 0
    runs, position = memory.runs, 0
    while at < stop:
        if position < len(runs):
            run = runs[position]
            if data.startswith(run.octets, at):
                position += 1
                at += len(run.octets)
                count += run.count
                for name, value in run.fields:
                    if name in acted_on:
                        return -1
                    acted_on[name] = value
                if run.carried:
                    carried.append(run.carried)
                continue
        end = data.find(b"\r\n", at)
        if end < 0:
            return -1
        field = data[at:end]
        at = end + 2
        count += 1
        known: Line | None = KNOWN.get(field)
        if known is None:
            known = read(field)
            if known is None:
                return -1
        else:
            again += 1
        if known.acted_on:
            if known.name in acted_on:
                return -1
            acted_on[known.name] = known.value
        if known.carried:
            carried.append(field)
    if again and memory.left:
        memory.learn(data[start:-4])
    return count
