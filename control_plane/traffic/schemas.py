"""Reports as proxies send them, and traffic as it is shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from control_plane.http.described import Described
from control_plane.http.paging import Page

Short = Annotated[str, Field(max_length=200)]
Code = Annotated[str, Field(max_length=40)]
Count = Annotated[int, Field(ge=0, lt=2**53, strict=True)]
Counters = Annotated[dict[Code, Count], Field(max_length=100)]


class SeriesIn(Described, BaseModel):
    """What one side of one route did since the last report."""

    route: Short
    """`-` for requests that no route matched."""
    side: Literal["legacy", "new"]
    backend: Short
    requests: Count = 0
    statuses: Counters = {}
    """By class: `2xx`."""
    fallbacks: Counters = {}
    """Requests that legacy served because new could not, by reason."""
    no_fallbacks: Counters = {}
    """Failures of new without a fallback, by the reason why not."""
    failures: Counters = {}
    """Attempts that failed, by kind."""
    problems: Counters = {}
    """The facade's own answers, by code."""
    unread: Counters = {}
    """Requests whose operation could not be read, by reason."""
    faults: Counters = {}
    """Answers that are faults of SOAP, GraphQL or JSON-RPC, by protocol and code; counted where
    operations are read."""
    faulted: Counters = {}
    """Of these, `failed`: the server blames itself, and the status is below 500; `answered`: the
    request is blamed, and the status is 5xx. Beside them `unread`: answers that were not read for
    faults, as they are over 64 KiB, or packed by a coding that the proxy cannot undo."""
    client_gone: Count = 0
    latency: Annotated[
        dict[Annotated[int, Field(ge=0, lt=1_000)], Count], Field(max_length=500)
    ] = {}
    """Time to the response head: counts by bucket of `figway.evidence.histogram`."""
    request_bytes: Count = 0
    response_bytes: Count = 0


class OperationIn(Described, BaseModel):
    """How often an operation was asked for below one path template, and who served it."""

    place: Annotated[str, Field(max_length=2_000)]
    """The path template of the routes that have operations read."""
    kind: Code
    """graphql, soap, jsonrpc, form; `unread` for requests whose operation could not be read."""
    field: Short = ""
    """The form field that names it."""
    type: Code = ""
    """GraphQL: query, mutation or subscription."""
    name: Short
    route: Short
    """`-` where no route took it."""
    side: Literal["legacy", "new"]
    requests: Count
    errors: Count = 0
    """Requests that failed."""
    faults: Count = 0
    """Answers that are faults, whoever is blamed."""
    head_us: Count = 0
    """Microseconds to the response head, all requests together."""


class EventIn(Described, BaseModel):
    """A breaker that changed its state, or a URL of a backend that was ejected or came back."""

    at_ms: Count
    kind: Code = "breaker"
    """`breaker` or `member`."""
    route: Short = ""
    backend: Short = ""
    member: Annotated[str, Field(max_length=2_000)] = ""
    """The URL of the backend, where it has several."""
    worker: Annotated[int, Field(ge=-1, lt=2**31, strict=True)] = 0
    was: Annotated[Code, Field(alias="from")] = ""
    becomes: Annotated[Code, Field(alias="to")] = ""


class ReportIn(Described, BaseModel):
    """What a proxy counted between two moments. Sent again, it counts once."""

    instance: Annotated[str, Field(min_length=1, max_length=200)]
    boot: Annotated[str, Field(min_length=1, max_length=64)]
    sequence: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    """Numbers the reports of one boot."""
    serves: Annotated[str, Field(max_length=64)] = ""
    """ETag of the table that a function's sandbox serves, as sandboxes send no acknowledgements;
    empty for proxies that do."""
    from_ms: Count
    to_ms: Count
    series: Annotated[list[SeriesIn], Field(max_length=50_000)] = []
    operations: Annotated[list[OperationIn], Field(max_length=10_000)] = []
    events: Annotated[list[EventIn], Field(max_length=10_000)] = []


class ReportOut(Described, BaseModel):
    """What became of a report."""

    accepted: bool
    """False: it was counted before."""


class SideOut(Described, BaseModel):
    """One side in one stretch of time. Latencies are to the response head, in milliseconds."""

    requests: int = 0
    rps: float = 0.0
    errors: int = 0
    """Answers of class 5xx."""
    error_rate: float = 0.0
    """0 to 1."""
    statuses: dict[str, int] = {}
    fallbacks: dict[str, int] = {}
    no_fallbacks: dict[str, int] = {}
    failures: dict[str, int] = {}
    problems: dict[str, int] = {}
    unread: dict[str, int] = {}
    """Requests whose operation could not be read, by reason."""
    faults: dict[str, int] = {}
    """Answers that are faults of SOAP, GraphQL or JSON-RPC, by protocol and code; counted where
    operations are read."""
    faulted: dict[str, int] = {}
    """Of these, `failed`: the server blames itself, and the status is below 500; `answered`: the
    request is blamed, and the status is 5xx. Beside them `unread`: answers that were not read for
    faults, as they are over 64 KiB, or packed by a coding that the proxy cannot undo."""
    client_gone: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class PointOut(Described, BaseModel):
    """Both sides in one step of time; a side without a request is absent."""

    at_ms: int
    """Start of the step."""
    legacy: SideOut | None = None
    new: SideOut | None = None


class TrafficOut(Described, BaseModel):
    """A route, or all of them together, over time. Steps without a request are absent."""

    route: str
    """`*`: all of them."""
    from_ms: int
    to_ms: int
    step_s: int
    total: PointOut
    """The whole time as one step."""
    points: list[PointOut]


class RouteTraffic(Described, BaseModel):
    """Both sides of a route over the last minutes."""

    route: str
    legacy: SideOut | None = None
    new: SideOut | None = None


class SummaryOut(Page[RouteTraffic]):
    """The routes that had traffic, by id; `-` is what no route matched, `*` everything together."""

    from_ms: int
    to_ms: int


class EventOut(Described, BaseModel):
    """Something that happened at a proxy."""

    id: int
    at_ms: int
    kind: str
    instance: str
    worker: int
    route: str
    backend: str
    member: str
    was: str
    becomes: str
