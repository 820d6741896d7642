"""Numbers that tell the time in days, hours or minutes: known by what they are now.

`46174.4282` is a price or the tenth of June in Excel, `0.4282` a share or a quarter past ten. Which
it is shows when legacy gives it: at each of several moments it is what that clock shows then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from figway.evidence.noise.values import NUMBERS, Reading

_DAY_S, _HOUR_S = 86_400.0, 3_600.0
SURE = 5
"""Readings at other moments after which a number is taken for a clock."""
MOST_OFF_S = 50 * _HOUR_S
"""What a clock may be off the time of asking: a zone, a day and a zone."""
_ZONES_S, _ZONE_OFF_S = 1_800.0, 20.0
"""Of clocks that begin anew each day: off by half hours, and no more besides."""
_STEADY_S = 5.0
_FINE_S = 600.0
"""What counts in coarser steps shows no hour that it is off."""
_SPAN_S = 60.0
"""Between the first and the last reading of a clock; more where it counts in coarse steps."""


@dataclass(frozen=True, slots=True)
class _Scale:
    unit_s: float
    """Seconds that one of its numbers counts."""
    zero_s: float
    """What it shows at the beginning of 1970, in seconds."""
    each_s: float = 0.0
    """After how many seconds it begins anew; 0 for never."""

    def seconds(self, number: float) -> float:
        """Since 1970, or within its round."""
        return number * self.unit_s - self.zero_s

    def off(self, number: float, now_s: float) -> float:
        """How far it is off the time; the short way round."""
        way = self.seconds(number) - now_s
        return way - self.each_s * round(way / self.each_s) if self.each_s else way


SCALES: dict[str, _Scale] = {
    "days since 1900": _Scale(_DAY_S, 25_569 * _DAY_S),
    "days since 1904": _Scale(_DAY_S, 24_107 * _DAY_S),
    "days since 1970": _Scale(_DAY_S, 0.0),
    "Julian days": _Scale(_DAY_S, 2_440_587.5 * _DAY_S),
    "modified Julian days": _Scale(_DAY_S, 40_587 * _DAY_S),
    "days since the year 0": _Scale(_DAY_S, 719_529 * _DAY_S),
    "days since the year 1": _Scale(_DAY_S, 719_163 * _DAY_S),
    "hours since 1970": _Scale(_HOUR_S, 0.0),
    "minutes since 1970": _Scale(60.0, 0.0),
    "seconds since 2001": _Scale(1.0, -978_307_200.0),
    "the part of the day": _Scale(_DAY_S, 0.0, _DAY_S),
    "the hour of the day": _Scale(_HOUR_S, 0.0, _DAY_S),
    "the minute of the day": _Scale(60.0, 0.0, _DAY_S),
    "the second of the day": _Scale(1.0, 0.0, _DAY_S),
}


@dataclass(slots=True)
class DayClock:
    """Which clocks a number may be, by all that was read of it."""

    scales: tuple[str, ...] = tuple(SCALES)
    readings: int = 0
    low_s: float = 0.0
    """Least and most that it was off the time, by the first of the scales that are left."""
    high_s: float = 0.0
    since_s: float = 0.0
    """When it was read first, and (`until_s`) last."""
    until_s: float = 0.0

    @property
    def spread_s(self) -> float:
        """Most that it was off by more at one time than at another."""
        return self.high_s - self.low_s

    @property
    def known(self) -> str:
        """The clock that it is; empty for none, or none yet."""
        if not self.scales or self.readings < SURE:
            return ""
        long = _SPAN_S + 4 * self.spread_s
        return self.scales[0] if self.until_s - self.since_s >= long else ""

    def learn(self, reading: Reading, now_s: float) -> None:
        """Legacy gave this number then."""
        if not self.scales:
            return
        number = _number(reading)
        if number is None:
            self.scales = ()
            return
        left = tuple(name for name in self.scales if _shows(SCALES[name], number, now_s))
        if left[:1] != self.scales[:1]:
            self.readings = 0
        self.scales = left
        if not left:
            return
        off = SCALES[left[0]].off(number, now_s)
        self.low_s = min(self.low_s, off) if self.readings else off
        self.high_s = max(self.high_s, off) if self.readings else off
        self.since_s = min(self.since_s, now_s) if self.readings else now_s
        self.until_s = max(self.until_s, now_s) if self.readings else now_s
        self.readings += 1
        if self.spread_s > _steady(number, SCALES[left[0]]):
            self.scales = left[1:]
            self.readings = 0

    def merge(self, other: DayClock) -> None:
        """What both may be."""
        self.scales = tuple(name for name in self.scales if name in other.scales)
        if other.readings > self.readings:
            self.readings, self.low_s, self.high_s = other.readings, other.low_s, other.high_s
            self.since_s, self.until_s = other.since_s, other.until_s

    def to_data(self) -> list[Any]:
        """The JSON form."""
        off, read = [self.low_s, self.high_s], [self.since_s, self.until_s]
        return [list(self.scales), self.readings, *off, *read]

    @classmethod
    def from_data(cls, data: Sequence[Any]) -> DayClock:
        """Read the JSON form. Raises TypeError or ValueError for what is none."""
        scales, readings, *seconds = data
        known = tuple(name for name in map(str, scales) if name in SCALES)
        low, high, since, until = map(float, seconds)
        return cls(known, int(readings), low, high, since, until)


_DECIMAL = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,12})?")


def _number(reading: Reading) -> float | None:
    """The number, also when a text holds nothing else."""
    if reading.nature in NUMBERS:
        return reading.number
    written = reading.nature == "word" and _DECIMAL.fullmatch(reading.text)
    return float(reading.text) if written else None


def _shows(scale: _Scale, number: float, now_s: float) -> bool:
    off = scale.off(number, now_s)
    if abs(off) > MOST_OFF_S or _written_s(number, scale) > _FINE_S:
        return False
    if not scale.each_s:
        return True
    if not 0 <= number * scale.unit_s < scale.each_s:
        return False
    zones = off - _ZONES_S * round(off / _ZONES_S)
    return abs(zones) <= _ZONE_OFF_S + _written_s(number, scale)


def _written_s(number: float, scale: _Scale) -> float:
    """Seconds of its last digit that is written."""
    _, _, decimals = repr(number).partition(".")
    places = 0 if decimals == "0" or "e" in decimals else len(decimals)
    return float(scale.unit_s * 10.0**-places)


def _steady(number: float, scale: _Scale) -> float:
    return _STEADY_S + 2 * max(_written_s(number, scale), 0.0)


def seconds_apart(name: str, legacy: Reading, new: Reading) -> float | None:
    """Seconds from one reading of a clock to another, the short way round; None where one is no
    number."""
    scale, here, there = SCALES[name], _number(legacy), _number(new)
    if here is None or there is None:
        return None
    return scale.off(there, scale.seconds(here))
