"""Forms in which legacy varies: what each excuses, and what it does not."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Callable

import pytest

from figway.evidence.field_state import FieldState
from figway.evidence.noise.form_fit import Fit, fit_of, has_tails, surely_beyond
from figway.evidence.noise.forms import Form
from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.sketches import PlaceSketch
from figway.evidence.noise.values import ABSENT, read, read_header


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def learned(draw: Callable[[], object], looks: int = 12, apart_ms: float = 20.0) -> Form:
    """The form of legacy that draws its values so."""
    form = Form()
    for _ in range(looks):
        form.learn(read(draw()), read(draw()), apart_ms, digest)
    return form


def fit(form: Form, legacy: object, new: object, apart_ms: float = 20.0) -> Fit:
    return fit_of(form, read(legacy), read(new), apart_ms, digest)


CHANCE = random.Random(7)


def hexadecimal(length: int) -> str:
    return "".join(CHANCE.choice("0123456789abcdef") for _ in range(length))


def moment(seconds: float) -> str:
    return f"2026-11-30T10:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"


def test_a_token_excuses_another_of_its_form_alone() -> None:
    form = learned(lambda: hexadecimal(32))
    assert form.kind == "token"
    assert fit(form, hexadecimal(32), hexadecimal(32)) == "yes"
    for other in ("a1b2c3", "", "thirty-two-letters-but-no-token!", "UPPER" + hexadecimal(27)):
        assert fit(form, hexadecimal(32), other) == "no", other


def test_a_uuid_excuses_no_hexadecimal_of_the_same_length() -> None:
    form = learned(lambda: str(uuid.UUID(int=CHANCE.getrandbits(128))))
    assert fit(form, str(uuid.UUID(int=1 << 99)), str(uuid.UUID(int=5 << 90))) == "yes"
    assert fit(form, str(uuid.UUID(int=1 << 99)), hexadecimal(36)) == "no"


def test_a_rare_sign_of_base64_is_of_the_form() -> None:
    """A plus comes once in 64 characters: a nonce with the first of them is a nonce."""
    plain = iter("Zq3kXwBbR1tYc5uV" * 200)
    form = learned(lambda: "".join(next(plain) for _ in range(21)) + "9==", looks=4)
    assert fit(form, "Zq3kXw8bR1tYc5uVZq3kX9==", "aB+/eF3kXw8bR1tYc5uVZq==") == "yes"
    assert fit(form, "Zq3kXw8bR1tYc5uVZq3kX9==", "aB-_eF3kXw8bR1tYc5uVZq==") == "no"
    assert fit(form, "Zq3kXw8bR1tYc5uVZq3kX9==", "aB eF3kXw8bR1tYc5uVZq3==") == "no"


def test_a_prefix_is_part_of_a_token() -> None:
    form = learned(lambda: "req_" + hexadecimal(20))
    assert fit(form, "req_" + hexadecimal(20), "req_" + hexadecimal(20)) == "yes"
    assert fit(form, "req_" + hexadecimal(20), "ord_" + hexadecimal(20)) == "no"


def test_an_instant_excuses_the_time_between_and_no_hour() -> None:
    clock = iter(range(1_000))
    form = learned(lambda: moment(next(clock)), apart_ms=1_000.0)
    assert form.kind == "instant"
    assert fit(form, moment(100), moment(101)) == "yes"
    assert fit(form, moment(100), moment(140), apart_ms=40_000.0) == "yes"
    for other in ("2026-11-30T11:01:40Z", "2025-11-30T10:01:40Z", "2026-11-30T10:01:40.000Z"):
        assert fit(form, moment(100), other) == "no", other
    assert fit(form, moment(100), "2026-11-30T10:01:40+00:00") == "no"
    assert fit(form, moment(100), 1_796_000_000) == "no"


def test_a_number_excuses_three_times_its_jitter() -> None:
    form = learned(lambda: 100.5 + CHANCE.random() * 1e-9)
    assert form.kind == "number"
    assert fit(form, 100.5, 100.5 + 2e-9) == "yes"
    assert fit(form, 100.5, 110.5) == "no"
    assert fit(form, 100.5, "100.5") == "no"


def test_a_number_seen_seldom_is_young_not_wrong() -> None:
    form = learned(lambda: CHANCE.random(), looks=2)
    assert fit(form, 0.5, 55.0) == "young"


def test_a_counter_moves_and_makes_no_jump_of_orders() -> None:
    count = iter(range(5_000, 9_000))
    form = learned(lambda: next(count))
    assert form.kind == "counter"
    assert fit(form, 5_100, 5_102) == "yes"
    assert fit(form, 5_100, 17) == "far"
    assert fit(form, 5_100, 9_000_000_000) == "no"
    assert fit(form, 5_100, "five") == "no"
    assert fit(form, 5_100, 51.5) == "no"


def test_a_number_within_a_word_is_a_counter_and_the_word_stays() -> None:
    """Frameworks number what they make: ember7041, row-12. The rest of the word is its skeleton."""
    numbers = iter(range(7_000, 9_000))
    form = learned(lambda: f"ember{next(numbers)}", looks=20)
    assert form.kind == "text"
    assert fit(form, "ember7900", "ember12") == "far"
    for other in ("amber12", "ember", "12", "ember12b", "", "ember99999999"):
        assert fit(form, "ember7900", other) == "no", other


def test_a_counter_may_fall_and_be_a_text() -> None:
    """What a client may still ask for, in a header: 4999, 4998, and so on."""
    numbers = iter(range(5_000, 0, -1))
    form = learned(lambda: str(next(numbers)), looks=20)
    assert fit(form, "4900", "1999") == "far"
    for other in ("", "none", "-1", "4 900", "99999999"):
        assert fit(form, "4900", other) == "no", other
    chance = random.Random(11)
    drawn = learned(lambda: f"{chance.randrange(10**6):06}", looks=40)
    assert fit(drawn, "123456", "654321") == "yes"
    assert fit(drawn, "123456", "6543") == "no"


def test_a_choice_excuses_what_legacy_was_seen_to_choose() -> None:
    form = learned(lambda: CHANCE.choice(["web-1", "web-2", "web-3"]), looks=30)
    assert form.kind == "choice"
    assert fit(form, "web-1", "web-3") == "yes"
    assert fit(form, "web-1", "web-9") == "no"


def test_a_choice_of_many_takes_long_to_know() -> None:
    names = [f"quote number {n}" for n in "abcdefghijklmnopqrst"]
    form = learned(lambda: CHANCE.choice(names), looks=8)
    assert fit(form, names[0], "quote number z") in ("young", "yes", "no")
    unseen = [name for name in names[1:] if digest(name) not in form.values]
    assert {fit(form, names[0], name) for name in unseen} <= {"young", "yes"}


def test_a_text_with_slots_keeps_its_skeleton() -> None:
    form = learned(lambda: f"Order {CHANCE.randrange(100)} of Bob, sent {moment(5)}", looks=20)
    assert form.kind == "text"
    assert fit(form, f"Order 12 of Bob, sent {moment(5)}", f"Order 90 of Bob, sent {moment(5)}")
    same = "Order 12 of Bob, sent 2026-11-30T10:00:05Z"
    assert fit(form, same, same.replace("12", "14")) == "yes"
    assert fit(form, same, same.replace("Bob", "Eve")) == "no"
    assert fit(form, same, "") == "no"
    assert fit(form, same, "Nothing was ordered") == "no"


def test_what_has_members_or_is_all_of_a_body_has_no_form() -> None:
    assert learned(lambda: {"a": CHANCE.random()}).kind == "opaque"
    form = learned(lambda: hexadecimal(32))
    form.whole = True
    assert form.kind == "opaque"
    assert fit(form, "a", "b") == "opaque"


def test_sentences_without_end_have_no_form() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    form = learned(
        lambda: " ".join(CHANCE.choice(words) for _ in range(CHANCE.randint(3, 9))), looks=60
    )
    assert form.kind == "opaque"


@pytest.mark.parametrize("looks", [1, 3, 12])
def test_merging_is_a_union_and_survives_json(looks: int) -> None:
    one, other = learned(lambda: hexadecimal(8), looks), learned(lambda: CHANCE.random(), looks)
    again = Form.from_data(json.loads(json.dumps(one.to_data())))
    assert again == one
    one.merge(other)
    before = json.dumps(one.to_data())
    one.merge(other)
    one.merge(Form.from_data(one.to_data()))
    assert json.dumps(one.to_data()) == before


def test_no_value_of_legacy_is_told() -> None:
    form = learned(lambda: CHANCE.choice(["geheimnis", "passwort"]), looks=9)
    text = learned(lambda: f"Liebe Frau Maier, Zimmer {CHANCE.randrange(9)}", looks=9)
    told = json.dumps([form.to_data(), text.to_data()])
    assert "geheim" not in told
    assert "Maier" not in told


def test_words_among_tokens_make_no_text_of_them() -> None:
    """Of 24 letters in base64 few are without a digit. Two such words differ in one slot, and
    every token was then called another text: 93 of 300 answers of a clean page."""
    form = Form()
    form.learn(read("abcdefghijKLMNopqrstuv=="), read("qwertzuiopASDFghjklyxc=="), 20.0, digest)
    for _ in range(12):
        form.learn(read(nonce()), read(nonce()), 20.0, digest)
    assert form.kind in ("choice", "token")
    assert fit(form, nonce(), nonce()) != "no"
    for _ in range(12):
        form.learn(read(nonce()), read(nonce()), 20.0, digest)
    assert form.kind == "token"
    assert fit(form, nonce(), nonce()) == "yes"
    assert fit(form, nonce(), "none") == "no"


def nonce() -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "".join(CHANCE.choice(letters) + CHANCE.choice("0123456789") for _ in range(11)) + "=="


def test_chance_may_lead_beyond_three_times_the_jitter_and_hardly_beyond_twenty() -> None:
    """Of times that took long by chance one is three times the longest so far now and then."""
    form = learned(lambda: 10.0 + 20 * CHANCE.random(), looks=12)
    assert form.kind == "number"
    for times, surely in ((5, False), (25, True)):
        far = 12.0 + times * form.absolute
        assert fit(form, 12.0, far) == "no"
        assert surely_beyond(form, read(12.0), read(far)) is surely


def test_a_number_is_of_the_sort_that_legacy_draws() -> None:
    """Seconds are near milliseconds, and a time below zero near a short one."""
    form = learned(lambda: CHANCE.randrange(40), looks=30)
    assert fit(form, 12, 13) == "yes"
    assert fit(form, 12, -1) == "no"
    assert fit(form, 12, 0.012) == "no"


def test_numbers_on_both_sides_of_zero_reach_as_far_on_both() -> None:
    """What a form takes for near at once, it explains later too: below the lowest number of legacy
    as above its highest. Where legacy's are never below zero, one that is stays unexplained."""
    around = learned(lambda: CHANCE.gauss(0, 1), looks=30)
    above = learned(lambda: CHANCE.uniform(0.5, 2.5), looks=30)
    for form, value in ((around, around.low - 0.1), (around, around.high + 0.1), (above, -0.1)):
        sketch = PlaceSketch()
        sketch.count(read(1.0), read(value), 20.0, digest)
        near = fit(form, 1.0, value) == "yes"
        assert near is (form is around)
        state = FieldState(
            "$.x|value", "$.x", "value", "$.x", None, "", False, PlaceLooks(), form, sketch, None
        )
        assert state.explained is near


# -- words, numbers and their slots ----------------------------------------------------------------


def test_few_names_that_look_drawn_are_a_choice() -> None:
    """Pods are named by a lot that was drawn once: three names that come again and again."""
    pods = ["web-7f9c4b5d8-x2k9p", "web-7f9c4b5d8-qq1zd", "web-7f9c4b5d8-8hw2m"]
    form = learned(lambda: CHANCE.choice(pods), looks=20)
    assert form.kind == "choice"
    assert fit(form, pods[0], pods[1]) == "yes"
    assert fit(form, pods[0], "api-5c6d7e8f9-zzzzz") == "no"
    kept = Form()  # and never come back where a token is kept for a while
    for _ in range(6):
        one, other = hexadecimal(32), hexadecimal(32)
        for _ in range(5):
            kept.learn(read(one), read(other), 20.0, digest)
    assert kept.kind == "token"


def test_a_token_of_few_characters_may_repeat_by_chance() -> None:
    assert learned(lambda: hexadecimal(8), looks=40).always
    assert not learned(lambda: f"{CHANCE.randrange(10, 60)}x", looks=60).always


def test_a_text_of_numbers_alone_has_slots() -> None:
    form = learned(lambda: f"{CHANCE.randrange(9)}, {CHANCE.randrange(90)}", looks=60)
    assert form.kind == "text"
    assert fit(form, "1, 20", "2, 31") == "yes"
    assert fit(form, "1, 20", "1; 20") == "no"
    assert fit(form, "1, 20", "1, many") == "no"


def test_thousands_are_set_apart_within_one_number() -> None:
    count = iter(range(990, 9_000))
    form = learned(lambda: f"You are number {next(count):,}.", looks=20)
    assert fit(form, "You are number 1,020.", "You are number 7.") == "far"
    assert fit(form, "You are number 1,020.", "You are number none.") == "no"


def test_a_value_of_a_query_is_one_slot_by_its_name() -> None:
    """A signature holds signs that else stand between words; another expiry is none of it."""

    def signed(until: int = 900, path: str = "a") -> str:
        drawn = "".join(CHANCE.choice("abXY019-_~") for _ in range(40)) + "x9Y"
        return f"https://cdn.example/{path}?Expires={until}&Signature={drawn}&Key-Pair-Id=K2JCJM"

    form = learned(signed, looks=20)
    assert form.kind == "text"
    assert fit(form, signed(), signed()) == "yes"
    assert fit(form, signed(), signed(until=9_000)) == "no"
    assert fit(form, signed(), signed(path="b")) == "no"


def test_a_fraction_that_grows_is_a_counter() -> None:
    """Seconds of a processor: each side began at another time."""
    count = iter(range(7_000, 9_000))
    form = learned(lambda: next(count) * 0.0137, looks=20)
    assert form.kind == "counter"
    assert fit(form, 101.2, 0.4) == "far"
    young = learned(lambda: next(count) * 0.0137, looks=10)
    assert fit(young, 101.2, 0.4) == "young"


def test_what_the_slots_of_a_text_drew_so_far_has_tails() -> None:
    form = learned(lambda: f"took {CHANCE.randrange(40)} ms", looks=12)
    assert has_tails(form)
    assert not has_tails(learned(lambda: hexadecimal(32)))


def test_numbers_of_headers_are_numbers() -> None:
    assert read_header("42").nature == "integer"
    assert read_header("0.125").nature == "decimal"
    for text in ("007", "4e5", "12345678901", "v2"):
        assert read_header(text).nature != "integer", text


def test_what_comes_and_goes_is_one_of_the_values_that_do() -> None:
    form = Form(presence=True)
    for at in range(12):
        value = read(("10 % off", "free of charge")[at % 2])
        form.learn(ABSENT, value, 20.0, digest)
        form.learn(value, ABSENT, 20.0, digest)
    here = fit_of(form, ABSENT, read("10 % off"), 20.0, digest)
    gone = fit_of(form, read("10 % off"), ABSENT, 20.0, digest)
    other = fit_of(form, ABSENT, read("20 % off"), 20.0, digest)
    assert (here, gone, other) == ("yes", "yes", "no")
    single = Form(presence=True)
    for at in range(12):
        single.learn(ABSENT, read(f"of request {at}"), 20.0, digest)
    assert fit_of(single, ABSENT, read("of request 99"), 20.0, digest) == "yes"
