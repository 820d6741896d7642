"""What proxies say of themselves, and what is shown of them. Unknown fields are let pass: a newer
proxy may say more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described
from control_plane.http.problems import FindingOut

Short = Annotated[str, Field(max_length=200)]
Message = Annotated[str, Field(max_length=8_192)]
Etag = Annotated[str, Field(max_length=64)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]


class WorkerIn(Described, BaseModel):
    """One worker process of a proxy."""

    id: Count
    pid: Count = 0
    revision: Count
    etag: Etag = ""
    started_ms: Count = 0
    """When it started, since the epoch."""
    kill: StrictBool = False
    """It sends everything to legacy."""
    hung: StrictBool = False
    """It said nothing for three beats."""


class FindingIn(FindingOut):
    """A finding as a proxy tells of it."""

    code: Short
    severity: Short
    path: Message
    message: Message
    resolution: Message = ""


class RefusalIn(Described, BaseModel):
    """A revision that a proxy would not serve."""

    revision: Count
    etag: Etag = ""
    findings: Annotated[list[FindingIn], Field(max_length=100)] = []


class OpenBreakerIn(Described, BaseModel):
    """A breaker of one worker that is not simply closed."""

    worker: Count
    route: Short
    backend: Short
    state: Annotated[str, Field(max_length=40)]
    since_ms: Count = 0


class MemberOutIn(Described, BaseModel):
    """One of a backend's several URLs that a worker does not ask at present."""

    worker: Count
    backend: Short
    member: Annotated[str, Field(max_length=2_000)]
    """Its URL, without credentials."""
    state: Annotated[str, Field(max_length=40)]
    """`ejected`: it failed too often in a row; `unhealthy`: its health checks fail."""
    since_ms: Count = 0


class BudgetIn(Described, BaseModel):
    """What was asked of a budget since the proxy started, over all workers."""

    backend: Short
    budget: Annotated[str, Field(max_length=40)]
    """`fallback`, for what legacy may take over from new; `retry`, among a backend's URLs."""
    spent: Count = 0
    refused: Count = 0
    refused_ms: Count = 0
    """When something was last refused; 0 if never."""
    now_per_s: float = 0.0
    """What legacy serves by itself, in requests a second of the last ten seconds."""
    granted_per_s: float = 0.0
    """Fallbacks a second that it would take now."""
    peak_per_s: float = 0.0
    """The most that this proxy saw legacy carry in the last seven days."""
    peak_ms: Count = 0
    """When that was."""


class OfferedIn(Described, BaseModel):
    """A table that a proxy heard of last, where it is not the one that it serves."""

    installation: Etag = ""
    revision: Count = 0
    etag: Etag = ""


class KilledIn(Described, BaseModel):
    """What the kill switch does at a proxy now, and what turned it."""

    on: StrictBool = False
    """Every live worker sends everything to legacy."""
    workers: Count = 0
    workers_on: Count = 0
    control: StrictBool = False
    """The control plane said on."""
    number: Count = 0
    """The press that it heard of last."""
    file: StrictBool = False
    signal: StrictBool = False
    table: StrictBool = False
    """A table of an older release said on."""


class QuarantineIn(Described, BaseModel):
    """What a proxy cannot open, and leaves out alone."""

    kind: Short = ""
    """`backend` or `route`."""
    id: Short = ""
    side: Short = ""
    code: Short = ""
    """`ca_file`, `secret`, `region`, `url`, `link_local`, `extra`, `guard`, `open`."""
    text: Message = ""
    since_ms: Count = 0
    workers: Count = 0
    routes: Annotated[list[Short], Field(max_length=100)] = []


class AckIn(Described, BaseModel):
    """What a proxy serves now; sent on every change, and every five seconds."""

    instance: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name, stable over restarts."""
    boot: Annotated[str, Field(min_length=1, max_length=64)]
    """Names this start of it."""
    facade: Annotated[str, Field(max_length=500)] = ""
    """Where it listens."""
    workers: Annotated[list[WorkerIn], Field(max_length=1_024)] = []
    revision: Count
    """The lowest that every live worker serves."""
    etag: Etag = ""
    applied_ms: Count = 0
    """Milliseconds from hearing of the revision to the last worker serving it."""
    refused: RefusalIn | None = None
    kill_file: StrictBool = False
    breakers: Annotated[list[OpenBreakerIn], Field(max_length=10_000)] = []
    out: Annotated[list[MemberOutIn], Field(max_length=10_000)] = []
    """URLs that are left out."""
    budgets: Annotated[list[BudgetIn], Field(max_length=10_000)] = []
    version: Annotated[str, Field(max_length=40)] = ""
    stopping: StrictBool = False
    lame: StrictBool = False
    """It has announced its end, and still accepts."""
    installation: Etag = ""
    """The installation that it follows; empty for none yet."""
    offered: OfferedIn | None = None
    foreign: StrictBool = False
    """This control plane is of another installation: the proxy does not follow its table."""
    kill: KilledIn | None = None
    """Absent at older proxies."""
    quarantine: Annotated[list[QuarantineIn], Field(max_length=1_000)] = []


class InstanceOut(AckIn):
    """A proxy as it last described itself."""

    live: bool
    """It was heard of lately, and is not stopping."""
    silent: bool
    """It was heard of within a day, not lately, and did not say that it stops: it may still serve
    what it had."""
    killed: bool
    """All its workers send everything to legacy, by what it said last."""
    behind: Count
    """Revisions between what it serves and the newest."""
    since_ms: Count
    """When it was first heard to serve this revision."""
    first_seen_ms: Count
    seen_ms: Count


class KillStandOut(Described, BaseModel):
    """The kill switch, as it was pressed and as proxies do."""

    on: bool
    number: int
    summary: str
    """`on: 3 of 3 proxies send everything to legacy`"""
    doubt: str = ""
    """What this control plane does not know of presses at others; empty where it knows."""


class FleetOut(Described, BaseModel):
    """All proxies."""

    revision: Count
    """The newest revision."""
    etag: str
    live: int
    """How many proxies are live."""
    current: int
    """How many of those serve the newest table."""
    summary: str
    """`3 of 3 proxies on revision 42`"""
    kill: KillStandOut
    """The kill switch, as it was pressed and as proxies do."""
    silent: list[str] = []
    """Proxies that went silent within a day."""
    installation: str = ""
    items: list[InstanceOut]
    next: str | None = None


class ProxyProgress(Described, BaseModel):
    """How far one proxy is with one revision."""

    instance: str
    state: Literal["applied", "refused", "waiting", "silent", "foreign", "host"]
    """`silent`: not heard of lately, so nobody knows; `foreign`: it follows another
    installation; `host`: the kill switch is off, and its own host keeps it on legacy by a file or a
    signal."""
    revision: Count
    """What it serves, or served when it was last heard of."""
    seen_ms: Count = 0
    """When it was last heard of."""
    ms: int | None = None
    """From the revision being stored to this proxy saying that every worker serves it."""
    applied_ms: int | None = None
    """Of that, what the proxy itself measured."""
    findings: list[FindingOut] = []
    """Why it refused."""


class Propagation(Described, BaseModel):
    """How far the proxies are with one revision, or with the kill switch."""

    revision: Count
    applied: bool
    """Every proxy serves it; one that went silent within a day keeps it from being so. True, too,
    where there is no proxy at all."""
    ms: int
    """Until the last proxy had it, or until waiting ended."""
    summary: str
    """`3 of 3 proxies on revision 42 in 80 ms`"""
    proxies: list[ProxyProgress]
