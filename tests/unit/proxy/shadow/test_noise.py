"""Learning what legacy disagrees with itself about."""

from __future__ import annotations

from figway.compare.answer import Answer
from figway.compare.verdict import Comparison, compare
from proxy.shadow.noise import WARM_UP, Noise


def pair(left: str, right: str) -> Comparison:
    headers = (("Content-Type", "application/json"),)
    return compare(Answer(200, headers, left.encode()), Answer(200, headers, right.encode()))


NOISY = pair('{"seen":1,"price":1}', '{"seen":2,"price":1}')
REAL = pair('{"seen":1,"price":1}', '{"seen":2,"price":9}')
SAME = pair("{}", "{}")


def test_the_first_pairs_of_a_window_are_all_asked_twice() -> None:
    """trap 29"""
    noise = Noise(200, {})
    for _ in range(WARM_UP):
        assert noise.wanted(9_999)
        noise.asked()
    assert not noise.wanted(200)
    assert noise.wanted(199)
    assert not Noise(0, {}).wanted(0)


def test_a_field_becomes_noise_and_a_real_difference_beside_it_stays() -> None:
    """trap 29"""
    noise = Noise(200, {})
    assert noise.learning
    for _ in range(6):
        noise.own(NOISY)
        noise.pair(NOISY)
    assert not noise.learning
    assert noise.fields == {"$.seen|changed"}
    assert noise.relabel(NOISY).verdict == "match"
    assert noise.relabel(NOISY).signature == ""
    again = noise.relabel(REAL)
    assert again.verdict == "mismatch"
    assert [(item.path, item.noise) for item in again.differences] == [
        ("$.price", False),
        ("$.seen", True),
    ]
    assert again.signature != REAL.signature


def test_a_person_has_the_last_word() -> None:
    noise = Noise(200, {"$.seen": False, "$.price|changed": True})
    for _ in range(6):
        noise.own(NOISY)
        noise.pair(REAL)
    assert "$.seen|changed" not in noise.fields
    assert "$.price|changed" in noise.fields


def test_without_a_sample_nothing_is_learned_or_waited_for() -> None:
    noise = Noise(0, {})
    assert not noise.learning
    noise.pair(REAL)
    assert noise.fields == frozenset()
    assert noise.relabel(SAME) is SAME
