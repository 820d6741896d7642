"""What the endpoints of replays take and give, to people and to the worker that replays."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.comparisons.batches import AnswerIn, DifferenceIn
from control_plane.http.described import Described


class ReplayIn(Described, BaseModel, extra="forbid"):
    """Which stored requests are to be sent to both sides once more."""

    route: Annotated[str, Field(min_length=1, max_length=200)]
    examples: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=200)] = []
    """These; or, when empty, the newest that the following filters let pass."""
    verdict: Annotated[str, Field(max_length=20)] = "mismatch"
    field: Annotated[str, Field(max_length=2_200)] = ""
    signature: Annotated[str, Field(max_length=64)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    reason: Annotated[str, Field(max_length=500)] = ""
    headers: Annotated[
        list[
            tuple[
                Annotated[str, Field(min_length=1, max_length=200)],
                Annotated[str, Field(max_length=8_192)],
            ]
        ],
        Field(max_length=50),
    ] = []
    """Sent with every request, such as a cookie: credentials are not stored with pairs. Held in
    memory until the job is done, never written down."""
    preview: StrictBool = False
    """Only say how many requests it would send."""


class ReplayOut(Described, BaseModel):
    """A replay and how far it is."""

    id: str
    route: str
    status: Literal["waiting", "running", "done", "expired"]
    """`waiting` for a proxy to take it."""
    actor: str
    created_ms: int
    finished_ms: int | None
    instance: str
    """The proxy that works on it."""
    total: int
    legacy_requests: int
    """Requests that it sends to legacy at most, one for a pair and one more where it differs; as
    many go to new."""
    done: int
    gone: int
    """They differed, and now match."""
    still: int
    """They still do not match."""
    not_replayable: int


class ReplayItemOut(Described, BaseModel):
    """One example of a replay."""

    example: str
    was: str
    verdict: str | None
    """Null until it was replayed."""
    at_ms: int
    reason: str
    differences: list[DifferenceIn]


class JobExample(BaseModel):
    """A stored request to send."""

    id: str
    request: dict[str, Any]
    legacy: dict[str, Any]


class JobOut(Described, BaseModel):
    """Work for a shadow worker."""

    id: str
    route: str
    examples: list[JobExample]
    headers: list[tuple[str, str]] = []
    """Given by a person: sent with every request."""


class JobsOut(BaseModel):
    """Work for a shadow worker; often none."""

    jobs: list[JobOut]


class ResultIn(Described, BaseModel):
    """What came of one replayed example."""

    example: Annotated[str, Field(min_length=1, max_length=64)]
    verdict: Literal[
        "match",
        "mismatch",
        "stale",
        "unconfirmed",
        "not_comparable",
        "legacy_failed",
        "new_failed",
        "both_failed",
        "skipped",
        "compare_error",
        "not_replayable",
    ]
    reason: Annotated[str, Field(max_length=500)] = ""
    differences: Annotated[list[DifferenceIn], Field(max_length=1_000)] = []
    new: AnswerIn | None = None


class ResultsIn(BaseModel):
    """Results of a replay, as far as they are there."""

    instance: Annotated[str, Field(max_length=200)] = ""
    results: Annotated[list[ResultIn], Field(max_length=500)]


class ResultsOut(Described, BaseModel):
    """How many results were new."""

    accepted: int
