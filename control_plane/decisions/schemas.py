"""Decisions as proxies send them, and as they are shown. Unknown fields are let pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described

Short = Annotated[str, Field(max_length=200)]
Code = Annotated[str, Field(max_length=60)]
Count = Annotated[int, Field(ge=0, lt=2**53, strict=True)]


class DecisionIn(Described, BaseModel):
    """One request at the facade, and who served it. Never a query, header, cookie or key."""

    at_ms: Count
    """When the request came, since the epoch."""
    route: Short
    """`-` for what no route matched."""
    method: Annotated[str, Field(max_length=40)]
    path: Annotated[str, Field(max_length=600)]
    """Without the query; what looks like a secret is hidden by the proxy."""
    revision: Count = 0
    side: Literal["legacy", "new"]
    """Who served it."""
    backend: Short = ""
    why: Code = ""
    """Why that side was chosen."""
    bucket: Annotated[int, Field(ge=-1, le=10_000, strict=True)] = -1
    """Bucket of the sticky key; -1 where no split took place."""
    key_source: Code = ""
    """Where the key came from; never the key."""
    status: Annotated[int, Field(ge=0, le=999, strict=True)] = 0
    attempts: Annotated[int, Field(ge=0, le=1_000, strict=True)] = 0
    fallback: Code = ""
    """Why legacy served in the place of new."""
    no_fallback: Code = ""
    """Why it did not, though new failed."""
    failure: Code = ""
    problem: Code = ""
    """Code of the facade's own answer."""
    client_gone: StrictBool = False
    head_us: Count = 0
    """Microseconds to the response head."""
    total_us: Count = 0
    """Microseconds to the end."""
    trace: Annotated[str, Field(max_length=64)] = ""
    worker: Annotated[int, Field(ge=0, lt=2**31, strict=True)] = 0


class DecisionsIn(Described, BaseModel):
    """What a proxy kept for those who watch."""

    instance: Annotated[str, Field(min_length=1, max_length=200)]
    decisions: Annotated[list[DecisionIn], Field(max_length=1_000)]


class DecisionOut(DecisionIn):
    """A decision that was seen."""

    number: Count
    """Counts what this control plane has received; for `after`."""
    instance: str
    """The proxy."""


class DecisionsOut(Described, BaseModel):
    """Decisions of one route, newest first."""

    route: str
    items: list[DecisionOut]
    last: Count
    """Give it as `after` to get what follows."""
