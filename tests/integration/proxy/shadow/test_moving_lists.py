"""Streams of whole applications through the engine: what is found amid what moves, and what is not.

Each is a kind of the fixture in a time of its own (`bench.truth.streams`).
"""

from __future__ import annotations

import pytest

from bench.truth.kinds import Kind, kinds
from bench.truth.streams import stream
from bench.truth.verdicts import Verdict
from figway.model.comparison import LegacyReads

pytestmark = pytest.mark.long

KINDS = {kind.name: kind for kind in kinds()}


def judged(name: str, reads: LegacyReads = LegacyReads.ALLOWED, requests: int = 300) -> Verdict:
    kind: Kind = KINDS[name]
    found = stream(kind, reads, requests=requests)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "name",
    [
        "one row in seven lost from a feed",
        "a row twice in a feed",
        "a deleted row in a feed",
        "the last row of a feed lost",
        "a session hidden",
        "a score that is off",
        "kept five seconds of data that lives five",
        "by two for by one",
        "an hour off in days of Excel",
    ],
)
def test_what_a_moving_list_or_counter_hid_is_found(name: str) -> None:
    """Noise that was learned at a place excused whatever differed there."""
    assert judged(name).found


@pytest.mark.parametrize(
    "name",
    [
        "a feed that gains one a second",
        "sessions that end",
        "a list that is empty now and then",
        "a feed with advertisements",
        "views of each side",
        "data that lives five seconds",
        "a moment in days of Excel",
    ],
)
def test_what_moves_alike_is_no_difference(name: str) -> None:
    found = judged(name)
    assert (found.wrong, found.mismatch) == ("", 0), found


def test_new_that_is_behind_is_found_by_users_repeats_alone() -> None:
    found = judged("kept a minute of data that lives five seconds", LegacyReads.NEVER)
    assert "varies_differently" in found.reasons
