"""The messages between the supervisor and its processes, over a `Channel`: one class a message.

`pack` writes a message as one JSON object whose key `t` names its class; `unpack` reads it back.
Supervisor and process are of one release but for the minutes of an upgrade in place, so fields
that are not known are left out and fields that are missing take their defaults.
"""

from __future__ import annotations

import dataclasses
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any, get_args

from proxy.loop.channel import frame

Row = dict[str, Any]
"""A JSON object whose form is told where it is made."""


# -- from the supervisor to each process -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WholeTable:
    """A whole table, in the form of `figway.model.codec`."""

    revision: int
    etag: str
    table: Row


@dataclass(frozen=True, slots=True)
class TableChanges:
    """The changes that lead from the table `base` (its hash) to the table `etag`."""

    revision: int
    etag: str
    base: str
    changes: list[Row]


@dataclass(frozen=True, slots=True)
class Files:
    """The files that the table names: content in base64, or why there is none, by path."""

    contents: dict[str, str]
    missing: dict[str, str]

    def decoded(self) -> dict[str, bytes | str]:
        """Bytes where there are any, else why not."""
        return {path: b64decode(data) for path, data in self.contents.items()} | self.missing


@dataclass(frozen=True, slots=True)
class Drain:
    """Accept no more, finish what is in flight, end within `timeout_ms`."""

    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End at once."""


# -- from the supervisor to a serving worker -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartWorker:
    """The first message to a worker. `kill` is the switch, `shadow` where captures go, `load_fd`
    the memory that it shares with the others."""

    settings: Row
    worker: int
    workers: int
    kill: bool = False
    plain: bool = False
    shadow: str = ""
    load_fd: int = -1


@dataclass(frozen=True, slots=True)
class SetKill:
    """Whether the supervisor wants everything sent to legacy; the kill file counts besides."""

    on: bool


@dataclass(frozen=True, slots=True)
class LegacyLoads:
    """Where each legacy backend's load is counted in the shared memory, and the most that it is
    known to have carried in a second."""

    places: dict[str, int]
    peaks: dict[str, float]


@dataclass(frozen=True, slots=True)
class Flush:
    """Send the counters now, with this number."""

    number: int


@dataclass(frozen=True, slots=True)
class WatchDecisions:
    """Keep some decisions of these routes for so long."""

    routes: list[str]
    ms: int


@dataclass(frozen=True, slots=True)
class SetShadow:
    """Where captures go; nowhere when the path is empty."""

    path: str


@dataclass(frozen=True, slots=True)
class NoTable:
    """There is no table to serve, and none is on its way: answer so. `detail` says why."""

    detail: str


# -- from a serving worker -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """It accepts connections and serves a table."""


@dataclass(frozen=True, slots=True)
class Applied:
    """It serves this table; compiling and swapping took `ms`."""

    revision: int
    etag: str
    ms: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """It keeps the table before. `whole` says that the refused one was sent whole."""

    revision: int
    etag: str
    whole: bool
    message: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What was counted since the last: see `series`, `backends`, `decisions`, `counts`,
    `operation_counts`."""

    number: int
    series: list[Row]
    gauges: dict[str, int]
    backends: Row
    decisions: list[Row]
    shadow: list[Row]
    operations: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Breakers:
    """Every breaker that is not closed, and what changed just now."""

    breakers: list[Row]
    events: list[Row]


@dataclass(frozen=True, slots=True)
class KillState:
    """Whether it sends everything to legacy, because of this host or of the control plane."""

    on: bool


@dataclass(frozen=True, slots=True)
class Quarantined:
    """All that it cannot open of the table, as acknowledgements tell of it."""

    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Drained:
    """Its drain is over; how many requests it had to cut off."""

    unfinished: int


# -- the shadow worker -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartShadow:
    """The first message to a shadow worker. `generation` numbers its processes."""

    settings: Row
    generation: int
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Replay:
    """Replay jobs to work off."""

    jobs: list[Row]


@dataclass(frozen=True, slots=True)
class Learned:
    """What the control plane knows of the present windows: see `figway.evidence.noise.decide`."""

    windows: list[Row]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What came to an end since the message before: rows, and who had sent what was received."""

    generation: int
    rows: list[Row]
    received: list[list[Any]]
    worker: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replayed:
    """Results of a replay job."""

    id: str
    results: list[Row]


Message = (
    WholeTable
    | TableChanges
    | Files
    | Drain
    | Stop
    | StartWorker
    | SetKill
    | LegacyLoads
    | Flush
    | WatchDecisions
    | SetShadow
    | NoTable
    | Ready
    | Applied
    | Refused
    | Counters
    | Breakers
    | KillState
    | Quarantined
    | Drained
    | StartShadow
    | Replay
    | Learned
    | Pairs
    | Replayed
)
TableMessage = WholeTable | TableChanges

_CLASSES: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}
_FIELDS = {
    name: tuple(item.name for item in dataclasses.fields(kind)) for name, kind in _CLASSES.items()
}


class UnknownMessage(ValueError):
    """A message that this release does not know, or that lacks what it needs."""


def pack(message: Message) -> bytes:
    """The frame of a message, as `Channel.send` takes it."""
    name = type(message).__name__
    return frame({"t": name, **{key: getattr(message, key) for key in _FIELDS[name]}})


def unpack(data: Row) -> Message:
    """The message in a frame's object. Raises `UnknownMessage`."""
    name = data.get("t", "")
    kind = _CLASSES.get(name)
    if kind is None:
        raise UnknownMessage(f"no message is called {name!r}")
    try:
        return kind(**{key: data[key] for key in _FIELDS[name] if key in data})
    except TypeError as error:
        raise UnknownMessage(f"{name}: {error}") from None
