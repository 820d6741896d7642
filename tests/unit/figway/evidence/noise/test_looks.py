"""What a look at a place says: by its own form, late enough, and amid noise of others."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import replace

import pytest

from figway.compare.answer import Answer
from figway.compare.canonical.json import Value
from figway.compare.verdict import compare
from figway.evidence.field_state import FieldState
from figway.evidence.judgement import judge
from figway.evidence.noise.decide import Knowledge, Look
from figway.evidence.noise.form_fit import Fit, fit_of
from figway.evidence.noise.forms import Form
from figway.evidence.noise.legacy_forms import LegacyForms, PlaceForm
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.seen import Changes, Seen
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.noise.values import read
from figway.evidence.occurrences import occurrences
from figway.evidence.window import BuildEvidence
from tests.unit.figway.evidence.noise.test_forms import CHANCE, digest, hexadecimal, learned

# -- positions ------------------------------------------------------------------------------------


def line(number: int, one: str, other: str) -> Seen:
    return Seen(f"$[{number}]", "$[*]", "changed", "$[*]|changed", one, other)


def test_a_line_is_held_to_its_own_form_not_to_those_beside_it() -> None:
    """A calendar's DTSTAMP is a moment, though a line above it is a UUID."""
    forms = LegacyForms(digest)
    for at in range(20):
        uid = [f"UID:{uuid.UUID(int=CHANCE.getrandbits(128))}" for _ in range(2)]
        stamp = [f"DTSTAMP:20260601T1000{at + n:02}Z" for n in range(2)]
        forms.learn(Changes([line(2, *uid), line(3, *stamp)]), 1_000.0)
    seen = line(3, "DTSTAMP:20260601T100030Z", "DTSTAMP:20260601T110030Z")
    known = forms.find(seen)
    assert known is not None
    assert fit_of(known.at(seen, digest), *seen.readings, 20.0, digest) == "no"
    near = line(3, "DTSTAMP:20260601T100030Z", "DTSTAMP:20260601T100031Z")
    assert fit_of(known.at(near, digest), *near.readings, 20.0, digest) == "yes"
    told = PlaceForm.from_data(json.loads(json.dumps(known.to_data())))
    assert fit_of(told.at(seen, digest), *seen.readings, 20.0, digest) == "no"


def test_forms_of_earlier_readings_are_learned_anew() -> None:
    data = PlaceForm(learned(lambda: hexadecimal(32))).to_data()
    del data["v"]
    assert PlaceForm.from_data(data).form.kind == "none"


# -- what is kept for a while ----------------------------------------------------------------------


def number_place(legacy: Iterable[float], apart: float, late: int = 0) -> FieldState:
    """A field that differs in every pair, settled in each look; so many late looks were the same.

    The second pair of each number is that of another request.
    """
    knowledge, sketch = Knowledge(digest), PlaceSketch()
    same = Look(Changes(()), Changes(()))
    for one in legacy:
        seen = Seen("$.n", "$.n", "changed", "$.n|changed", one, one + apart)
        sketch.count(*seen.readings, 20.0, digest)
        for _ in range(5):
            assert knowledge.second(seen, same, 20.0, 0.0) is Mark.SLOW
    for _ in range(late):
        knowledge.late(seen, Changes(()))
    place = "$.n|value"
    return FieldState(
        "$.n|changed", "$.n", "changed", place, None, "", False, knowledge.looks[place], None,
        sketch, None, pairs=sketch.pairs,
    )  # fmt: skip


@pytest.mark.parametrize("legacy", [range(5_000, 5_030), [3.5] * 12 + [4.5] * 12 + [2.5] * 12])
def test_a_number_of_the_time_is_not_real_before_a_late_look(legacy: Iterable[float]) -> None:
    """Two processes began at two times, two caches keep a price for a second: each repeats its
    number while it is looked at again."""
    assert number_place(legacy, 900).outcome(Mark.SLOW) == "unconfirmed"
    assert number_place(legacy, 900, late=2).outcome(Mark.SLOW) == "counts"


@pytest.mark.parametrize("legacy", [[n * 37 % 101 for n in range(30)], [7] * 30])
def test_a_number_of_what_was_asked_for_counts_at_once(legacy: list[int]) -> None:
    assert number_place(legacy, 1).outcome(Mark.SLOW) == "counts"


def test_a_token_kept_for_many_requests_takes_the_last_late_look() -> None:
    """A page that is made anew every twenty seconds has one token for all who ask meanwhile."""

    def kept(**looks: int) -> FieldState:
        sketch = PlaceSketch()
        one, other = hexadecimal(32), hexadecimal(32)
        for _ in range(60):
            sketch.count(read(one), read(other), 20.0, digest)
        given = PlaceLooks(settled=60, slow=60, **looks)
        return FieldState(
            "$.t|changed", "$.t", "changed", "$.t|value", None, "", False, given, None, sketch,
            None, pairs=60,
        )  # fmt: skip

    assert kept(late_same=4).outcome(Mark.SLOW) == "unconfirmed"
    assert kept(late_same=4, late_long=1).outcome(Mark.SLOW) == "counts"


@pytest.mark.parametrize(("lag", "outcome"), [(1, "unconfirmed"), (900, "excused")])
def test_one_that_says_what_legacy_said_before_is_behind_and_no_noise(
    lag: int, outcome: str
) -> None:
    """Two processes that run for so long share no numbers; a cache that is a version behind has
    legacy's."""
    known = number_place(range(5_000, 5_060), -lag)
    known.looks.late_varied = 6
    assert known.sketch is not None
    assert known.sketch.follows is (lag == 1)
    form = learned(iter(range(7_000, 9_000)).__next__)
    assert replace(known, form=form).outcome(Mark.SLOW) == outcome


def test_a_line_that_never_varies_is_settled_beside_lines_that_do() -> None:
    form = learned(lambda: f"took {CHANCE.randrange(40)} ms", looks=60)
    looks = PlaceLooks(settled=6, varied=50)
    state = FieldState(
        "$[*]|changed", "$[*]", "changed", "$[*]|value", None, "", False, looks, form,
        PlaceSketch(pairs=60), None, covered=False,
    )  # fmt: skip
    assert state.outcome(Mark.SETTLED) == "counts"


def test_what_may_be_slow_noise_never_counts_at_once() -> None:
    knowledge = Knowledge(digest)
    seen = Seen("$.t", "$.t", "changed", "$.t|changed", hexadecimal(32), hexadecimal(32))
    same = Look(Changes(()), Changes(()))
    for _ in range(40):
        assert knowledge.second(seen, same, 20.0, 0.0) is Mark.SLOW
    assert knowledge.first(seen, 20.0) is Mark.SLOW
    for _ in range(2):
        knowledge.late(seen, Changes(()))
    assert knowledge.first(seen, 20.0) is Mark.AT_ONCE


def test_a_repeat_of_a_user_is_as_late_as_it_is() -> None:
    knowledge = Knowledge(digest)
    seen = Seen("$.t", "$.t", "changed", "$.t|changed", hexadecimal(32), hexadecimal(32))
    for apart in (500.0, 3_000.0, 31_000.0):
        knowledge.second(seen, Look(Changes(()), Changes(()), apart_ms=apart), 20.0, 0.0)
    looks = knowledge.looks["$.t|value"]
    assert (looks.late_same, looks.late_long, looks.late_varied) == (2, 1, 0)


def test_what_legacy_never_says_is_beyond_also_where_it_repeats_itself() -> None:
    knowledge = Knowledge(digest)
    for _ in range(20):
        drawn = Seen("$.t", "$.t", "changed", "", hexadecimal(32), hexadecimal(32))
        knowledge.learn(Changes([drawn]), 20.0)
    seen = Seen("$.t", "$.t", "changed", "$.t|changed", hexadecimal(32), "none")
    same = Look(Changes(()), Changes(()))
    assert knowledge.second(seen, same, 20.0, 0.0) is Mark.BEYOND


def test_settled_by_chance_is_not_deep_where_values_come_again() -> None:
    form = learned(lambda: f"{CHANCE.randrange(10, 60)}x", looks=60)
    sketch = PlaceSketch(pairs=60, farthest=500.0, relative=0.9)
    looks = PlaceLooks(settled=6, varied=50)
    state = FieldState(
        "$.n|changed", "$.n", "changed", "$.n|value", None, "", False, looks, form, sketch, None
    )
    assert state.outcome(Mark.SETTLED) == "unconfirmed"


# -- what is missing amid noise --------------------------------------------------------------------


def test_an_element_that_is_missing_is_not_moved_by_what_varies_within_it() -> None:
    """Each item has a token; new lost an item: legacy's has another token by now, and is there."""
    knowledge = Knowledge(digest)
    item: Value = {"sku": "S1", "token": hexadecimal(24)}
    seen = Seen("$.items[2]", "$.items[*]", "missing", "$.items[*]|missing", item, None)
    token = Seen("$.items[2].token", "$.items[*].token", "changed", "", "a1", "b2")
    look = Look(Changes([token]), Changes(()))
    assert knowledge.second(seen, look, 20.0, 0.0) is Mark.SETTLED
    among = replace(seen, alone=False)
    assert Knowledge(digest).second(among, look, 20.0, 0.0) is Mark.NOT_LOOKED


def test_a_value_that_one_side_lacks_is_alone_without_one_in_its_stead() -> None:
    lost = compare(answer([1, 2, 3]), answer([1, 2]))
    assert [seen.alone for seen in occurrences(lost)] == [True]
    moved = compare(answer([1, 2, 3, 4, 5]), answer([2, 9, 4, 5, 1]))
    assert not any(seen.alone for seen in occurrences(moved) if seen.kind in ("missing", "added"))


def answer(data: object) -> Answer:
    head = (("Content-Type", "application/json"),)
    return Answer(200, head, json.dumps({"tags": data}).encode())


# -- orders ---


def order(one: list[str], other: list[str]) -> Seen:
    here: list[Value] = [*one]
    there: list[Value] = [*other]
    return Seen("$.list", "$.list", "order", "$.list|order", here, there)


def fit_order(looks: Iterable[list[str]], other: list[str]) -> Fit:
    """Whether another order of a list is one of legacy's, which turned it so."""
    words = [f"w{n}" for n in range(8)]
    form = Form(order=True)
    for turned in looks:
        form.learn(*order(words, turned).readings, 20.0, digest)
    return fit_of(form, *order(words, other).readings, 20.0, digest)


def test_ties_in_any_order_excuse_no_list_that_is_sorted_otherwise() -> None:
    words = [f"w{n}" for n in range(8)]
    ties = [[*words[:at], words[at + 1], words[at], *words[at + 2 :]] for at in range(7)] * 2
    assert fit_order(ties, ties[3]) == "yes"
    assert fit_order(ties, words[::-1]) == "no"
    shuffled = [CHANCE.sample(words, 8) for _ in range(20)]
    assert fit_order(shuffled, words[::-1]) == "yes"


# -- what goes on differing ------------------------------------------------------------------------


@pytest.mark.parametrize(("until", "held"), [(20, False), (1_000, True)])
def test_a_field_that_goes_on_differing_unexplained_keeps_from_proven(
    until: int, held: bool
) -> None:
    """Three of a hundred pairs are too few for the share of all, and more than the goal bears; the
    first pairs of a form that is being learned are none of these."""
    evidence = BuildEvidence()
    evidence.seen_at(1, 1_000)
    for at in range(1, 1_000):
        evidence.request(f"r{at % 300}", at)
        seldom = at < until and at % (2 if until < 100 else 30) == 0
        evidence.count((("$.total|changed", "q"),) if seldom else (), at)
    judged = judge(evidence)
    assert (judged.standing(0.99) == "proven") is not held
    assert any(reason.path == "$.total" for reason in judged.reasons) is held


def test_another_status_waits_for_no_later_look() -> None:
    """404 for 200 is no number that a side keeps for a while."""
    knowledge = Knowledge(digest)
    seen = Seen("status", "status", "changed", "status|changed", 200, 404)
    assert knowledge.second(seen, Look(Changes(()), Changes(())), 20.0, 0.0) is Mark.SETTLED
