"""Bounds of a share that hold however often somebody looks.

People and tickers look at a running count again and again, and act on the first look that pleases
them. A bound made for one look is then false far more often than it promises. These hold at every
count at once: under "the share is p", the mixture of likelihood ratios is a martingale of mean 1,
so the chance that it ever reaches 1/alpha is at most alpha (J. Ville, 1939; S. Howard et al.,
"Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021, propositions 6 and 7).

Counts may be real numbers, as clustered counts are divided by `clustering`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

ALPHA = 0.05
BISECTIONS = 60
MOST_CLUSTERING = 20.0
LEAST_BUCKETS = 6
LEAST_IN_BUCKET = 5

Prior = tuple[float, float]
"""The two parameters (a, b) of a Beta distribution: what the mixture expects of the share."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of a share, both ends from 0 to 1."""

    low: float
    high: float


def gate_prior(most: float) -> Prior:
    """The prior for showing that a share is at most `most`: it expects about that much."""
    return 1.0, 1 / most


def guard_prior(most: float) -> Prior:
    """The prior for showing that a share is above `most`: it expects four times as much."""
    return 1.0, 1 / (4 * most)


def share_prior(share: float) -> Prior:
    """The prior for showing that a share differs from `share`, at the weight of four events."""
    return max(0.5, 4 * share), max(0.5, 4 * (1 - share))


def log_evidence(p: float, x: float, n: float, a: float, b: float) -> float:
    """The logarithm of the evidence of `x` among `n` against "the share is `p`".

    ln B(a+x, b+n-x) - ln B(a, b) - x ln p - (n-x) ln(1-p). At least ln(1/alpha) at any moment:
    the claim is refuted at alpha.

    Raises:
        ValueError: unless 0 <= x <= n, 0 <= p <= 1, and a and b are positive.
    """
    if not 0 <= x <= n or not 0 <= p <= 1 or a <= 0 or b <= 0:
        raise ValueError(f"no evidence of {x} among {n} against {p} with a prior of ({a}, {b})")
    if (p == 0 and x > 0) or (p == 1 and x < n):
        return math.inf
    return _log_beta(a + x, b + n - x) - _log_beta(a, b) - _log_chance(p, x, n)


def _log_chance(p: float, x: float, n: float) -> float:
    """x ln p + (n-x) ln(1-p), with 0 ln 0 = 0."""
    return (x * math.log(p) if x else 0.0) + ((n - x) * math.log1p(-p) if n > x else 0.0)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def interval(x: float, n: float, alpha: float, a: float, b: float) -> Interval:
    """All shares that `x` among `n` does not refute at `alpha`.

    Holds at every n at once with probability 1 - alpha. All of 0 to 1 while n is 0.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    middle = x / n
    # What does not depend on p is worked out once; the rest is two logarithms a bisection.
    most = math.log(1 / alpha) - _log_beta(a + x, b + n - x) + _log_beta(a, b)

    def inside(p: float) -> bool:
        if (p <= 0 and x > 0) or (p >= 1 and x < n):
            return False
        return -_log_chance(p, x, n) < most

    low = 0.0 if inside(0.0) else _edge(middle, 0.0, inside)
    high = 1.0 if inside(1.0) else _edge(middle, 1.0, inside)
    return Interval(low, high)


def _edge(
    inner: float, outer: float, inside: Callable[[float], bool], turns: int = BISECTIONS
) -> float:
    """The last place before `outer` that is still inside, to so many bisections."""
    for _ in range(turns):
        between = (inner + outer) / 2
        if inside(between):
            inner = between
        else:
            outer = between
    return inner


def at_most(x: float, n: float, most: float, alpha: float, a: float, b: float) -> bool:
    """Whether `x` among `n` shows that the share is at most `most`: the upper end reaches it."""
    return n > 0 and x < most * n and log_evidence(most, x, n, a, b) >= math.log(1 / alpha)


def above(x: float, n: float, most: float, alpha: float, a: float, b: float) -> bool:
    """Whether `x` among `n` refutes that the share is at most `most`: the lower end is above."""
    return n > 0 and x > most * n and log_evidence(most, x, n, a, b) >= math.log(1 / alpha)


@lru_cache(maxsize=8_192)
def goal_interval(x: float, n: float, alpha: float = ALPHA) -> Interval:
    """All shares that no gate and no guard tells apart from `x` among `n`.

    Each share is tested with the priors of a goal at that share, which a confidence sequence may
    do (the claim is made of each share alone). So the upper end is at most `most` exactly where
    `at_most` shows `most` with its `gate_prior`, and the lower end above it exactly where `above`
    refutes it with its `guard_prior`: what people read is what decides. All of 0 to 1 while n is
    0.
    """
    if n == 0:
        return Interval(0.0, 1.0)

    def not_shown(p: float) -> bool:
        return not at_most(x, n, p, alpha, *gate_prior(p))

    def not_refuted(p: float) -> bool:
        return not above(x, n, p, alpha, *guard_prior(p))

    low = _edge(x / n, 0.0, not_refuted, 30) if x else 0.0
    high = _edge(x / n, 1.0, not_shown, 30) if x < n else 1.0
    return Interval(low, high)


def needs_more(
    x: float, n: float, most: float, alpha: float = ALPHA, prior: Prior | None = None
) -> int | None:
    """How many more, none of them counted in `x`, show that the share is at most `most`.

    0 when that is shown already. None when it is refuted: waiting will not help then. `prior`
    is `gate_prior(most)` unless given; that it is refuted is judged by `guard_prior(most)`.
    """
    a, b = prior or gate_prior(most)
    if at_most(x, n, most, alpha, a, b):
        return 0
    if above(x, n, most, alpha, *guard_prior(most)):
        return None
    high = 1
    while not at_most(x, n + high, most, alpha, a, b):
        high *= 2
    low = high // 2
    while low + 1 < high:
        between = (low + high) // 2
        if at_most(x, n + between, most, alpha, a, b):
            high = between
        else:
            low = between
    return high


def clustering(buckets: Iterable[tuple[float, float]]) -> float:
    """How much more the counts of ten-second buckets (x, n) vary than single events would.

    The variance between buckets over that of independent events, from 1 to 20: one client in a
    loop makes many failures that are one event. 1 while fewer than 6 buckets hold at least 5
    calls. Divide both x and n by it before they are judged.
    """
    filled = [(x, n) for x, n in buckets if n >= LEAST_IN_BUCKET]
    if len(filled) < LEAST_BUCKETS:
        return 1.0
    share = sum(x for x, _ in filled) / sum(n for _, n in filled)
    if not 0 < share < 1:
        return 1.0
    spread = sum((x - n * share) ** 2 / (n * share * (1 - share)) for x, n in filled)
    return min(MOST_CLUSTERING, max(1.0, spread / (len(filled) - 1)))
