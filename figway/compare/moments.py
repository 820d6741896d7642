"""Moments in time as answers write them: ISO 8601, HTTP dates, epochs in seconds and
milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
