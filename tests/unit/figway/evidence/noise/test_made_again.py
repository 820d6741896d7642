"""Requests that are made again: differences that stay with them, and a side that stands still."""

from __future__ import annotations

import pytest

from figway.evidence.field_state import _odd
from figway.evidence.judgement import FieldJudgement, judge
from figway.evidence.noise.decide import Knowledge, Look
from figway.evidence.noise.forms import Form
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import Changes, Seen
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.noise.values import read
from figway.evidence.window import NO_DIFFERENCE, BuildEvidence
from tests.unit.figway.evidence.noise.test_forms import digest

NAMES = ("paced", "loosed", "clung", "still", "ahead", "rested", "went", "roamed")
FIELD, PLACE = "$.usd|changed", "$.usd|value"


def price(one: float, other: float) -> Seen:
    return Seen("$.usd", "$.usd", "changed", FIELD, one, other)


def counted(knowledge: Knowledge) -> dict[str, int]:
    told = knowledge.take()["looks"].get(PLACE, {})
    return {name: told[name] for name in NAMES if name in told}


@pytest.mark.parametrize(
    ("before", "now", "legacy", "name"),
    [
        ([], [], [price(5.1, 5.3)], "paced"),
        ([price(5.1, 5.0)], [], [price(5.1, 5.3)], "loosed"),
        ([], [price(5.3, 5.4)], [price(5.1, 5.3)], "loosed"),
        ([], [price(5.3, 5.1)], [price(5.1, 5.3)], "still"),
        ([], [price(5.1, 5.3)], [], "ahead"),
        ([price(5.1, 5.0)], [price(5.1, 5.0)], [], ""),
    ],
)
def test_each_repeat_is_counted_by_what_it_says(
    before: list[Seen], now: list[Seen], legacy: list[Seen], name: str
) -> None:
    knowledge = Knowledge(digest)
    assert not knowledge.made_again(before, now, Changes(legacy))
    assert (name in counted(knowledge)) is bool(name)


@pytest.mark.parametrize(
    ("legacy", "new", "name"),
    [([], [], "clung"), ([price(5.3, 5.2)], [], "loosed"), ([], [price(5.0, 5.1)], "loosed")],
)
def test_what_differs_twice_clings_where_both_say_the_same_again(
    legacy: list[Seen], new: list[Seen], name: str
) -> None:
    """`cents cut off`, `a rate of yesterday`: within the jitter of what legacy says in a minute."""
    knowledge = Knowledge(digest)
    now = [price(5.3, 5.0)]
    places = knowledge.made_again([price(5.1, 5.0)], now, Changes([price(5.1, 5.3)]))
    assert places == {PLACE}
    knowledge.clings(now, places, Look(Changes(legacy), Changes(new)))
    assert counted(knowledge) == {name: 1, "rested": 1}


@pytest.mark.parametrize(
    ("legacy", "now", "name"),
    [
        ([price(5.1, 5.3)], price(5.3, 5.0), "rested"),
        ([price(5.1, 5.3)], price(5.3, 5.2), "went"),
        ([], price(5.1, 5.2), "roamed"),
        ([], price(5.1, 5.0), ""),
    ],
)
def test_of_values_that_differ_twice_it_is_counted_who_says_another(
    legacy: list[Seen], now: Seen, name: str
) -> None:
    """`the same coupon each time`: legacy draws it anew, and new tells each customer one."""
    knowledge = Knowledge(digest)
    knowledge.made_again([price(5.1, 5.0)], [now], Changes(legacy))
    assert counted(knowledge) == ({name: 1} if name else {})


def judged(pairs: int, looks: PlaceLooks, mark: Mark = Mark.FORM) -> FieldJudgement:
    evidence = BuildEvidence()
    evidence.seen_at(1_000, 400_000)
    evidence.count(((FIELD, mark.value),), 1_000, pairs, 400_000)
    evidence.count(NO_DIFFERENCE, 1_000, 530 - pairs, 400_000)
    evidence.looks[PLACE] = looks
    [field] = judge(evidence).fields
    return field


@pytest.mark.parametrize(
    ("pairs", "looks"),
    [
        (26, PlaceLooks(paced=150, loosed=3, clung=8)),
        (60, PlaceLooks(paced=120, loosed=12, clung=14)),
        (80, PlaceLooks(still=60, ahead=1, loosed=61, paced=100)),
    ],
    ids=["clung", "clung amid moves", "still"],
)
def test_they_are_told_as_varying_differently(pairs: int, looks: PlaceLooks) -> None:
    field = judged(pairs, looks)
    assert field.standing == "varies_differently"
    assert field.finding


@pytest.mark.parametrize(
    ("pairs", "looks"),
    [
        (500, PlaceLooks(paced=2, loosed=20, clung=150)),
        (26, PlaceLooks(paced=150, loosed=24, clung=1)),
        (26, PlaceLooks(clung=90)),
        (100, PlaceLooks(still=30, ahead=24)),
        (100, PlaceLooks(still=5)),
    ],
    ids=["drawn by each", "read at two moments", "drawn for some alone", "kept by each", "seldom"],
)
def test_noise_does_not_cling(pairs: int, looks: PlaceLooks) -> None:
    assert judged(pairs, looks).standing == "noise"


FAR_LOOKS = PlaceLooks(paced=40, loosed=4)


def far(first_ms: int, last_ms: int, looks: PlaceLooks, number: int = 26) -> FieldJudgement:
    evidence = BuildEvidence()
    evidence.seen_at(1_000, 400_000)
    evidence.count(((FIELD, Mark.FAR.value),), first_ms, number, last_ms)
    evidence.count(NO_DIFFERENCE, 1_000, 530 - number, 200_000)
    evidence.looks[PLACE] = looks
    [field] = judge(evidence).fields
    return field


def test_a_number_that_both_read_is_wrong_where_it_is_far_off() -> None:
    """`always at the front`: a counter of new's own may stand anywhere, a place in a queue not."""
    assert far(2_000, 300_000, FAR_LOOKS).standing == "real"


@pytest.mark.parametrize(
    ("first_ms", "looks", "number"),
    [
        (2_000, PlaceLooks(loosed=3), 26),
        (201_000, FAR_LOOKS, 26),
        (2_000, FAR_LOOKS, 2),
        (2_000, FAR_LOOKS, 500),
    ],
    ids=["only some tell it", "since a restart of new", "too few", "of each side"],
)
def test_a_counter_of_its_own_is_none(first_ms: int, looks: PlaceLooks, number: int) -> None:
    assert far(first_ms, 400_000, looks, number).standing == "noise"


@pytest.mark.parametrize(("values", "odd"), [(20, False), (2, True)])
def test_a_faster_new_varies_alike(values: int, odd: bool) -> None:
    """`elapsed milliseconds`: of few values one that new never gives is told, of measures none."""
    form, sketch = Form(), PlaceSketch()
    for turn in range(400):
        one, other = read(turn * 7 % values), read(turn * 3 % values)
        form.learn(one, other, 20.0, digest)
        sketch.count(read(turn % values), read(0), 20.0, digest)
    form.turned = sketch.turned = True
    assert form.kind == "choice"
    sketch.values = {key: [max(entry[0], 9), 0, 0, 0] for key, entry in sketch.values.items()}
    found = _odd(PLACE, form, sketch)
    assert (found is not None) is odd
