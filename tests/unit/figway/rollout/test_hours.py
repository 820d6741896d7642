"""Days and hours of moves on the clocks of people: midnight, daylight saving, rare openings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.rollout.hours import is_open, opens_at
from figway.rollout.parsing import parse_window
from figway.rollout.plan import MoveHours


def _hours(**data: str) -> MoveHours:
    found, findings = parse_window(data, "window")
    assert found is not None, findings
    return found


def _next(text: str, **data: str) -> str:
    hours = _hours(**data)
    zone = ZoneInfo(hours.zone)
    now = datetime.fromisoformat(text).astimezone(UTC)
    found = opens_at(hours, int(now.timestamp() * 1_000), zone)
    return "never" if found is None else found.strftime("%a %d %b %H:%M %Z")


@pytest.mark.parametrize(
    ("now", "hours", "opens"),
    [
        # A plain day, and the weekend in between.
        ("2026-12-01T08:00+01:00", "09:00-16:00", "Tue 01 Dec 09:00 CET"),
        ("2026-12-04T17:00+01:00", "09:00-16:00", "Mon 07 Dec 09:00 CET"),
        # Over midnight: it belongs to the day on which it begins.
        ("2026-12-05T12:00+01:00", "22:00-04:00", "Mon 07 Dec 22:00 CET"),
    ],
)
def test_the_next_opening(now: str, hours: str, opens: str) -> None:
    assert _next(now, days="mon-thu", hours=hours, zone="Europe/Berlin") == opens


def test_hours_that_begin_in_the_gap_begin_when_the_clock_goes_on() -> None:
    """29 March 2026, 02:00 becomes 03:00: what begins at 02:15 begins at 03:00."""
    spring = "2026-03-29T00:00+01:00"
    assert _next(spring, hours="02:15-04:00", zone="Europe/Berlin") == "Sun 29 Mar 03:00 CEST"


def test_hours_that_are_left_out_whole_come_a_week_later() -> None:
    """The one opening of the week is in the gap: the next is a week on, and is found."""
    found = _next(
        "2026-03-23T00:00+01:00", days="sun", hours="02:15-02:45", zone="Europe/Berlin"
    )  # fmt: skip
    assert found == "Sun 05 Apr 02:15 CEST"


def test_hours_that_come_twice_open_twice() -> None:
    """25 October 2026, 02:30 comes twice: after the first the second is next."""
    found = _next("2026-10-25T02:50+02:00", hours="02:30-02:45", zone="Europe/Berlin")
    assert found == "Sun 25 Oct 02:30 CET"


@given(
    begin=st.integers(0, 1_439),
    length=st.integers(1, 1_440),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
    at=st.integers(1_767_225_600, 1_830_211_200),
)
def test_it_is_shut_before_the_opening_and_open_at_it(
    begin: int, length: int, days: frozenset[int], zone: str, at: int
) -> None:
    """Whatever the hours: nothing between now and the next opening is open, looked at each
    quarter of an hour."""
    hours = MoveHours(days=days, begin=begin, end=(begin + length) % 1_440 or 1_440, zone=zone)
    place = ZoneInfo(zone)
    now = datetime.fromtimestamp(at, UTC)
    found = opens_at(hours, int(now.timestamp() * 1_000), place)
    assert found is not None
    assert is_open(hours, int(found.timestamp() * 1_000), place)
    moment = now
    while moment < found.astimezone(UTC):
        assert not is_open(hours, int(moment.timestamp() * 1_000), place), (moment, found)
        moment += timedelta(minutes=15)
