"""Moments as programs write them: each excuses the time between two askings, and no hour."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from figway.evidence.noise.text_forms import parts
from figway.evidence.noise.values import read
from tests.unit.figway.evidence.noise.test_forms import digest, fit, learned, moment

WRITTEN = {
    "java": "%a %b %d %H:%M:%S UTC %Y",
    "mail": "%a, %d %b %Y %H:%M:%S +0000",
    "go": "%Y-%m-%d %H:%M:%S.%f +0000 UTC",
    "zoned": "%Y-%m-%dT%H:%M:%S+00:00[Etc/UTC]",
    "digits": "%Y%m%d%H%M%S",
    "basic": "%Y%m%dT%H%M%SZ",
    "american": "%m/%d/%Y %I:%M:%S %p",
    "german": "%d.%m.%Y %H:%M:%S",
    "time alone": "%H:%M:%S",
    "words around": "Made by web-1 on %b %d, %Y, %I:%M:%S %p in Berlin",
    "file": "export-%Y%m%d-%H%M%S.csv",
    "calendar": "DTSTAMP:%Y%m%dT%H%M%SZ",
}


@pytest.mark.parametrize("layout", WRITTEN.values(), ids=WRITTEN)
def test_a_moment_in_any_writing_excuses_no_hour(layout: str) -> None:
    """As a text, only its seconds vary: a clock that is an hour off is then the same text."""

    def told(seconds: float) -> str:
        return datetime.fromtimestamp(1_780_000_000 + seconds, UTC).strftime(layout)

    clock = iter(range(0, 10_000, 7))
    form = learned(lambda: told(next(clock)), looks=20, apart_ms=7_000.0)
    assert fit(form, told(2_000), told(2_001)) == "yes"
    for off in (3_600, -3_600, 86_400 * 31) if "%d" in layout else (3_600, -3_600):
        assert fit(form, told(2_000), told(2_000 + off)) == "no", told(2_000 + off)


@pytest.mark.parametrize(
    ("each", "before"), [(10**6, 0), (10**9, 0), (10**7, 62_135_596_800), (10**7, 11_644_473_600)]
)
def test_a_fine_count_of_time_is_a_moment(each: int, before: int) -> None:
    """Microseconds, nanoseconds, ticks of .NET and of Windows: an hour is no jump of orders."""

    def told(seconds: float) -> int:
        return int((1_780_000_000 + before + seconds) * each)

    clock = iter(range(1_000))
    form = learned(lambda: told(next(clock)), apart_ms=1_000.0)
    assert form.kind == "instant"
    assert fit(form, told(5), told(5.2)) == "yes"
    assert fit(form, told(5), told(3_605)) == "no"


def test_a_moment_of_another_precision_is_outside() -> None:
    clock = iter(range(10_000))
    form = learned(lambda: moment(next(clock) % 3_000)[:-1] + ".123Z", looks=50)
    assert fit(form, moment(1)[:-1] + ".123Z", moment(1)[:-1] + ".523Z") == "yes"
    for other in (moment(1), moment(1)[:-1] + ".523000Z", moment(1)[:-1] + ".5Z"):
        assert fit(form, moment(1)[:-1] + ".123Z", other) == "no", other


def test_a_fraction_without_its_last_zeros_is_of_the_form() -> None:
    """One moment of ten ends in a zero, and some writers leave it out."""
    clock = iter(range(10_000))
    plain = learned(lambda: moment(next(clock) % 3_000)[:-1] + ".123Z", looks=12)
    assert fit(plain, moment(1)[:-1] + ".123Z", moment(1)[:-1] + ".52Z") == "young"
    assert fit(plain, moment(1)[:-1] + ".123Z", moment(1)) == "no"
    plain.learn(read(moment(1)[:-1] + ".12Z"), read(moment(1)[:-1] + ".123Z"), 20.0, digest)
    assert fit(plain, moment(1)[:-1] + ".123Z", moment(1)[:-1] + ".5Z") == "yes"
    assert fit(plain, moment(1)[:-1] + ".123Z", moment(1)[:-1] + ".123456Z") == "no"


def test_letters_without_end_after_a_time_cost_nothing() -> None:
    """Bodies may be hostile: a zone has one reading."""
    text = "10:00:00 " + "A" * 3_000 + "1"
    assert read(text).nature != "instant"
    assert parts(text)


def test_a_name_that_holds_a_moment_is_no_token() -> None:
    assert read("export-20260601-100001.csv").nature == "word"
    assert read("a1b2c3d4e5f60718").nature == "token"
