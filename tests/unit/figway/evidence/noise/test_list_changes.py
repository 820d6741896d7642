"""Elements of lists that move: what legacy's list does excuses no more than it does."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.rules import RuleSet
from figway.compare.verdict import compare
from figway.evidence.field_state import FieldState
from figway.evidence.noise.decide import Knowledge, Look
from figway.evidence.noise.legacy_forms import PlaceForm
from figway.evidence.noise.list_changes import ListChanges
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import Changes, Seen
from figway.evidence.occurrences import changes, occurrences
from tests.unit.figway.evidence.noise.test_forms import digest

PLACE = "$.rows[*]|presence"


def answer(ids: Sequence[object]) -> Answer:
    rows = [{"id": one, "title": f"Story {one}"} if isinstance(one, int) else one for one in ids]
    told = ((b"Content-Type", b"application/json"),)
    return Answer(200, told, json.dumps({"rows": rows}).encode())


def between(one: Sequence[object], other: Sequence[object]) -> Changes:
    return changes(compare(answer(one), answer(other), RuleSet(), Context()))


def differing(one: Sequence[object], other: Sequence[object]) -> list[Seen]:
    return list(occurrences(compare(answer(one), answer(other), RuleSet(), Context())))


def feed(newest: int) -> list[int]:
    return list(range(newest, newest - 12, -1))


def of_a_feed(looks: int = 20) -> Knowledge:
    """It gains one at its beginning, and loses one at its end."""
    knowledge = Knowledge(digest)
    for at in range(looks):
        knowledge.learn(between(feed(100 + at), feed(101 + at)), 30.0)
    return knowledge


def test_where_an_element_stands_is_told() -> None:
    """An element that is gone from within is not one that moved out."""
    spots = {seen.exact: seen.spot for seen in differing([9, 8, 7, 6, 5, 4, 3], [8, 6, 5, 4])}
    assert spots == {"$.rows[0]": "first", "$.rows[2]": "within", "$.rows[6]": "last"}


@pytest.mark.parametrize(
    ("new", "marks"),
    [
        (feed(201), {Mark.FORM}),
        ([one for one in feed(200) if one != 195], {None}),
        (feed(200)[:-1], {None}),
        ([*feed(200)[:3], 198, *feed(200)[3:]], {None}),
        (feed(199), {None}),
        (feed(207), {None}),
    ],
    ids=["moved on", "one lost", "the last lost", "one twice", "behind", "seven ahead"],
)
def test_a_feed_excuses_what_legacy_s_does_and_no_more(
    new: list[int], marks: set[Mark | None]
) -> None:
    knowledge = of_a_feed()
    assert {knowledge.first(seen, 20.0) for seen in differing(feed(200), new)} == marks


def test_what_new_lacks_came_since_where_new_was_asked_first() -> None:
    """New served, and legacy was asked after it: the list moved the other way round."""
    knowledge = of_a_feed()
    assert {knowledge.first(seen, -20.0) for seen in differing(feed(201), feed(200))} == {Mark.FORM}


@pytest.mark.parametrize(
    ("legacy_now", "new_now", "mark"),
    [
        ([9, 8, 7, 6], [9, 7, 6], Mark.SETTLED),
        ([9, 7, 6], [9, 7, 6], Mark.FORM),
        ([9, 8, 7, 6], [9, 8, 7, 6], Mark.UNSTEADY),
        ([10, 9, 8, 7], [10, 9, 7, 6], Mark.SETTLED),
    ],
    ids=["legacy has it yet", "legacy lost it too", "new has it again", "all moved on"],
)
def test_an_element_is_looked_for_by_what_it_is(
    legacy_now: list[int], new_now: list[int], mark: Mark
) -> None:
    """Not by its place, which moves."""
    one, other = [9, 8, 7, 6], [9, 7, 6]
    [seen] = differing(one, other)
    look = Look(between(one, legacy_now), between(other, new_now))
    assert Knowledge(digest).second(seen, look, 20.0, 0.0) is mark


def test_an_element_that_stands_in_another_s_place_is_gone() -> None:
    """Lists of few in common are held against each other by place."""
    one, other = [1, 2, 3, 4, 5], [1, 2, 4, 5, 6]
    [seen] = [found for found in differing(one, other) if found.kind == "missing"]
    look = Look(between(one, [1, 2, 30, 4, 5]), between(other, other))
    assert Knowledge(digest).second(seen, look, 20.0, 0.0) is Mark.FORM


def test_another_in_its_place_excuses_no_element_less() -> None:
    """`no line of when it was made`: legacy's says another moment each time, and never goes."""
    one, other = [1, 2, 3, 4, 5], [1, 2, 4, 5]
    [seen] = differing(one, other)
    look = Look(between(one, [1, 2, 30, 4, 5]), between(other, other))
    assert Knowledge(digest).second(seen, look, 20.0, 0.0) is Mark.SETTLED


def state(looks: PlaceLooks, lists: ListChanges) -> FieldState:
    field = "$.rows[*]|missing"
    known = PlaceForm(lists=lists)
    return FieldState(
        field, "$.rows[*]", "missing", PLACE, None, "", False, looks, known.form, None, None,
        lists=lists,
    )  # fmt: skip


DRAWN = ListChanges(looks=60, ways=frozenset({"+within", "-within"}), returned=True)
MOVES = ListChanges(looks=60, ways=frozenset({"+first", "-last"}))


@pytest.mark.parametrize(
    ("looks", "lists", "mark", "outcome"),
    [
        (PlaceLooks(settled=9, turned=8), DRAWN, Mark.SLOW, "excused"),
        (PlaceLooks(settled=40, turned=3, late_same=3), DRAWN, Mark.SLOW, "counts"),
        (PlaceLooks(settled=40, turned=3), DRAWN, Mark.SLOW, "excused"),
        (PlaceLooks(settled=10), MOVES, Mark.SETTLED, "counts"),
        (PlaceLooks(settled=3), MOVES, Mark.SETTLED, "unconfirmed"),
        (PlaceLooks(unsteady=12, varied=300), MOVES, Mark.UNSTEADY, "counts"),
        (PlaceLooks(unsteady=12, varied=11), DRAWN, Mark.UNSTEADY, "excused"),
        (PlaceLooks(unsteady=12, varied=11), MOVES, Mark.UNSTEADY, "unconfirmed"),
        (PlaceLooks(unsteady=60, varied=11), DRAWN, Mark.UNSTEADY, "counts"),
        (PlaceLooks(varied=60), MOVES, Mark.NOT_LOOKED, "excused"),
        (PlaceLooks(varied=60), ListChanges(looks=3), Mark.NOT_LOOKED, "unconfirmed"),
    ],
)
def test_what_looks_at_elements_come_to(
    looks: PlaceLooks, lists: ListChanges, mark: Mark, outcome: str
) -> None:
    """Of lists that are drawn anew, both sides turn as often as they settle, and each is the odd
    one equally often. A list that moves on is never the odd one."""
    assert state(looks, lists).outcome(mark) == outcome


def test_what_a_list_does_survives_json() -> None:
    knowledge = of_a_feed()
    told = json.loads(json.dumps(knowledge.take()))
    other = Knowledge(digest)
    other.restore(told)
    lists = other.forms.by_place[PLACE].lists
    assert lists == knowledge.forms.by_place[PLACE].lists
    assert lists.ways == {"+first", "-last"}
    assert not lists.uneven
    assert not lists.returned
