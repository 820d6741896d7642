"""What the differing requests have in common: the seeded cause is named, and none is invented."""

from __future__ import annotations

import random

import pytest

from figway.evidence.common import AskedRequest, by_chance, common, lower_bound, upper_bound

KINDS = {
    "a parameter's value": "with currency=JPY",
    "a parameter's presence": "with expand",
    "a parameter's absence": "without page",
    "a cookie's value": "with cookie lang=ja",
    "a cookie's presence": "with cookie beta",
    "an Origin": "with header origin=https://partner.example",
    "signed-in users": "signed in",
    "a path segment": "with path segment 2=archive",
    "a media type that is asked for": "with header accept=text/csv",
    "two conditions together": "with currency=JPY and with cookie beta",
}


def _asked(dice: random.Random, kind: str | None, caused: bool) -> AskedRequest:
    """A request; `caused` says whether the cause of this kind holds for it."""
    currency = dice.choice(["EUR", "USD", "GBP"])
    beta = dice.random() < 0.3
    if kind == "a parameter's value" and caused:
        currency = "JPY"
    if kind == "two conditions together":
        currency = "JPY" if caused or (dice.random() < 0.4) else currency
        beta = True if caused else (beta and currency != "JPY")
    if kind == "a cookie's presence":
        beta = caused
    query = [f"currency={currency}", f"q={dice.randrange(1000)}"]
    if caused if kind == "a parameter's absence" else dice.random() < 0.2:
        pass
    else:
        query.append(f"page={dice.randrange(9)}")
    if kind == "a parameter's presence" and caused:
        query.append(f"expand={dice.randrange(99)}")
    segment = "archive" if kind == "a path segment" and caused else dice.choice(["items", "shops"])
    lang = "ja" if kind == "a cookie's value" and caused else dice.choice(["en", "de"])
    accept = "text/csv" if "media type" in (kind or "") and caused else "application/json"
    cookies = [f"lang={lang}", *([f"beta={dice.randrange(99)}"] if beta else [])]
    headers = [("Accept", accept), ("Cookie", "; ".join(cookies)),
               ("User-Agent", dice.choice(["a", "b", "c"]))]  # fmt: skip
    if kind == "an Origin" and caused:
        headers.append(("Origin", "https://partner.example"))
    signed = caused if kind == "signed-in users" else dice.random() < 0.5
    return AskedRequest("GET", f"/api/{segment}?{'&'.join(query)}", tuple(headers), "", signed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seeded_cause_is_named(kind: str) -> None:
    """Principle 10."""
    named = 0
    for seed in range(10):
        dice = random.Random(f"{kind}{seed}")
        differing = [_asked(dice, kind, True) for _ in range(40)]
        others = [_asked(dice, kind, False) for _ in range(60)]
        found = common(differing, others)
        named += found is not None and set(found.condition.split(" and ")) == set(
            KINDS[kind].split(" and ")
        )
    assert named >= 9


def test_none_is_invented_where_there_is_none() -> None:
    invented = 0
    for seed in range(200):
        dice = random.Random(seed)
        asked = [_asked(dice, None, False) for _ in range(60)]
        invented += common(asked[:20], asked[20:]) is not None
    assert invented <= 5


def test_few_requests_prove_no_cause() -> None:
    one = AskedRequest("GET", "/a?currency=JPY")
    other = AskedRequest("GET", "/a?currency=EUR")
    assert common([one] * 4, [other] * 400) is None
    found = common([one] * 40, [other] * 360)
    assert found is not None
    assert found.text == "with currency=JPY: 40 of the 40 that differ, 0 of 360 others"


def test_the_bounds_are_those_of_clopper_and_pearson() -> None:
    """Vectors by the beta distribution: 0 of 10 and 5 of 10 at 2.5 % a side."""
    assert upper_bound(0, 10, 0.025) == pytest.approx(0.30850, abs=1e-4)
    assert lower_bound(5, 10, 0.025) == pytest.approx(0.18709, abs=1e-4)
    assert upper_bound(5, 10, 0.025) == pytest.approx(0.81291, abs=1e-4)


def test_what_chance_alone_would_split_so_is_by_fisher() -> None:
    """Vectors by hand, the first two from the lady who tastes tea: four cups of eight."""
    assert by_chance(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert by_chance(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert by_chance(0, 4, 4, 4) == pytest.approx(1)
    assert by_chance(5, 5, 1, 3) == pytest.approx(3 / 28)
    assert by_chance(40, 40, 0, 360) < 1e-50
