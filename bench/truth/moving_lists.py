"""Lists that move while they are compared, and what a rewrite gets wrong in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.truth.answers import Said, Side, as_html, as_json, document, fixed
from bench.truth.differences import Difference, edited
from bench.truth.noise import Answer

Rows = list[dict[str, Any]]


def _row(number: int) -> dict[str, Any]:
    chance = fixed(number, "row")
    return {"id": number, "title": f"Story {number}", "score": chance.randrange(900)}


def _listed(name: str, rows: Callable[[Side, int], Rows]) -> Answer:
    return lambda side, number: as_json({**document(number), name: rows(side, number)})


def feed(each_s: float, size: int = 12) -> Callable[[Side, int], Rows]:
    """The newest of a list that gains one every so often."""

    def rows(side: Side, number: int) -> Rows:
        newest = int(time.time() / each_s)
        return [_row(newest - at) for at in range(size)]

    return rows


def _queue(side: Side, number: int) -> Rows:
    """Work comes in at the end, and is taken from the front: at times of its own."""
    first, last = int(time.time() * 1.3), int(time.time() * 1.3 + 6 + 3 * _slow_wave())
    return [_row(at) for at in range(first, last)]


def _slow_wave() -> float:
    return abs(time.time() % 20 - 10) / 10


def _log(side: Side, number: int) -> Rows:
    """Grows at its end, from an hour's beginning on."""
    size = int(time.time() % 3_600) // 3 + 4
    return [_row(at) for at in range(max(0, size - 60), size)]


def _sessions(side: Side, number: int) -> Rows:
    """Each begins and ends at a time of its own: they vanish from the middle."""
    now = time.time()
    return [
        _row(at)
        for at in range(int(now) - 40, int(now) + 1)
        if at % 2 and now < at + 2 + fixed(at, "lasts").random() * 30
    ]


def _picked(side: Side, number: int) -> Rows:
    """Five of forty, others each time."""
    return [_row(at) for at in sorted(side.chance.sample(range(40), 5))]


def _with_ad(side: Side, number: int) -> Rows:
    """A list of its own for each number, with an advertisement in it now and then."""
    rows = [_row(10 * number + at) for at in range(8)]
    if side.chance.random() < 0.25:
        rows.insert(3, {"id": f"ad-{side.chance.randrange(12)}", "title": "Buy", "score": 0})
    return rows


def _flapping(share: float) -> Callable[[Side, int], Rows]:
    """A list that lacks one of its elements now and then, as of a shard that is slow."""

    def rows(side: Side, number: int) -> Rows:
        found = [_row(10 * number + at) for at in range(8)]
        if side.chance.random() < share:
            del found[side.chance.randrange(8)]
        return found

    return rows


def _feed_with_ads(side: Side, number: int) -> Rows:
    rows = feed(2.0)(side, number)
    if side.chance.random() < 0.3:
        rows.insert(4, {"id": f"ad-{side.chance.randrange(12)}", "title": "Buy", "score": 0})
    return rows


def _page(side: Side, number: int) -> Said:
    rows = feed(1.5)(side, number)
    items = "".join(f"<li><a href='/s/{row['id']}'>{row['title']}</a></li>" for row in rows)
    return as_html(f"<h1>{document(number)['reference']}</h1><ul>{items}</ul>")


def _together(side: Side, number: int) -> Rows:
    """All of it, or nothing, as where a source is away."""
    if side.chance.random() < 0.1:
        return []
    return [_row(10 * number + at) for at in range(6)]


LISTS: dict[str, Callable[[Side, int], Rows]] = {
    "a feed that gains one a second": feed(1.0),
    "a feed that gains twenty a second": feed(0.05),
    "a feed that gains one in ten seconds": feed(10.0),
    "a queue of work": _queue,
    "a log that grows": _log,
    "sessions that end": _sessions,
    "five of forty, others each time": _picked,
    "an advertisement in a list": _with_ad,
    "an element missing now and then (5 %)": _flapping(0.05),
    "an element missing now and then (1 %)": _flapping(0.01),
    "a feed with advertisements": _feed_with_ads,
    "a list that is empty now and then": _together,
}
"""By name."""

MOVING: dict[str, Answer] = {
    **{name: _listed("rows", rows) for name, rows in LISTS.items()},
    "a page with a feed": _page,
}
"""By name, how a side answers."""


def _wrong(name: str, change: Callable[[Rows, Side], Any], share: float = 1.0) -> Difference:
    return Difference(
        _listed("rows", LISTS[name]),
        edited(lambda data, side: change(data["rows"], side) and None),
        share,
    )


def _at_random(name: str, change: Callable[[Rows, Side], Any], share: float) -> Difference:
    found = _wrong(name, change, share)
    return Difference(found.base, found.change, share, at_random=True)


def _one_in(rows: Rows, each: int) -> None:
    """Some rows are never shown."""
    rows[:] = [row for row in rows if not (isinstance(row["id"], int) and row["id"] % each == 3)]


def _deleted(rows: Rows, side: Side) -> None:
    """Rows that are no more."""
    rows.insert(len(rows) // 2, {"id": 999_000, "title": "Deleted", "score": -1})


def _twice(rows: Rows, side: Side) -> None:
    if len(rows) > 2:
        rows.insert(2, dict(rows[1]))


def _any(rows: Rows, side: Side) -> None:
    if rows:
        del rows[side.chance.randrange(len(rows))]


def _first_twice(rows: Rows, side: Side) -> None:
    rows[:0] = [dict(row) for row in rows[:1]]


def _foreign(rows: Rows, side: Side) -> None:
    rows[:] = [*rows[1:], {"id": 4_711, "title": "Foreign", "score": 1}]


def _half(rows: Rows, side: Side) -> None:
    del rows[3:]


def _old(rows: Rows, side: Side) -> None:
    """Without what came last, as from a copy that is behind."""
    del rows[:2]


IN_MOVING: dict[str, Difference] = {
    "one row in seven lost from a feed": _wrong(
        "a feed that gains one a second", lambda rows, side: _one_in(rows, 7)
    ),
    "one row in thirty lost from a feed": _wrong(
        "a feed that gains one a second", lambda rows, side: _one_in(rows, 30)
    ),
    "one row in seven lost from a fast feed": _wrong(
        "a feed that gains twenty a second", lambda rows, side: _one_in(rows, 7)
    ),
    "one row in seven lost from a slow feed, for some": _wrong(
        "a feed that gains one in ten seconds", lambda rows, side: _one_in(rows, 7), 0.04
    ),
    "any row lost from a feed, at random": _at_random("a feed that gains one a second", _any, 0.05),
    "a row twice in a feed": _wrong("a feed that gains one a second", _twice, 0.04),
    "a deleted row in a feed": _wrong("a feed that gains one a second", _deleted, 0.04),
    "the last row of a feed lost": _wrong(
        "a feed that gains one a second", lambda rows, side: rows.pop(), 0.05
    ),
    "two rows behind in a feed": _wrong("a feed that gains one in ten seconds", _old, 0.1),
    "a row lost from a queue": _wrong("a queue of work", lambda rows, side: _one_in(rows, 5)),
    "the first of a queue taken twice": _wrong("a queue of work", _first_twice, 0.05),
    "a log that lost its beginning": _wrong(
        "a log that grows", lambda rows, side: rows.pop(0), 0.1
    ),
    "sessions that are over": _wrong("sessions that end", _deleted, 0.05),
    "a session hidden": _wrong("sessions that end", lambda rows, side: _one_in(rows, 9)),
    "four of forty": _wrong("five of forty, others each time", lambda rows, side: rows.pop(), 0.05),
    "a foreign one among five of forty": _wrong(
        "five of forty, others each time",
        _foreign,
        0.05,
    ),
    "the last of a list with advertisements lost": _wrong(
        "an advertisement in a list", lambda rows, side: rows.pop(), 0.03
    ),
    "two lost where one is missing now and then": _wrong(
        "an element missing now and then (5 %)",
        lambda rows, side: (rows.pop(), rows.pop(0)),
        0.03,
    ),
    "a row lost from a feed with advertisements": _wrong(
        "a feed with advertisements", lambda rows, side: _one_in(rows, 9)
    ),
    "half of a list that is empty now and then": _wrong(
        "a list that is empty now and then",
        _half,
        0.05,
    ),
}
"""By name."""
