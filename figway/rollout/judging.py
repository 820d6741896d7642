"""What a gate or a guard found: a judgement with its figures, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figway.evidence.sequential import Interval, Prior, interval
from figway.rollout.observation import CallCounts
from figway.rollout.plan import percent_text
from figway.rollout.state import Reason

WITHOUT_LEGACY = 0.99
"""From this share on legacy answers too few to be held against: its last day stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutJudgement:
    """One gate or guard at one look."""

    name: str
    """`parity`, `shapes`, `distinct`, `errors`, `latency`, `breaker`, `budget`, `webhook`."""
    role: Literal["gate", "guard"]
    ok: bool
    """A gate that passes; a guard that is not breached."""
    code: str
    text: str
    route: str = ""
    """Empty for all routes together."""
    low: float | None = None
    high: float | None = None
    """The interval of the share that is judged."""
    bound: float | None = None
    """What the interval is held against."""
    value: float | None = None
    n: float | None = None
    needs: int | None = None
    """How many more it needs, if all go well; None when that is not known."""
    phi: float | None = None
    """How clustered the failures are, where it was divided by."""

    @property
    def reason(self) -> Reason:
        """As a reason for standing still, or for moving back."""
        return Reason(code=self.code, text=self.text, value=self.value, bound=self.bound, n=self.n)


def failure_interval(calls: CallCounts, alpha: float, prior: Prior) -> Interval:
    """The interval of a side's share of failures, clustered failures counted as fewer."""
    phi = calls.phi
    return interval(calls.failures / phi, calls.requests / phi, alpha, *prior)


def slow_interval(calls: CallCounts, alpha: float, prior: Prior) -> Interval:
    """The interval of a side's share of slow answers."""
    return interval(calls.slow, calls.answers, alpha, *prior)


def share_of(x: float, n: float) -> float | None:
    """x of n; None when n is 0."""
    return x / n if n else None


def shown(x: float, n: float) -> str:
    """`3 of 2 000 (0.15 %)`."""
    share = share_of(x, n)
    return f"{x:.0f} of {n:.0f}" + ("" if share is None else f" ({percent_text(share)})")


def failed_text(failed: int) -> str:
    """What is said of the pairs that count as different because new failed."""
    return f"; new failed in {failed} of these" if failed else ""


def duration_text(seconds: float) -> str:
    """`40 seconds`, `about 40 minutes`, `about 3 days`: one unit, rounded up."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size or (size == 60 and seconds >= 60):
            number = -(-int(seconds) // size)
            return f"about {number} {unit}" + ("" if number == 1 else "s")
    number = max(1, int(seconds))
    return f"{number} second" + ("" if number == 1 else "s")


def needs_text(needs: int, what: str, per_s: float | None) -> str:
    """`needs 214 more pairs, about 40 minutes`; without a time where the rate is not known."""
    text = f"needs {needs} more {what}"
    if needs == 1:
        text = text.removesuffix("s")
    if per_s is None:
        return text
    return f"{text}, {duration_text(needs / per_s)}" if per_s > 0 else f"{text}; none arrive now"
