"""Whether what new says lies within the form in which legacy varies at a place.

| form     | excuses                                      | does not excuse                     |
|----------|----------------------------------------------|-------------------------------------|
| token    | another one of that alphabet, length, prefix | 6 characters for 32, a word, empty  |
| instant  | within the spread and the time between       | an hour, another notation           |
| number   | within three times the jitter seen           | 10 % off where the jitter is 1e-12  |
| counter  | an integer that goes one way likewise        | a text, a jump of orders            |
| choice   | one of the values seen on legacy, at most 32 | any other                           |
| presence | absence                                      | another value                       |
| order    | the same elements, turned as far as legacy's | another element; all but the ties   |
| text     | other slots in the same skeleton             | another skeleton                    |
| mixed    | a value of one of the kinds seen, in bounds  | any other                           |
| opaque   | nothing: the place cannot be compared        | -                                   |
"""

from __future__ import annotations

import math
from typing import Literal

from figway.evidence.noise.clocks import apart_s
from figway.evidence.noise.day_clocks import seconds_apart
from figway.evidence.noise.forms import GROWN, Digest, Form, FormKind
from figway.evidence.noise.text_forms import read_part, slots
from figway.evidence.noise.values import DECIMAL, NUMBERS, Reading, share_apart

Fit = Literal["yes", "far", "no", "young", "opaque"]
"""`far`: a counter, farther from legacy's than legacy's steps lead; it may be one of new's own.
`young`: not within what was seen, and too little was seen to say that it is outside."""

DRAWS_A_VALUE = 8
"""Values drawn for each distinct one after which a choice is taken for whole."""
CLOCK_MS = 2_000.0
"""What two clocks, and a clock of whole seconds, may be apart besides."""
JITTER_TIMES = 3.0
FAR = 20.0
"""Times the largest jitter that chance hardly leads to."""
ORDER_TIMES, ORDER_MORE = 1.5, 0.1
"""Beyond what legacy turned round in its own orders: one of ties alone excuses no other order."""
SMALL_SHARE = 0.25
"""A jitter of more than this share of a number says nothing of numbers of another size."""
_FREE_COUNTER = 1_000.0
TRIMMED = 40
"""Variations after which a fraction that always had one length is taken to have no other."""
SURELY_CUT = 3
"""Decimals that no zeros at the end hide."""


def fit_of(
    form: Form,
    legacy: Reading,
    new: Reading,
    apart_ms: float,
    digest: Digest,
    slack_ms: float = 0.0,
) -> Fit:
    """Whether new's value lies within the form; `legacy` was asked for `apart_ms` before it.

    Within `slack_ms` more each side looked at its clock: the time that both answers took.
    """
    kind = form.kind
    if kind in ("opaque", "none"):
        return "opaque" if kind == "opaque" else "no"
    if kind == "presence":
        return _presence(form, new, digest)
    if kind == "order":
        return _grown(new.number <= ORDER_TIMES * form.absolute + ORDER_MORE, form.looks >= GROWN)
    if kind == "instant" and form.clock.known:
        return _by_clock(form, legacy, new, apart_ms, slack_ms)
    if kind == "instant":
        return _instant(form, legacy, new, apart_ms, slack_ms)
    if kind == "token":
        return _token(form, new)
    if kind in ("number", "counter"):
        return _number(form, kind, legacy, new)
    if kind == "choice":
        return _choice(form, new, digest)
    if kind == "text":
        return _text(form, legacy, new, apart_ms, digest, slack_ms)
    return _mixed(form, new, digest)


def _presence(form: Form, new: Reading, digest: Digest) -> Fit:
    """Absence, and of few values that come and go on legacy, one of these."""
    again = form.chosen and new.nature not in ("absent", "tree")
    if not again or digest(new.text) in form.values:
        return "yes"
    return _grown(False, 2 * form.looks >= DRAWS_A_VALUE * len(form.values))


def _grown(fits: bool, enough: bool) -> Fit:
    return "yes" if fits else "no" if enough else "young"


def _instant(form: Form, legacy: Reading, new: Reading, apart_ms: float, slack_ms: float) -> Fit:
    if new.nature != "instant" or legacy.nature != "instant":
        return "no"
    written = _written(form, new)
    if written != "yes":
        return written
    way = apart_s(new.notation, legacy.number, new.number) * 1_000
    near = abs(way - apart_ms) <= JITTER_TIMES * form.spread_ms + CLOCK_MS + slack_ms
    return _grown(near, form.looks >= GROWN or form.spread_ms <= 5 * CLOCK_MS)


def _by_clock(form: Form, legacy: Reading, new: Reading, apart_ms: float, slack_ms: float) -> Fit:
    way = seconds_apart(form.clock.known, legacy, new)
    if way is None:
        return "no"
    most = JITTER_TIMES * 1_000 * form.clock.spread_s + CLOCK_MS + slack_ms
    return _grown(abs(way * 1_000 - apart_ms) <= most, form.looks >= GROWN)


def _written(form: Form, new: Reading) -> Fit:
    """Whether legacy writes its moments so, also where it leaves out the last zeros of fractions.

    Of a hundred moments of three decimals ten end in a zero, and one in two.
    """
    if new.notation in form.notations:
        return "yes"
    places = new.notation.count(DECIMAL)
    base = _without_fraction(new.notation)
    known = {note.count(DECIMAL) for note in form.notations if _without_fraction(note) == base}
    if not known or places > max(known):
        return _grown(False, form.looks >= 2)
    if len(known) > 1:
        return "yes"
    return _grown(False, form.looks >= (TRIMMED if max(known) - places < SURELY_CUT else 2))


def _without_fraction(notation: str) -> str:
    return notation.replace(DECIMAL, "").replace(".", "")


def _token(form: Form, new: Reading) -> Fit:
    if new.nature not in ("token", "word") and not new.text.isdigit():
        return "no"
    tokens = form.tokens
    steady = tokens.low == tokens.high and tokens.characters >= 64
    return _grown(tokens.fits(new), form.looks >= GROWN or steady)


def _number(form: Form, kind: FormKind, legacy: Reading, new: Reading) -> Fit:
    if new.nature not in NUMBERS or legacy.nature not in NUMBERS:
        return "no"
    if new.nature == "decimal" and "decimal" not in form.natures:
        return _grown(False, form.looks >= GROWN)
    if is_below(form, new.number):
        return _grown(False, form.looks >= GROWN)
    if kind == "counter":
        most = max(_FREE_COUNTER, 10 * abs(legacy.number), 10 * form.absolute)
        near = abs(new.number - legacy.number) <= JITTER_TIMES * form.absolute
        return ("yes" if near else "far") if 0 <= new.number <= most else "no"
    apart = abs(new.number - legacy.number)
    near = within_jitter(form, apart, share_apart(new.number, legacy.number))
    return _grown(near, form.looks >= form.grown)


def is_below(form: Form, number: float) -> bool:
    """Whether a number is below zero, and legacy's never is."""
    return form.low >= 0 > number


def within_jitter(form: Form, apart: float, relative: float) -> bool:
    """Whether two numbers are near: by what was seen, or by a jitter that is a small share."""
    if apart <= JITTER_TIMES * form.absolute:
        return True
    return form.relative <= SMALL_SHARE and relative <= JITTER_TIMES * form.relative


def has_tails(form: Form) -> bool:
    """Whether its bounds are those of what was drawn so far, so that chance alone may lead
    beyond them."""
    kind = form.kind
    if kind == "text":
        return any(map(has_tails, form.slots.values()))
    return kind in ("number", "choice", "mixed")


def surely_beyond(form: Form, legacy: Reading, new: Reading) -> bool:
    """Whether a number lies farther off than chance leads, `FAR` times the largest jitter.

    Of L + 1 deviations with a tail no heavier than exponential, the last is k times the
    largest of the others with a chance of k! L! / (L + k)!: for 8 and 20 it is 3e-7. Where
    the tail is a power of 1.2, as of some times of answers, it is 1 / (1 + 36 L).
    """
    if form.kind != "number" or not {legacy.nature, new.nature} <= NUMBERS:
        return False
    apart = abs(new.number - legacy.number)
    times = apart / form.absolute if form.absolute else math.inf
    if form.relative <= SMALL_SHARE:
        relative = share_apart(new.number, legacy.number)
        times = min(times, relative / form.relative if form.relative else math.inf)
    return times >= FAR


def _choice(form: Form, new: Reading, digest: Digest) -> Fit:
    seen = digest(new.text) in form.values
    whole = form.natures <= {"boolean", "null"}
    return _grown(seen, whole or 2 * form.looks >= DRAWS_A_VALUE * len(form.values))


def _text(
    form: Form, legacy: Reading, new: Reading, apart_ms: float, digest: Digest, slack_ms: float
) -> Fit:
    if new.nature not in ("text", "word"):
        return "no"
    found = slots(legacy.text, new.text)
    if found is None:
        return "no"
    worst: Fit = "yes"
    for left, here, there in found:
        slot = form.slots.get(digest(left))
        if slot is None:
            fit: Fit = "no" if form.looks >= GROWN else "young"
        else:
            fit = fit_of(slot, read_part(here), read_part(there), apart_ms, digest, slack_ms)
        if fit in ("no", "opaque"):
            return "no"
        worst = max(worst, fit, key=_WORSE.index)
    return worst


_WORSE: tuple[Fit, ...] = ("yes", "far", "young")


def _mixed(form: Form, new: Reading, digest: Digest) -> Fit:
    grown = form.looks >= GROWN
    digits = new.text.isdigit() and not form.natures.isdisjoint({"token", "word"})
    if new.nature not in form.natures and not digits:
        return _grown(False, grown)
    if new.nature in ("null", "boolean", "absent"):
        return "yes"
    if new.nature == "instant" and new.notation in form.notations:
        return "yes"
    if digest(new.text) in form.values:
        return "yes"
    if form.chosen:
        return _grown(False, grown)
    # Drawn anew each time: what it reads as depends on the signs that were drawn.
    if new.nature in NUMBERS and not digits:
        span = form.high - form.low
        fits = form.low - span <= new.number <= form.high + span
    else:
        fits = (digits or new.nature in ("token", "word")) and form.tokens.fits(new)
    return _grown(fits and grown, grown)


def in_words(form: Form) -> str:
    """What a form excuses, in words."""
    kind = form.kind
    if kind == "token":
        tokens = form.tokens
        span = f"{tokens.low}" if tokens.low == tokens.high else f"{tokens.low} to {tokens.high}"
        return f"a token of {span} characters ({' '.join(sorted(tokens.alphabet)[:8])})"
    if kind == "instant" and form.clock.known:
        return f"a clock of {form.clock.known}"
    if kind == "instant":
        near = (JITTER_TIMES * form.spread_ms + CLOCK_MS) / 1_000
        return f"an instant within {near:.3g} s of the time between the askings"
    if kind == "number":
        times = JITTER_TIMES
        return f"a number within {times * form.absolute:.3g} or {times * form.relative:.2g} of it"
    if kind == "counter":
        return f"a counter with steps of up to {form.absolute:.6g}"
    if kind == "choice":
        return f"one of {len(form.values)} values seen on legacy"
    if kind == "text":
        return f"a text with {len(form.slots)} varying slots"
    return _PLAIN[kind]


_PLAIN: dict[FormKind, str] = {
    "none": "nothing learned yet",
    "presence": "sometimes absent on legacy",
    "order": "the same elements in another order",
    "mixed": "a value of one of the kinds seen on legacy",
    "opaque": "varies on legacy in no form that has bounds",
}
