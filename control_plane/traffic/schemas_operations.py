"""The inventory of operations as it is shown."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from control_plane.http.described import Described
from control_plane.http.paging import Page


class OperationTaker(Described, BaseModel):
    """A route that took an operation, and the side that served it."""

    route: str
    """`-`: no route took it."""
    side: str
    requests: int
    last_ms: int


class OperationOut(Described, BaseModel):
    """An operation that was asked for below one path."""

    place: str
    """The path template."""
    kind: str
    field: str
    type: str
    """GraphQL: query, mutation or subscription."""
    name: str
    """`{ cart user }` are the root fields of a GraphQL operation without a name, `sha256:…` is a
    persisted query; `(other)` stands for those asked for least, `(hidden)` for words that look like
    a secret."""
    requests: int
    share: float
    """Of the requests of this path whose operation was read, 0 to 1."""
    errors: int
    """Requests that failed, by status or by a fault for which the server blames itself."""
    faults: int
    mean_ms: float
    """To the response head."""
    first_ms: int
    last_ms: int
    takers: list[OperationTaker]
    """Who took it, the most recent first."""
    named_by: str = ""
    """The route of the table that names it; empty where none does."""
    match: dict[str, Any] | None = None
    """What a route that takes just this has as its `match`; null where there can be none."""
    suggested_id: str = ""
    """A free id for such a route."""


class OperationPlace(Described, BaseModel):
    """A path below which operations are read."""

    place: str
    kinds: list[str]
    """What the routes of the table read there now; empty where none does any more."""
    requests: int
    """Requests whose operation was read."""
    unread: dict[str, int]
    """Requests whose operation could not be read, by reason."""


class OperationsOut(Page[OperationOut]):
    """Operations, the most frequent first."""

    from_ms: int
    places: list[OperationPlace]
