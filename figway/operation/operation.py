"""An operation, and why one could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from figway.model.operations import OperationKind

MOST_OPERATIONS = 100
"""Operations of one batch; more are unread."""


class UnreadReason(StrEnum):
    """Why a request's operation is unread. The words are those of metrics and records."""

    TOO_LONG = "too_long"
    """What names it does not stand within the bytes that are kept."""
    COMPRESSED = "compressed"
    """The body has a content coding."""
    MEDIA_TYPE = "media_type"
    """Another media type or charset than the protocol's."""
    MALFORMED = "malformed"
    """Not a well-formed message of the protocol."""
    AMBIGUOUS = "ambiguous"
    """Two readers of these bytes could read different operations."""
    ABSENT = "absent"
    """A well-formed message that names no operation."""
    UNKNOWN_HASH = "unknown_hash"
    """A persisted query of which only the hash was sent, and that no full request has told of."""
    MIXED = "mixed"
    """A batch whose operations belong to different routes."""


class Unread(ValueError):
    """The operation cannot be told for certain."""

    def __init__(self, reason: UnreadReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


Ask = tuple[OperationKind, str]
"""What is to be read: a kind, and for a form its field."""


class BodyNeeded(Exception):
    """The route depends on operations that the head does not tell. `place` is the path template
    whose routes ask."""

    def __init__(self, asks: tuple[Ask, ...], place: str = "") -> None:
        super().__init__(asks)
        self.asks = asks
        self.place = place


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `type`, `fields` and `hash` are GraphQL's, `field` is a form's."""

    kind: OperationKind
    name: str = ""
    """Empty for an anonymous GraphQL operation."""
    type: str = ""
    """Empty where only a hash is known."""
    fields: tuple[str, ...] = ()
    """Root fields, in their order, without aliases, fragments resolved."""
    hash: str = ""
    """SHA-256 of the document in hexadecimal digits, where the request names it."""
    field: str = ""
    """The form field that was read."""

    def __str__(self) -> str:
        if self.kind is not OperationKind.GRAPHQL:
            return f"{self.kind.value} {self.name}"
        said = self.type or f"persisted query {self.hash[:12]}"
        return f"graphql {said} {self.name or '{ ' + ' '.join(self.fields[:4]) + ' }'}"


@dataclass(frozen=True, slots=True)
class OperationReading:
    """What was read of one request: by what was asked for, operations or why they are unread."""

    found: Mapping[Ask, tuple[Operation, ...] | UnreadReason] = field(default_factory=dict)

    def operations(self, ask: Ask) -> tuple[Operation, ...]:
        """The operations of one kind; none where they are unread."""
        found = self.found.get(ask, ())
        return () if isinstance(found, UnreadReason) else found

    @property
    def reason(self) -> str:
        """Why nothing at all could be read; empty where something was."""
        reasons = [one.value for one in self.found.values() if isinstance(one, UnreadReason)]
        return reasons[0] if reasons and len(reasons) == len(self.found) else ""

    @property
    def text(self) -> str:
        """The operations in words, for records and people; empty where none was read."""
        return ", ".join(map(str, self.all))[:200]

    @property
    def all(self) -> tuple[Operation, ...]:
        """The operations of every kind that could be read."""
        return tuple(one for ask in self.found for one in self.operations(ask))
