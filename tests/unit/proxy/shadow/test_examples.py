"""How many pairs of a signature are kept: enough at first, few later."""

from __future__ import annotations

from proxy.capture.message import Captured
from proxy.shadow.examples import ENOUGH, FIRST, LATER, Quota

HOUR_MS = 3_600_000


def captured(hour: int = 0) -> Captured:
    found = Captured()
    found.route, found.window, found.at_ms = "r", "w", hour * HOUR_MS
    return found


def taken(quota: Quota, name: str, hour: int = 0, asked: int = 50) -> int:
    return sum(quota.take(captured(hour), "mismatch", name) for _ in range(asked))


def test_a_signature_has_enough_to_be_split_at_first_and_few_later() -> None:
    """Of five requests and five others no condition splits surely."""
    quota = Quota()
    assert [taken(quota, "a", hour) for hour in range(3)] == [FIRST, LATER, LATER]


def test_a_window_of_many_signatures_has_few_of_each() -> None:
    """A route whose noise makes each pair another signature is not stored whole."""
    quota = Quota()
    kept = [taken(quota, f"{number}") for number in range(2 * ENOUGH // FIRST)]
    assert set(kept[: ENOUGH // FIRST]) == {FIRST}
    assert set(kept[ENOUGH // FIRST :]) == {LATER}
