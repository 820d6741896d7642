"""The days and hours in which a rollout may move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from figway.rollout.plan import MoveHours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_A_DAY = 24 * 60


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
    """The next moment at which moves are allowed, in the zone; None if there is none."""
    now = datetime.fromtimestamp(now_ms / 1_000, UTC).replace(second=0, microsecond=0)
    if is_open(hours, now_ms, zone):
        return now.astimezone(zone)
    for minutes in range(_MINUTES_A_DAY * 8):
        at = now + timedelta(minutes=minutes + 1)
        if is_open(hours, int(at.timestamp() * 1_000), zone):
            return at.astimezone(zone)
    return None


def hours_text(hours: MoveHours) -> str:
    """Such as `mon-thu 09:00-16:00 Europe/Berlin`."""
    return f"{days_text(hours.days)} {clock(hours.begin)}-{clock(hours.end)} {hours.zone}"


def days_text(days: frozenset[int]) -> str:
    """Days as they are written in a plan: `mon-thu`, or `mon,wed`."""
    found = sorted(days)
    if len(found) > 1 and found == list(range(found[0], found[-1] + 1)):
        return f"{DAYS[found[0]]}-{DAYS[found[-1]]}"
    return ",".join(DAYS[day] for day in found)


def clock(minutes: int) -> str:
    """Minutes after midnight as `09:00`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
