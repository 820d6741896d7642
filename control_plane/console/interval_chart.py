"""The interval of a gate or a guard against its bound over time, as points of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 600, 120


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """One picture: a band between the ends of the interval, the bound as a line."""

    name: str
    role: str
    route: str
    ok: bool
    band: str
    """Points of a polygon."""
    bound: str
    """Points of a line."""
    top: float
    """The share at the upper edge."""
    low: float
    high: float
    limit: float
    says: str
    """The picture in words."""


def charts(points: Sequence[tuple[int, Any]]) -> list[IntervalChart]:
    """One for each gate and guard that the newest moment has, in its order."""
    if not points:
        return []
    newest = points[-1][1]
    found = (_chart(points, entry) for entry in newest)
    return [chart for chart in found if chart is not None]


def _key(entry: Any) -> tuple[str, str, str]:
    return entry["name"], entry["role"], entry["route"]


def _chart(points: Sequence[tuple[int, Any]], newest: Any) -> IntervalChart | None:
    rows = [
        (at, entry)
        for at, judged in points
        for entry in judged
        if _key(entry) == _key(newest) and entry["bound"] is not None
    ]
    if not rows:
        return None
    limit = rows[-1][1]["bound"]
    top = _top([entry for _, entry in rows], limit)
    begins, ends = rows[0][0], rows[-1][0]

    def place(at: int, share: float) -> str:
        x = WIDTH * (at - begins) / (ends - begins) if ends > begins else 0
        return f"{x:.1f},{HEIGHT * (1 - min(1.0, share / top)):.1f}"

    if begins == ends:
        rows = [rows[0], (begins + 1, rows[0][1])]
        ends = begins + 1
    upper = [place(at, entry["high"]) for at, entry in rows]
    lower = [place(at, entry["low"]) for at, entry in reversed(rows)]
    last = rows[-1][1]
    word = "at most" if newest["role"] == "gate" else "not above"
    says = (
        f"{newest['name']}: between {last['low']:.2%} and {last['high']:.2%}, "
        f"{word} {limit:.2%} is wanted"
    )
    return IntervalChart(
        name=newest["name"], role=newest["role"], route=newest["route"], ok=newest["ok"],
        band=" ".join(upper + lower),
        bound=" ".join(place(at, entry["bound"]) for at, entry in rows),
        top=top, low=last["low"], high=last["high"], limit=limit, says=says,
    )  # fmt: skip


def _top(rows: Sequence[Any], limit: float) -> float:
    """A scale on which the bound can be seen: the widest interval, at most ten times the bound."""
    highest: float = max(entry["high"] for entry in rows)
    return min(1.0, max(2 * limit, min(highest, 10 * limit), 1e-6))
