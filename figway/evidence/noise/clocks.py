"""Moments of now as programs write them, beyond ISO 8601, HTTP dates and plain epochs.

A clock that is an hour off is found only where it is read as a clock: as a text, only its seconds
vary, and as a number it is one that grows. What is read here need not be exact in itself: both
sides are read alike, and what counts is how far apart they are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from figway.compare.moments import EPOCH_FIRST, EPOCH_LAST

DAY_S = 86_400.0
CLOCK = "clock "
"""Begins the notation of a time of day without its day."""

_TICKS_S = 62_135_596_800
"""Seconds from the year 1, from which .NET counts, to 1970."""
_FILETIME_S = 11_644_473_600
"""Seconds from 1601, from which Windows counts, to 1970."""
_COUNTS: tuple[tuple[str, int, int], ...] = (
    ("epoch_us", 10**6, 0),
    ("epoch_ns", 10**9, 0),
    ("ticks", 10**7, _TICKS_S),
    ("filetime", 10**7, _FILETIME_S),
)
"""How it is written, how many to a second, seconds before 1970 from which they count."""

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAYS = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? )?"
_TIME = (
    r"(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2}):(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
    r"(?: ?(?P<p>[AaPp]\.?[Mm]\.?))?"
)
_ZONE = (
    r"(?: ?(?:[A-Z]{1,4}|[+-][0-9]{2}:?[0-9]{2})(?![A-Za-z])){0,3}"
    r"(?:\[[A-Za-z/_]{1,40}\]| \([A-Za-z ]{1,40}\))?"
)
_WRITTEN = (
    rf"{_DAYS}(?P<d>[0-9]{{1,2}})[ -](?P<b>{_MONTHS})[a-z]{{0,6}}[ -]"
    rf"(?P<y>[0-9]{{4}}|[0-9]{{2}}) {_TIME}{_ZONE}",
    rf"{_DAYS}(?P<b>{_MONTHS})[a-z]{{0,6}} +(?P<d>[0-9]{{1,2}}),? "
    rf"(?P<y>[0-9]{{4}}),? {_TIME}{_ZONE}",
    rf"{_DAYS}(?P<b>{_MONTHS}) +(?P<d>[0-9]{{1,2}}) {_TIME}(?: [A-Z]{{3,4}})? (?P<y>[0-9]{{4}})",
    rf"(?P<d>[0-9]{{1,2}})\.(?P<m>[0-9]{{1,2}})\.(?P<y>[0-9]{{4}}),? (?:um )?{_TIME}",
    rf"(?P<m>[0-9]{{1,2}})/(?P<d>[0-9]{{1,2}})/(?P<y>[0-9]{{4}}),? (?:à )?{_TIME}",
    rf"(?P<y>[0-9]{{4}})[-/.](?P<m>[0-9]{{2}})[-/.](?P<d>[0-9]{{2}})[T ]{_TIME}{_ZONE}",
    r"(?P<y>20[0-9]{2})(?P<m>[01][0-9])(?P<d>[0-3][0-9])[T_-]?(?P<H>[0-2][0-9])(?P<M>[0-5][0-9])"
    r"(?P<S>[0-5][0-9])(?P<f>[0-9]{3})?Z?",
)
_BY_WEEK = rf"(?P<y>[0-9]{{4}})-?W(?P<w>[0-5][0-9])-?(?P<u>[1-7])[T ]{_TIME}{_ZONE}"
_BY_DAY = rf"(?P<y>[0-9]{{4}})-?(?P<j>[0-3][0-9]{{2}})T{_TIME}{_ZONE}"
_OF_ISO = ((re.compile(_BY_WEEK), "%G-%V-%u"), (re.compile(_BY_DAY), "%Y-%j"))
_PATTERNS = tuple(re.compile(pattern) for pattern in _WRITTEN)
_TIME_ALONE = re.compile(_TIME)
_DATE_CALL = re.compile(r"\\?/Date\((-?[0-9]{12,13})(?:[+-][0-9]{4})?\)\\?/")
_DECIMAL_EPOCH = re.compile(r"([0-9]{10})\.([0-9]{1,9})")
_GROUP = re.compile(r"\(\?P<\w>")
_AT_MOST = 64

IN_TEXT = "|".join(
    rf"(?<![0-9A-Za-z.{before}]){_GROUP.sub('(?:', pattern)}(?![0-9A-Za-z:])"
    for pattern, before in (*((one, "") for one in (_BY_WEEK, _BY_DAY, *_WRITTEN)), (_TIME, ":"))
)
"""Finds them within a text."""
_IN_TEXT = re.compile(IN_TEXT)


def holds_moment(text: str) -> bool:
    """Whether a moment stands within a text, as in a file's name."""
    return _IN_TEXT.search(text) is not None


def counted(number: float) -> tuple[str, float] | None:
    """(how it is written, seconds since 1970) of a number that counts finely; None for others."""
    for name, each, before in _COUNTS:
        seconds = number / each - before
        if EPOCH_FIRST <= seconds <= EPOCH_LAST:
            return name, seconds
    return None


@lru_cache(maxsize=4_096)
def written(text: str) -> tuple[str, float] | None:
    """(how it is written, seconds since 1970 or of the day) of a moment; None for others."""
    if not 7 <= len(text) <= _AT_MOST or not any(map(str.isdigit, text)):
        return None
    if text.isdigit() and len(text) in (16, 18, 19):
        return counted(int(text))
    if found := _DATE_CALL.fullmatch(text):
        return "/Date()/", int(found[1]) / 1_000
    if found := _DECIMAL_EPOCH.fullmatch(text):
        return f"epoch.{len(found[2])}", float(text)
    for number, pattern in enumerate(_PATTERNS):
        if found := pattern.fullmatch(text):
            seconds = _moment(found, number)
            return None if seconds is None else (_layout(text), seconds)
    for pattern, layout in _OF_ISO:
        if found := pattern.fullmatch(text):
            return _by_calendar(found, layout)
    if found := _TIME_ALONE.fullmatch(text):
        return f"{CLOCK}{_layout(text)}", _of_day(found)
    return None


def _by_calendar(found: re.Match[str], layout: str) -> tuple[str, float] | None:
    """A moment by its week (ISO 8601, 5.2.3), or by its day of the year (5.2.2)."""
    parts = found.groupdict()
    day = "-".join(parts[name] for name in ("y", "w", "u", "j") if parts.get(name))
    try:
        midnight = datetime.strptime(day, layout).replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = midnight.timestamp() + _of_day(found) - _offset(found[0])
    return _layout(found[0].replace("W", "")), seconds


def _layout(text: str) -> str:
    """Its writing: digits and names are of one length, or not, as the day has it."""
    return re.sub(r"[0-9]+", "#", re.sub(r"[A-Za-z]{3,}|[AaPp](?=\.?[Mm])", "a", text))


def _moment(found: re.Match[str], number: int) -> float | None:
    parts = found.groupdict()
    month = _month(parts.get("b")) or int(parts.get("m") or 0)
    day, year = int(parts["d"]), int(parts["y"])
    if number == 4 and not parts["p"] and day <= 12:
        month, day = day, month  # 01/06/2026 is the first of June where hours go to 24
    if month > 12 >= day:
        month, day = day, month
    try:
        midnight = datetime(year if year > 99 else 2000 + year, month, day, tzinfo=UTC)
    except ValueError:
        return None
    return midnight.timestamp() + _of_day(found) - _offset(found[0])


def _month(name: str | None) -> int:
    return 0 if name is None else _MONTHS.split("|").index(name) + 1


def _of_day(found: re.Match[str]) -> float:
    parts = found.groupdict()
    hour = int(parts["H"])
    half = (parts.get("p") or "").lower()[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    fraction = float(f"0.{parts['f']}") if parts.get("f") else 0.0
    return hour * 3_600 + int(parts["M"]) * 60 + int(parts["S"]) + fraction


def _offset(text: str) -> float:
    found = re.search(r"[0-9] ?(?:GMT)?([+-])([0-9]{2}):?([0-9]{2})", text)
    if found is None:
        return 0.0
    seconds = int(found[2]) * 3_600 + int(found[3]) * 60
    return float(-seconds if found[1] == "-" else seconds)


def apart_s(notation: str, before: float, after: float) -> float:
    """Seconds from one moment to another of one notation; the short way round the clock."""
    way = after - before
    if notation.startswith(CLOCK):
        way -= DAY_S * round(way / DAY_S)
    return way
