"""A shadow worker that drops most of what it reads, reads less."""

from __future__ import annotations

from proxy.shadow.read_throttle import LEAST, LONGEST, ReadThrottle


def told(relief: ReadThrottle, came: int, dropped: int) -> bool:
    for number in range(came):
        relief.count(dropped=number < dropped)
    return relief.tick()


def rest(relief: ReadThrottle) -> int:
    """Ticks until it reads again."""
    number = 1
    while not relief.tick():
        number += 1
    return number


def test_rests_last_while_most_is_dropped_and_end_when_it_is_not() -> None:
    relief = ReadThrottle()
    rests = []
    for _ in range(LONGEST + 1):
        assert not told(relief, 10 * LEAST, 9 * LEAST)
        rests.append(rest(relief))
        assert told(relief, 10 * LEAST, 10 * LEAST), "what had piled up is not judged"
    assert rests == [*range(1, LONGEST + 1), LONGEST]
    assert told(relief, 100, 10)
    assert not told(relief, 10 * LEAST, 9 * LEAST)
    assert rest(relief) == 1


def test_a_few_drops_or_a_small_share_change_nothing() -> None:
    relief = ReadThrottle()
    assert told(relief, LEAST - 1, LEAST - 1)
    assert told(relief, 4 * LEAST, 2 * LEAST)
    assert told(relief, 0, 0)
