"""Moments as programs write them: noise on both sides, and a difference where new's is off."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle

from bench.truth.answers import Said, Side, as_json, as_text, document
from bench.truth.differences import Change, Difference, edited
from bench.truth.noise import Answer

HOUR_S = 3_600.0
DAY_S = 86_400.0
Written = Callable[[float], object]

WRITTEN: dict[str, Written] = {
    "as Java writes it": lambda at: _told(at, "%a %b %d %H:%M:%S UTC %Y"),
    "as mail writes it": lambda at: _told(at, "%a, %d %b %Y %H:%M:%S +0000"),
    "as Go writes it": lambda at: _told(at, "%Y-%m-%d %H:%M:%S.%f000 +0000 UTC"),
    "in German": lambda at: _told(at, "%d.%m.%Y %H:%M:%S"),
    "with twelve hours": lambda at: _told(at, "%m/%d/%Y %I:%M:%S %p"),
    "in fourteen digits": lambda at: _told(at, "%Y%m%d%H%M%S"),
    "of the day alone": lambda at: _told(at, "%H:%M:%S"),
    "in a file's name": lambda at: _told(at, "orders-%Y%m%d-%H%M%S.csv"),
    "in a sentence": lambda at: _told(at, "Made on %b %d, %Y %I:%M:%S %p for you"),
    "in nanoseconds": lambda at: int(at * 1e9),
    "in ticks of .NET": lambda at: int((at + 62_135_596_800) * 1e7),
    "in a call of Date": lambda at: f"/Date({int(at * 1_000)})/",
    "in days of Excel": lambda at: round(at / DAY_S + 25_569, 6),
    "in days of Excel as text": lambda at: f"{at / DAY_S + 25_569:.5f}",
    "in Julian days": lambda at: at / DAY_S + 2_440_587.5,
    "as a part of the day": lambda at: round(at / DAY_S % 1, 6),
    "in microseconds": lambda at: int(at * 1e6),
    "in 100 nanoseconds since 1601": lambda at: int((at + 11_644_473_600) * 1e7),
    "by week and day": lambda at: _told(at, "%G-W%V-%uT%H:%M:%SZ"),
    "by the day of the year": lambda at: _told(at, "%Y-%jT%H:%M:%SZ"),
    "in seconds as text": lambda at: str(int(at)),
    "in microseconds as text": lambda at: str(int(at * 1e6)),
    "in minutes": lambda at: int(at / 60),
    "in hours with a fraction": lambda at: round(at / 3_600, 4),
    "in nanoseconds as text": lambda at: str(int(at * 1e9)),
}
"""By name, a moment of so many seconds since 1970."""


def _told(at: float, layout: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(layout)


def _at(written: Written) -> Answer:
    return lambda side, number: as_json({**document(number), "at": written(time.time())})


def _trimmed(side: Side, number: int) -> Said:
    """Milliseconds without their last zeros."""
    whole, _, decimals = _milliseconds(time.time()).partition(".")
    fraction = decimals.rstrip("0")
    return as_json({**document(number), "at": f"{whole}{'.' if fraction else ''}{fraction}Z"})


def _milliseconds(at: float) -> str:
    return _told(at, "%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _precise(side: Side, number: int) -> Said:
    return as_json({**document(number), "at": _milliseconds(time.time()) + "Z"})


def _calendar(at: float, side: Side, number: int) -> Said:
    stamp = _told(at, "%Y%m%dT%H%M%SZ")
    lines = ["BEGIN:VEVENT", f"UID:{side.uuid()}", f"DTSTAMP:{stamp}", f"SUMMARY:{number}"]
    return as_text("\r\n".join([*lines, "END:VEVENT", ""]), "text/calendar")


def _uptime(side: Side, number: int) -> Said:
    """Seconds that each side's process has run."""
    began = side.kept("began", 1e9, time.time)
    return as_json({**document(number), "up": int(time.time() - began) + (900 if side.new else 70)})


def _off(written: Written, seconds: float = HOUR_S) -> Change:
    return edited(lambda data, side: data.update(at=written(time.time() + seconds)))


def _later(said: Said, side: Side, number: int) -> Said:
    return replace(said, body=_calendar(time.time() + HOUR_S, side, number).body)


CLOCK_NOISE: dict[str, Answer] = {
    **{f"a moment {name}": _at(written) for name, written in WRITTEN.items()},
    "a moment without its last zeros": _trimmed,
    "a moment beside a UUID in a calendar": lambda s, n: _calendar(time.time(), s, n),
    "seconds that a process has run": _uptime,
}
"""By name, how a side answers."""

CLOCKS_OFF: dict[str, Difference] = {
    **{
        f"an hour off {name}": Difference(_at(written), _off(written), share)
        for (name, written), share in zip(WRITTEN.items(), cycle((1.0, 0.04)), strict=False)
    },
    "a minute off as mail writes it": Difference(
        _at(WRITTEN["as mail writes it"]), _off(WRITTEN["as mail writes it"], 60.0)
    ),
    "an hour off in a calendar": Difference(
        lambda side, number: _calendar(time.time(), side, number), _later, 0.04
    ),
    "no milliseconds": Difference(
        _precise, edited(lambda data, side: data.update(at=data["at"][:19] + "Z"))
    ),
    "microseconds for milliseconds": Difference(
        _precise, edited(lambda data, side: data.update(at=data["at"][:-1] + "000Z")), 0.5
    ),
}
"""By name."""
