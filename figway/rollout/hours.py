"""The days and hours in which a rollout may move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from figway.rollout.plan import MoveHours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(hours: MoveHours, now_ms: int, zone: tzinfo) -> bool:
    """Whether moves are allowed at this moment. `zone` is that of `hours.zone`.

    Hours that end at or before they begin reach into the next day, and belong to the day on which
    they begin. Daylight saving is the zone's business: the wall clock there is what counts.
    """
    local = datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(zone)
    minute, day = local.hour * 60 + local.minute, local.weekday()
    if hours.begin < hours.end:
        return day in hours.days and hours.begin <= minute < hours.end
    if minute >= hours.begin:
        return day in hours.days
    return minute < hours.end and (day - 1) % 7 in hours.days


def opens_at(hours: MoveHours, now_ms: int, zone: tzinfo) -> datetime | None:
    """The next moment at which moves are allowed, in the zone; None if there is none.

    Hours that fall into the one that daylight saving leaves out begin when the clock goes on; ones
    that are left out whole are not there on that day.
    """
    now = datetime.fromtimestamp(now_ms / 1_000, UTC)
    if is_open(hours, now_ms, zone):
        return now.astimezone(zone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for day in range(_LOOKED_AHEAD_DAYS):
        begin = today + timedelta(days=day, minutes=hours.begin)
        found = [at for at in _beginnings(begin, zone) if at > now and _opens(hours, at, zone)]
        if found:
            return min(found).astimezone(zone)
    return None


_LOOKED_AHEAD_DAYS = 16
"""Two weeks, as daylight saving may leave out the one opening of a week."""
_LONGEST_GAP = 180
"""Minutes that daylight saving leaves out at most, with an hour to spare."""


def _beginnings(begin: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The moments at which a clock in the zone may show `begin`, or the first minute after it."""
    for fold in (0, 1):
        yield begin.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if _is_left_out(begin, zone):
        for minute in range(_LONGEST_GAP):
            later = begin + timedelta(minutes=minute)
            if not _is_left_out(later, zone):
                yield later.replace(tzinfo=zone).astimezone(UTC)
                return


def _is_left_out(local: datetime, zone: tzinfo) -> bool:
    there = local.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local


def _opens(hours: MoveHours, at: datetime, zone: tzinfo) -> bool:
    return is_open(hours, int(at.timestamp() * 1_000), zone)


def days_text(days: frozenset[int]) -> str:
    """Days as they are written in a plan: `mon-thu`, or `mon,wed`."""
    found = sorted(days)
    if len(found) > 1 and found == list(range(found[0], found[-1] + 1)):
        return f"{DAYS[found[0]]}-{DAYS[found[-1]]}"
    return ",".join(DAYS[day] for day in found)


def clock(minutes: int) -> str:
    """Minutes after midnight as `09:00`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
