"""What the tables of comparisons hold, as typed rows. Documents stay text until they are needed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Record:
    """A row of named columns."""

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of the database that has these columns."""
        return cls(*(getattr(row, field.name) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class WindowRecord(Record):
    """What was compared of a route while nothing changed that comparisons depend on."""

    route: str
    window: str
    revision: int
    first_ms: int
    last_ms: int
    captured: int
    noise_pairs: int
    counts: str
    latency: str
    """Empty where it was not read."""


@dataclass(frozen=True, slots=True)
class FieldRecord(Record):
    """A field that differed within a window."""

    field: str
    path: str
    kind: str
    detector: str
    differing: int
    ignored: int
    self_differing: int
    rule: str
    proposed: str
    first_ms: int
    last_ms: int

    @property
    def proposal(self) -> dict[str, Any] | None:
        """The rule that would cover it."""
        found: dict[str, Any] | None = orjson.loads(self.proposed) if self.proposed else None
        return found


@dataclass(frozen=True, slots=True)
class MinuteRecord(Record):
    """Pairs of one verdict in one step of time."""

    at_ms: int
    window: str
    verdict: str
    pairs: int


@dataclass(frozen=True, slots=True)
class WorkerRecord(Record):
    """A shadow worker as it last described itself."""

    instance: str
    boot: str
    seen_ms: int
    document: str


@dataclass(frozen=True, slots=True)
class PairHead(Record):
    """A stored pair without its document."""

    number: int
    id: str
    at_ms: int
    received_ms: int
    route: str
    window: str
    revision: int
    instance: str
    verdict: str
    """As it was told when the pair ended."""
    signature: str
    served: str
    size: int
    summary: str

    @property
    def told(self) -> dict[str, Any]:
        """What lists show of it."""
        found: dict[str, Any] = orjson.loads(self.summary)
        return found

    @property
    def method(self) -> str:
        """The request's method."""
        return str(self.told["method"]).upper()


@dataclass(frozen=True, slots=True)
class StoredPair(PairHead):
    """A stored pair, whole."""

    document: str

    @property
    def pair(self) -> dict[str, Any]:
        """The pair, as `batches.ExampleIn`."""
        found: dict[str, Any] = orjson.loads(self.document)
        return found
