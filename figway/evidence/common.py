"""What the requests that differ have in common, and the others have not.

Over stored requests: which value, presence or absence of a parameter, header, cookie, path segment,
or the signed-in state, splits those that differ in a field from those that do not. One condition,
or two that must hold together. A condition is told where chance alone would hardly have split the
requests so (R. Fisher's exact test, 1935, made stricter by the number of conditions that could have
been tried, C. Bonferroni), and where its share among the differing is surely higher than among the
others, by exact bounds of both (C. Clopper and E. Pearson, 1934).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import unquote_plus

ALPHA = 0.05
LEAST_DIFFERING = 5
LEAST_OTHERS = 5
COVERED = 0.9
"""Share of the differing requests that a condition must hold for, in the sample."""
APART = 0.25
"""Least distance of both shares at their bounds."""
BETTER = 0.1
"""What a second condition must add to that distance."""
MOST_FACTS = 400
MOST_FOR_PAIRS = 24
_LONGEST = 60
_NOT_TOLD = frozenset(
    (
        *("content-length", "connection", "date", "traceparent", "tracestate", "x-request-id"),
        *("forwarded", "x-forwarded-for", "x-forwarded-port", "via", "x-amzn-trace-id", "if-match"),
        *("if-none-match", "if-modified-since", "if-range", "x-correlation-id", "accept-encoding"),
    )
)
_HIDDEN = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{8}\]")

Fact = str
"""One thing that holds for a request, in words."""


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A stored request; what was redacted is spelled as it was stored."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    signed_in: bool | None = None
    """None where it is not known."""


@dataclass(frozen=True, slots=True)
class Common:
    """A condition that splits the requests."""

    condition: str
    differing: int
    of_differing: int
    """Differing requests, and (`differing`) those that it holds for."""
    others: int
    of_others: int

    @property
    def text(self) -> str:
        """`with currency=JPY: 40 of the 40 that differ, 0 of 360 others`"""
        return (
            f"{self.condition}: {self.differing} of the {self.of_differing} that differ, "
            f"{self.others} of {self.of_others} others"
        )


def common(differing: Sequence[AskedRequest], others: Sequence[AskedRequest]) -> Common | None:
    """The condition that splits best; None where none surely does."""
    if len(differing) < LEAST_DIFFERING or len(others) < LEAST_OTHERS:
        return None
    left, right = [facts(one) for one in differing], [facts(one) for one in others]
    counts = Counter(fact for found in left for fact in found)
    enough = math.ceil(COVERED * len(left))
    tried = [fact for fact, count in counts.most_common(MOST_FACTS) if count >= enough]
    tried += _absences(left, right, enough)
    # All that could have been tried pay for what is found, whether they were or not.
    prices = max(1, len(counts) + len(tried))
    one = _best([(fact,) for fact in tried], left, right, prices)
    near = _selective(tried, right)[:MOST_FOR_PAIRS]
    two = _best(list(combinations(near, 2)), left, right, prices + len(near) ** 2)
    if one is not None and (two is None or two[0] < one[0] + BETTER):
        return one[1]
    return None if two is None else two[1]


def _selective(tried: Sequence[Fact], right: Sequence[set[Fact]]) -> list[Fact]:
    held = {fact: sum(holds(fact, found) for found in right) for fact in tried}
    return sorted((fact for fact in tried if held[fact] < len(right)), key=lambda f: (held[f], f))


def _absences(left: Sequence[set[Fact]], right: Sequence[set[Fact]], enough: int) -> list[Fact]:
    """What the others have, and those that differ do not."""
    there = Counter(fact for found in right for fact in found if fact.startswith("with "))
    present = Counter(fact for found in left for fact in found)
    return [
        f"without {fact.removeprefix('with ')}"
        for fact, _ in there.most_common(MOST_FACTS)
        if "=" not in fact and len(left) - present[fact] >= enough
    ]


def holds(fact: Fact, found: set[Fact]) -> bool:
    """Whether a fact, or the absence of one, holds for the facts of a request."""
    if fact.startswith("without "):
        return f"with {fact.removeprefix('without ')}" not in found
    return fact in found


def _best(
    conditions: Iterable[tuple[Fact, ...]],
    left: Sequence[set[Fact]],
    right: Sequence[set[Fact]],
    prices: int,
) -> tuple[float, Common] | None:
    best: tuple[tuple[float, bool, int, str], Common] | None = None
    for facts_ in conditions:
        inside = sum(all(holds(fact, found) for fact in facts_) for found in left)
        outside = sum(all(holds(fact, found) for fact in facts_) for found in right)
        if inside < COVERED * len(left):
            continue
        apart = _surely_apart(inside, len(left), outside, len(right), ALPHA)
        if apart < APART or by_chance(inside, len(left), outside, len(right)) * prices > ALPHA:
            continue
        text = " and ".join(facts_)
        rank = (round(apart, 9), "=" in text, -len(text), text)
        if best is None or rank > best[0]:
            best = (rank, Common(text, inside, len(left), outside, len(right)))
    return None if best is None else (best[0][0], best[1])


def _surely_apart(inside: int, n: int, outside: int, m: int, alpha: float) -> float:
    """How far apart both shares are at the least, each by a bound of its own."""
    return lower_bound(inside, n, alpha / 2) - upper_bound(outside, m, alpha / 2)


def by_chance(inside: int, n: int, outside: int, m: int) -> float:
    """The chance that `inside` or more of `n` are among the `inside + outside` of `n + m` that a
    condition holds for, if it held for any of them alike (R. Fisher, 1935).
    """
    holding = inside + outside
    most = min(n, holding)
    whole = _log_ways(n + m, holding)
    return min(
        1.0,
        sum(
            math.exp(_log_ways(n, x) + _log_ways(m, holding - x) - whole)
            for x in range(inside, most + 1)
            if holding - x <= m
        ),
    )


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def upper_bound(x: int, n: int, alpha: float) -> float:
    """The largest share at which `x` or fewer of `n` have a chance of at least `alpha`."""
    if x >= n:
        return 1.0
    low, high = x / n, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if _at_most(x, n, middle) > alpha:
            low = middle
        else:
            high = middle
    return high


def lower_bound(x: int, n: int, alpha: float) -> float:
    """The smallest such share, from the other side."""
    return 1.0 - upper_bound(n - x, n, alpha)


def _at_most(x: int, n: int, p: float) -> float:
    """The chance of `x` or fewer among `n` at a share of `p`."""
    if p >= 1.0:
        return 0.0
    total, term = 0.0, math.exp(n * math.log1p(-p)) if p < 1 else 0.0
    for number in range(x + 1):
        total += term
        term *= (n - number) / (number + 1) * p / (1 - p)
    return min(1.0, total)


# -- facts -------------------------------------------------------------------------------------


def facts(asked: AskedRequest) -> set[Fact]:
    """All that can be said of a request."""
    path, _, query = asked.target.partition("?")
    found = {f"asked by {asked.method}"}
    for place, segment in enumerate(path.split("/")[1:], 1):
        found.add(f"with path segment {place}={_short(segment)}")
    for name, value in _pairs(query, "&"):
        found |= _named("", name, value)
    for name, value in _form(asked):
        found |= _named("form field ", name, value)
    signed = asked.signed_in
    for header, value in asked.headers:
        lower = header.lower()
        if lower == "cookie":
            for cookie, content in _pairs(value, ";"):
                found |= _named("cookie ", cookie, content)
        elif lower == "authorization":
            signed = True
            found.add("with header authorization")
        elif lower not in _NOT_TOLD:
            found |= _named("header ", lower, value)
    if signed is not None:
        found.add("signed in" if signed else "not signed in")
    return found


def _named(kind: str, name: str, value: str) -> set[Fact]:
    found = {f"with {kind}{_short(name)}"}
    if not _HIDDEN.search(value) or _HIDDEN.fullmatch(value):
        found.add(f"with {kind}{_short(name)}={_short(value)}")
    return found


def _form(asked: AskedRequest) -> list[tuple[str, str]]:
    kind = next((v for n, v in asked.headers if n.lower() == "content-type"), "")
    if not asked.body or not kind.startswith("application/x-www-form-urlencoded"):
        return []
    return _pairs(asked.body, "&")


def _pairs(text: str, separator: str) -> list[tuple[str, str]]:
    found = []
    for part in text.split(separator)[:200]:
        name, _, value = part.strip().partition("=")
        if name:
            found.append((unquote_plus(name), unquote_plus(value)))
    return found


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
