"""Differences within what legacy varies by itself, and noise that looks like one.

Each is a kind of the fixture in a time of its own (`bench.truth.streams`).
"""

from __future__ import annotations

import pytest

from tests.integration.proxy.shadow.test_moving_lists import judged

pytestmark = pytest.mark.long

ENOUGH = 530
"""Requests in which a fault of one in twenty is made again nine times."""


@pytest.mark.parametrize(
    "name",
    [
        "a rate of yesterday",
        "cents cut off",
        "always at the front",
        "kept a minute of data that lives five seconds",
        "views that skip",
        "one of them twice",
        "no line of when it was made",
        "the same coupon each time",
        "another nonce in the policy",
        "a label of another field",
        "dollars without cents amid rates",
        "pages that are never forgotten",
    ],
)
def test_what_the_form_of_a_place_excused_is_found(name: str) -> None:
    """Each passed as noise, or as too little to say, and its route was proven."""
    found = judged(name, requests=ENOUGH)
    assert found.found, found
    assert found.standing != "proven"


@pytest.mark.parametrize(
    "name",
    [
        "each page kept for ten seconds",
        "a coupon for some",
        "prices by a rate that moves",
        "a place in a queue",
        "four of twelve topics",
        "a price kept for a second",
        "labels of drawn ids",
        "a nonce in two scripts",
    ],
)
def test_what_both_sides_keep_or_draw_alike_is_no_difference(name: str) -> None:
    found = judged(name, requests=ENOUGH)
    assert (found.wrong, found.mismatch) == ("", 0), found
