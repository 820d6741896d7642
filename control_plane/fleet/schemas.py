"""What proxies say of themselves, and what is shown of them. Unknown fields are let pass: a newer
proxy may say more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.problems import FindingOut

Short = Annotated[str, Field(max_length=200)]
Message = Annotated[str, Field(max_length=8_192)]
Etag = Annotated[str, Field(max_length=64)]
Count = Annotated[int, Field(ge=0, lt=2**63, strict=True)]


class WorkerIn(BaseModel, use_attribute_docstrings=True):
    """One worker process of a proxy."""

    id: Count
    pid: Count = 0
    revision: Count
    etag: Etag = ""
    started_ms: Count = 0
    """When it started, since the epoch."""
    kill: StrictBool = False
    """It sends everything to legacy because of a kill file or signal on its host."""


class FindingIn(FindingOut):
    """A finding as a proxy tells of it."""

    code: Short
    severity: Short
    path: Message
    message: Message
    resolution: Message = ""


class RefusalIn(BaseModel, use_attribute_docstrings=True):
    """A revision that a proxy would not serve."""

    revision: Count
    etag: Etag = ""
    findings: Annotated[list[FindingIn], Field(max_length=100)] = []


class OpenBreakerIn(BaseModel, use_attribute_docstrings=True):
    """A breaker of one worker that is not simply closed."""

    worker: Count
    route: Short
    backend: Short
    state: Annotated[str, Field(max_length=40)]
    since_ms: Count = 0


class MemberOutIn(BaseModel, use_attribute_docstrings=True):
    """One of a backend's several URLs that a worker does not ask at present."""

    worker: Count
    backend: Short
    member: Annotated[str, Field(max_length=2_000)]
    """Its URL, without credentials."""
    state: Annotated[str, Field(max_length=40)]
    """`ejected`: it failed too often in a row; `unhealthy`: its health checks fail."""
    since_ms: Count = 0


class BudgetIn(BaseModel, use_attribute_docstrings=True):
    """What was asked of a budget since the proxy started, over all workers."""

    backend: Short
    budget: Annotated[str, Field(max_length=40)]
    """`fallback`, for what legacy may take over from new; `retry`, among a backend's URLs."""
    spent: Count = 0
    refused: Count = 0
    refused_ms: Count = 0
    """When something was last refused; 0 if never."""


class AckIn(BaseModel, use_attribute_docstrings=True):
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


class InstanceOut(AckIn):
    """A proxy as it last described itself."""

    live: bool
    """It was heard of lately, and is not stopping."""
    behind: Count
    """Revisions between what it serves and the newest."""
    since_ms: Count
    """When it was first heard to serve this revision."""
    first_seen_ms: Count
    seen_ms: Count


class FleetOut(BaseModel, use_attribute_docstrings=True):
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
    items: list[InstanceOut]
    next: str | None = None


class ProxyProgress(BaseModel, use_attribute_docstrings=True):
    """How far one proxy is with one revision."""

    instance: str
    state: Literal["applied", "refused", "waiting"]
    revision: Count
    """What it serves."""
    ms: int | None = None
    """From the revision being stored to this proxy saying that every worker serves it."""
    applied_ms: int | None = None
    """Of that, what the proxy itself measured."""
    findings: list[FindingOut] = []
    """Why it refused."""


class Propagation(BaseModel, use_attribute_docstrings=True):
    """How far the live proxies are with one revision."""

    revision: Count
    applied: bool
    """Every live proxy serves it (or none is live)."""
    ms: int
    """Until the last proxy had it, or until waiting ended."""
    summary: str
    """`3 of 3 proxies on revision 42 in 80 ms`"""
    proxies: list[ProxyProgress]
