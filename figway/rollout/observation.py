"""What one look at the installation saw of the routes of a rollout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from figway.evidence.sequential import clustering
from figway.rollout.plan import Placement

Answer = Literal["", "pass", "hold", "breach"]
"""What a webhook said; empty when it was not asked."""
Policy = Literal["", "approval", "freeze", "refused"]
"""What stands before a move: rules of changes, or a table that would be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityCounts:
    """What comparing saw of a route since the present build of new began to answer."""

    differing: int = 0
    """Pairs that differ, or in which new failed."""
    failed: int = 0
    """Of these, those in which new failed."""
    rated: int = 0
    distinct: int = 0
    """Different requests among them."""
    distinct_known: int | None = None
    """How many different requests there are at all, where that is known."""
    top_share: float = 0.0
    """Share of the most frequent request."""
    shapes_done: int = 0
    shapes_missing: tuple[str, ...] = ()
    """Shapes that were compared too seldom, as people read them."""
    obstacles: tuple[str, ...] = ()
    """What else keeps the comparison from being proof, a sentence each."""
    fields: tuple[str, ...] = ()
    """Where most pairs differ."""
    pairs_per_s: float = 0.0
    """Over all the time that it was compared."""
    pairs_now_per_s: float | None = None
    """In the last minutes; None where that is not known yet."""
    build: str = ""
    """The build of new that answered; empty when new does not say."""
    comparable: bool = True
    """Whether anything of this route can be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """What one side did since the step began and was warm."""

    requests: float = 0
    failures: float = 0
    answers: float = 0
    """Answers with a latency."""
    slow: float = 0
    """Of these, slower than the threshold."""
    buckets: tuple[tuple[float, float], ...] = ()
    """(failures, requests) of each ten seconds."""

    @property
    def phi(self) -> float:
        """How clustered its failures are."""
        return clustering(self.buckets)


def together(counts: Iterable[CallCounts]) -> CallCounts:
    """Several routes as one; buckets are put side by side."""
    parts = tuple(counts)
    return CallCounts(
        requests=sum(part.requests for part in parts),
        failures=sum(part.failures for part in parts),
        answers=sum(part.answers for part in parts),
        slow=sum(part.slow for part in parts),
        buckets=tuple(bucket for part in parts for bucket in part.buckets),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Legacy as it was before the rollout: what new is held against where legacy has no traffic."""

    threshold_us: int
    """A latency that is slow; the edge of a histogram's bucket."""
    legacy: CallCounts
    """Legacy's last day, `slow` counted at the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteObservation:
    """One route of the rollout."""

    route: str
    placement: Placement
    comparable: bool = True
    """Whether any of its methods is compared at all; writes mostly are not."""
    parity: ParityCounts = field(default_factory=ParityCounts)
    legacy: CallCounts = field(default_factory=CallCounts)
    new: CallCounts = field(default_factory=CallCounts)
    legacy_recent: CallCounts = field(default_factory=CallCounts)
    """Of these, what falls into the present block."""
    new_recent: CallCounts = field(default_factory=CallCounts)
    breaker_open_ms: int = 0
    """How long a breaker has been open in any worker."""
    budget_refused: int = 0
    """Fallbacks that legacy's budget refused since the step began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look."""

    now_ms: int
    routes: tuple[RouteObservation, ...]
    kill: bool = False
    live: int = 1
    """Proxies that are heard of."""
    current: int = 1
    """Of these, those that serve the newest table."""
    refused: int = 0
    """Of these, those that refused it."""
    silent: int = 0
    """Proxies that were heard of lately, did not say goodbye, and are not heard of now."""
    left_out: str = ""
    """What a proxy cannot open of these routes, and serves without; empty for nothing."""
    reports_age_ms: int | None = 0
    """Age of the newest report; None when there never was one."""
    hours_open: bool = True
    hours_next: str = ""
    """When moves are allowed again, as people read it."""
    gate_webhook: Answer = ""
    guard_webhook: Answer = ""
    webhook_said: str = ""
    policy: Policy = ""
    """What the control plane answers to the next move before it is made."""
    policy_said: str = ""
    reference: Reference | None = None
    block: int = 1
    """Which ten minutes of the step it is, from 1: guards look at each block by itself too."""
    new_per_s: float | None = None
    """Requests a second that new serves at present; None where that is not known yet."""
    subject: str = ""
    """Names what is judged: which requests its routes take, and the backends of new that answer
    them. Another name is another subject; empty where it is not known."""

    @property
    def placement(self) -> Placement:
        """Where the routes stand: the most exposed of them."""
        return max((seen.placement for seen in self.routes), key=lambda place: place.exposure)

    @property
    def build(self) -> str:
        """The builds of new that answered."""
        return ", ".join(sorted({seen.parity.build for seen in self.routes if seen.parity.build}))

    def pooled(self) -> tuple[CallCounts, CallCounts]:
        """Legacy and new, all routes together."""
        return (
            together(seen.legacy for seen in self.routes),
            together(seen.new for seen in self.routes),
        )

    def pooled_recent(self) -> tuple[CallCounts, CallCounts]:
        """The same of the present block."""
        return (
            together(seen.legacy_recent for seen in self.routes),
            together(seen.new_recent for seen in self.routes),
        )
