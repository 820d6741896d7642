"""Numbers that tell the time in days, hours or minutes; and numbers that do not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from figway.evidence.noise.day_clocks import SCALES, DayClock
from figway.evidence.noise.form_fit import fit_of
from figway.evidence.noise.forms import Form
from figway.evidence.noise.values import read
from tests.unit.figway.evidence.noise.test_forms import digest

NOW = 1_780_309_000.0
DAY = 86_400.0
WRITTEN: dict[str, Callable[[float], object]] = {
    "Excel": lambda at: round(at / DAY + 25_569, 6),
    "Excel as text": lambda at: f"{at / DAY + 25_569:.5f}",
    "Julian days": lambda at: at / DAY + 2_440_587.5,
    "a part of the day": lambda at: round(at / DAY % 1, 6),
    "hours": lambda at: round(at / 3_600, 4),
    "minutes of the day": lambda at: int(at / 60) % 1_440,
    "in a sentence": lambda at: f"made at {at / DAY + 25_569:.5f} days",
}


def learned(write: Callable[[float], object], looks: int = 24) -> Form:
    form = Form()
    for at in range(looks):
        now = NOW + 37.0 * at
        form.learn(read(write(now - 20)), read(write(now)), 20_000.0, digest, now)
    return Form.from_data(json.loads(json.dumps(form.to_data())))


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_an_hour_off_is_beyond_a_clock_that_counts_days(write: Callable[[float], object]) -> None:
    """As a number alone, an hour is a small step of a counter."""
    form, later = learned(write), NOW + 2_000
    now = fit_of(form, read(write(later)), read(write(later + 1)), 1_000.0, digest)
    off = fit_of(form, read(write(later)), read(write(later + 3_601)), 1_000.0, digest)
    assert (now, off) == ("yes", "no")


@pytest.mark.parametrize(
    "write",
    [
        lambda at: int(at - NOW + 7_000),
        lambda at: random.Random(at).uniform(0, 1),
        lambda at: random.Random(at).uniform(46_000, 46_400),
        lambda at: 46_174.25 + (at - NOW) / 10,
    ],
    ids=["seconds that a process runs", "a share", "a price", "a counter"],
)
def test_what_does_not_show_the_time_is_no_clock(write: Callable[[float], float]) -> None:
    clock = DayClock()
    for at in range(24):
        clock.learn(read(write(NOW + 37.0 * at)), NOW + 37.0 * at)
    assert not clock.known


def test_every_scale_is_known_by_itself() -> None:
    for name, scale in SCALES.items():
        clock = DayClock()
        for at in range(8):
            now = NOW + 301.0 * at
            there = (now + scale.zero_s) / scale.unit_s
            number = there % (scale.each_s / scale.unit_s) if scale.each_s else there
            clock.learn(read(float(number)), now)
        assert clock.known == name or name.startswith("days since"), (name, clock)


@pytest.mark.parametrize(
    "text", ["2026-W23-1T10:16:40Z", "2026-152T10:16:40Z", "2026-W23-1T11:16:40+01:00"]
)
def test_moments_by_week_and_by_day_of_the_year(text: str) -> None:
    found = read(text)
    assert (found.nature, found.number) == ("instant", NOW)
