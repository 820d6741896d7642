"""Batches of comparisons as proxies send them. Everything in them is redacted already.

Unknown members are let pass: a newer proxy may say more.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described
from control_plane.http.limits import Loose
from figway.compare.detect import HARD_SHAPES

Verdict = Literal[
    "match",
    "mismatch",
    "stale",
    "legacy_failed",
    "new_failed",
    "both_failed",
    "not_comparable",
    "unconfirmed",
    "skipped",
    "compare_error",
]
VERDICTS: tuple[str, ...] = get_args(Verdict)
Name = Annotated[str, Field(max_length=200)]
Instance = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(max_length=80)]
Path = Annotated[str, Field(max_length=2_000)]
Id = Annotated[str, Field(min_length=1, max_length=64)]
Count = Annotated[int, Field(ge=0, lt=2**53, strict=True)]
Counters = Annotated[dict[Code, Count], Field(max_length=200)]
Buckets = Annotated[
    dict[Annotated[int, Field(ge=0, lt=1_000)], Count],
    Field(
        max_length=500, description="Counts by bucket of `figway.evidence.histogram`, microseconds."
    ),
]
Body = Annotated[str, Field(max_length=4 * 1024 * 1024)]
Header = tuple[Annotated[str, Field(max_length=1_000)], Annotated[str, Field(max_length=65_536)]]


class _FieldIn(Described, BaseModel):
    path: Path
    kind: Code
    detector: Code = ""
    field: Annotated[str, Field(max_length=2_200)] = ""
    """Key of the field; made of path, kind and detector when empty."""

    @property
    def key(self) -> str:
        """What counters and learned noise know the field by, as `Difference.field`."""
        shape = f"~{self.detector}" if self.detector in HARD_SHAPES else ""
        return self.field or f"{self.path}|{self.kind}{shape}"


class FieldIn(_FieldIn):
    """A field that differed between the sides."""

    count: Count
    """Pairs that differ there."""
    ignored: Count = 0
    """Of these, pairs where a rule covers it."""
    rule: Annotated[str, Field(max_length=600)] = ""
    """The rule that covers it."""
    proposed: Loose | None = None
    """The rule that would cover it."""
    first_ms: Count = 0
    last_ms: Count = 0


class NoiseFieldIn(_FieldIn):
    """A field that legacy disagreed with itself about."""

    count: Count
    """Pairs of legacy with itself that differ there."""


class NoiseIn(Described, BaseModel):
    """Legacy compared with itself."""

    pairs: Count = 0
    fields: Annotated[list[NoiseFieldIn], Field(max_length=1_000)] = []


class SidesIn(BaseModel):
    """Latency of both sides."""

    legacy: Buckets = {}
    new: Buckets = {}


class ErrorsIn(BaseModel):
    """Errors of both sides, by status class or kind of failure."""

    legacy: Counters = {}
    new: Counters = {}


class RequestIn(Described, BaseModel):
    """A captured request, redacted."""

    method: Annotated[str, Field(max_length=40)]
    target: Annotated[str, Field(max_length=65_536)]
    headers: Annotated[list[Header], Field(max_length=1_000)] = []
    body: Body | None = None
    body_kind: Literal["text", "base64", "none"] = "none"


class AnswerIn(Described, BaseModel):
    """One side's answer, redacted, or its failure to give one."""

    status: Annotated[int, Field(ge=0, le=999, strict=True)] = 0
    headers: Annotated[list[Header], Field(max_length=1_000)] = []
    body: Body | None = None
    body_kind: Literal["text", "base64", "none"] = "none"
    digest: Code = ""
    """What a body that is not stored is known by (`figway.compare.digest`)."""
    elapsed_ms: Annotated[float, Field(ge=0, lt=2**40, strict=True)] = 0.0
    failure: Code | None = None
    """Kind of a transport failure; the status is 0 then."""


class DifferenceIn(_FieldIn):
    """One differing field of one pair."""

    exact: Annotated[str, Field(max_length=4_000)] = ""
    """Path of its first occurrence."""
    legacy: Any = None
    new: Any = None
    count: Count = 1
    """Occurrences in this pair."""
    proposed: Loose | None = None
    proposal: Loose | None = None
    """The same as `proposed`."""
    ignored_by: Annotated[str, Field(max_length=600)] | None = None
    noise: StrictBool = False


Differences = Annotated[list[DifferenceIn], Field(max_length=1_000)]


class ReplayedAnswer(Described, BaseModel):
    """What a replay said of a stored pair, as it is kept."""

    reason: str = ""
    differences: Differences = []
    new: AnswerIn | None = None


class ExampleIn(Described, BaseModel):
    """A stored pair."""

    id: Id
    at_ms: Count
    verdict: Verdict
    signature: Annotated[str, Field(max_length=64)] = ""
    served: Literal["legacy", "new"] = "legacy"
    revision: Count = 0
    reason: Code = ""
    request: RequestIn
    legacy: AnswerIn
    new: AnswerIn
    differences: Differences = []
    build: Name = ""
    """The build of new that answered."""
    marks: Annotated[
        list[tuple[Annotated[str, Field(max_length=2_300)], Annotated[str, Field(max_length=1)]]],
        Field(max_length=1_000),
    ] = []
    """What was found of each differing field: field and mark."""


Place = Annotated[str, Field(max_length=2_300)]
_Places = Annotated[dict[Place, Loose], Field(max_length=1_000)]


class SignatureIn(Described, BaseModel):
    """Pairs in which the same fields were found the same."""

    entries: Annotated[
        list[tuple[Annotated[str, Field(max_length=2_300)], Annotated[str, Field(max_length=1)]]],
        Field(max_length=100),
    ]
    """Field and mark (`figway.evidence.noise.marks`), sorted; none where nothing differs."""
    count: Count
    first_ms: Count = 0
    last_ms: Count = 0


class OwnIn(Described, BaseModel):
    """Legacy compared with itself by a sample that does not depend on differences."""

    looks: Count = 0
    places: Annotated[dict[Place, Count], Field(max_length=1_000)] = {}
    """Looks in which a place varied."""


class EvidenceIn(Described, BaseModel):
    """What was compared with one build of new since the last batch: counts by what differed."""

    build: Name = ""
    """Empty where new names none."""
    first_ms: Count = 0
    last_ms: Count = 0
    signatures: Annotated[list[SignatureIn], Field(max_length=2_001)] = []
    failed: Annotated[dict[Literal["new", "legacy", "both"], Counters], Field(max_length=3)] = {}
    equal_faults: Counters = {}
    unconfirmed: Counters = {}
    """Pairs without a second look, by why there was none."""
    looks: Annotated[dict[Place, Counters], Field(max_length=1_000)] = {}
    """Outcomes of second looks by place."""
    own: OwnIn = OwnIn()
    forms: _Places = {}
    """The forms in which legacy varies, whole: they merge by union."""
    sketches: _Places = {}
    distinct: Loose = {}
    grown_ms: Count = 0
    frequent: Annotated[list[Any], Field(max_length=64)] = []
    shapes: Annotated[list[Any], Field(max_length=200)] = []
    seen_shapes: Annotated[list[Any], Field(max_length=200)] = []
    reads: Counters = {}
    """Requests that comparing added: `legacy`, `new`; `natural` repeats, which cost nothing."""


class RouteIn(Described, BaseModel):
    """What was compared of one route in one evidence window."""

    route: Annotated[str, Field(min_length=1, max_length=200)]
    window: Annotated[str, Field(max_length=64)] = ""
    """Names the evidence window; other backends or rules make another, and so does a restart."""
    revision: Count = 0
    captured: Count = 0
    """Requests that the sample chose."""
    verdicts: Annotated[dict[Verdict, Count], Field(max_length=len(VERDICTS))] = {}
    skipped: Counters = {}
    """Why pairs were skipped."""
    dropped: Counters = {}
    """Why captures were dropped before a verdict."""
    fields: Annotated[list[FieldIn], Field(max_length=1_000)] = []
    noise: NoiseIn = NoiseIn()
    latency: SidesIn = SidesIn()
    errors: ErrorsIn = ErrorsIn()
    faults: ErrorsIn = ErrorsIn()
    """Faults by side and code; an older proxy sends none."""
    evidence: Annotated[list[EvidenceIn], Field(max_length=50)] = []
    """By build of new. An older proxy sends none; its verdicts are taken as they were told."""
    examples: Annotated[list[ExampleIn], Field(max_length=500)] = []


class PausedIn(Described, BaseModel):
    """Shadowing that a proxy has paused by itself, because the side suffers."""

    side: Code
    backend: Name = ""
    why: Annotated[str, Field(max_length=500)] = ""
    since_ms: Count = 0


class ShadowWorkerIn(Described, BaseModel):
    """The shadow worker that made the batch."""

    paused: Annotated[list[PausedIn], Field(max_length=1_000)] = []
    queue: Annotated[dict[Code, Count], Field(max_length=50)] = {}
    """`received` and `dropped` captures since it started."""


class BatchIn(Described, BaseModel):
    """What one proxy compared between two moments. Sent again, it counts once."""

    instance: Instance
    boot: Id
    """Names the start of the proxy that numbers its batches."""
    sequence: Annotated[int, Field(ge=0, lt=2**63, strict=True)]
    from_ms: Count
    to_ms: Count
    routes: Annotated[list[RouteIn], Field(max_length=2_000)] = []
    worker: ShadowWorkerIn | None = None


class BatchesIn(Described, BaseModel):
    """Batches that are counted together, each of them once."""

    batches: Annotated[list[BatchIn], Field(min_length=1, max_length=100)]


class BatchesOut(Described, BaseModel):
    """What became of each batch."""

    accepted: list[bool]
    """False: it was counted before."""


class BatchOut(Described, BaseModel):
    """What became of a batch."""

    accepted: bool
    """False: it was counted before."""
