"""Moments in time as answers write them: ISO 8601, HTTP dates, epochs in seconds and
milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

ISO_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
HTTP_DATE_PATTERN = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
_ISO = re.compile(ISO_PATTERN)
_HTTP_DATE = re.compile(HTTP_DATE_PATTERN)
# 2001-09-09 to 2096-10-02: before, a number is more likely to count something than to tell the
# time.
EPOCH_FIRST, EPOCH_LAST = 1_000_000_000, 4_000_000_000


def moment(value: object) -> tuple[str, float] | None:
    """(how it is written, seconds since 1970) of a value that tells a time; None for any other.

    Without an offset, UTC is taken: both sides are read alike, which is what a difference needs.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _epoch(value)
    if isinstance(value, str) and 10 <= len(value) <= 40:
        if value.isascii() and value.isdigit() and len(value) in (10, 13):
            return _epoch(int(value))
        return _written(value)
    return None


_DIGITS = re.compile(r"[0-9]+")


def layout(text: str) -> str:
    """An RE2 pattern for moments that are written as this one is: its digits, signs and offset."""
    if _HTTP_DATE.fullmatch(text):
        return HTTP_DATE_PATTERN
    if _ISO.fullmatch(text) is None:
        return f"[0-9]{{{len(text)}}}"
    offset = text[16:].lstrip("0123456789:.,")
    plain = text.removesuffix(offset)
    digits = _DIGITS.sub(lambda found: f"[0-9]{{{len(found[0])}}}", plain.replace(".", "[.]"))
    return digits + re.escape(offset).replace(r"\-", "-").replace(r"\:", ":")


_PARTS = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_UTC = frozenset({"+0000", "-0000", "Z", "z"})


def notations(legacy: str, new: str) -> Literal["equal", "notation"] | None:
    """Whether two unequal texts tell the same moment, and in one way of telling it or in two.

    `equal`: the same wall clock and offset, written with or without zeros behind the seconds, with
    `Z` or `+00:00`. `notation`: the same moment at another offset or in another layout. None for
    all else, also for a moment without an offset against one with.
    """
    if not 16 <= len(legacy) <= 40 or not legacy[:2].isdigit():
        return None
    left, right = _PARTS.fullmatch(legacy), _PARTS.fullmatch(new)
    if left and right and _told(left) == _told(right):
        return "equal"
    here, there = _exact(legacy), _exact(new)
    return "notation" if here is not None and here == there else None


def _told(parts: re.Match[str]) -> tuple[str, str, str, str]:
    day, time, fraction, offset = parts.groups(default="")
    plain = offset.replace(":", "")
    return day, time, fraction.rstrip("0"), "+0000" if plain in _UTC else plain


def _exact(text: str) -> tuple[datetime, bool, str] | None:
    """The moment, whether it names an offset, and what is finer than a microsecond."""
    if len(text) > 40 or _ISO.fullmatch(text) is None:
        return None
    short = re.sub(r"[.,]([0-9]{6})[0-9]*", r".\1", text.upper().replace(",", "."))
    finer = re.search(r"[.,][0-9]{6}([0-9]*)", text)
    try:
        when = datetime.fromisoformat(short)
    except ValueError:
        return None
    aware = when.tzinfo is not None
    fine = finer[1].rstrip("0") if finer else ""
    return (when if aware else when.replace(tzinfo=UTC)).astimezone(UTC), aware, fine


def _epoch(number: float) -> tuple[str, float] | None:
    if EPOCH_FIRST <= number <= EPOCH_LAST:
        return "epoch_s", float(number)
    if EPOCH_FIRST * 1000 <= number <= EPOCH_LAST * 1000:
        return "epoch_ms", number / 1000
    return None


def _written(text: str) -> tuple[str, float] | None:
    try:
        if _ISO.fullmatch(text):
            # datetime knows microseconds; some write nanoseconds.
            short = re.sub(r"[.,]([0-9]{6})[0-9]*", r".\1", text.upper().replace(",", "."))
            return "iso_timestamp", _seconds(datetime.fromisoformat(short))
        if _HTTP_DATE.fullmatch(text):
            return "http_date", _seconds(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        # It looks like a moment but is none, such as the 31st of February.
        return None
    return None


def _seconds(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
