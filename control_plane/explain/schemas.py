"""A request to be explained, and the explanation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described
from control_plane.http.limits import Loose
from figway.explain.request import Explanation
from figway.model.words import Side

Name = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[str, Field(max_length=16_384)]
Header = tuple[Name, Value]


class ExplainIn(Described, BaseModel, extra="forbid"):
    """A request, and the table to hold it against."""

    method: Annotated[str, Field(max_length=40, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$")] = (
        "GET"
    )
    url: Annotated[str, Field(min_length=1, max_length=16_384)]
    """`https://shop.example/orders/7?x=1`, or only the path; taken as written, never normalised."""
    headers: (
        Annotated[list[Header], Field(max_length=200)]
        | Annotated[dict[Name, Value], Field(max_length=200)]
    ) = []
    """Pairs, or an object."""
    body: Annotated[str, Field(max_length=131_072)] | None = None
    """The body, where the operation in it decides the route; as text."""
    client: Annotated[str, Field(max_length=64)] = "192.0.2.1"
    """Address of the client."""
    at: Literal["live"] | Annotated[int, Field(ge=0, lt=2**63, strict=True)] = "live"
    """`live`, or the number of an old revision."""
    changes: Annotated[list[Loose], Field(max_length=1_000)] = []
    """A draft on top: `{kind, id, value}`, as revisions list them."""
    kill: StrictBool | None = None
    """As if the kill switch stood like this."""
    forced: Side | None = None
    """As if a tester forced this side."""


class ExplainOut(BaseModel):
    """The way of one request through one table."""

    draft: bool
    explanation: Explanation
