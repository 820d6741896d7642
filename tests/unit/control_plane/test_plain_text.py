"""Text of people is shown, and never acts; what joins letters and emoji is text."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from control_plane.http.limits import ReasonField
from control_plane.plain_text import is_plain, neutral

REASON: TypeAdapter[str] = TypeAdapter(ReasonField)
PLAIN = [
    "🧑‍🚒 it burns", "👩‍💻👩‍💻", "👨‍👩‍👧‍👦", "❤️‍🔥", "می‌خواهم برگردم", "הכול חוזר", "كل شيء يعود",
    "İstanbul ﷽", "a\tb\nc", "x" * 500,
]  # fmt: skip
ACTS = [
    "a\u200db", "\u200d", "a\u200cb", "👩\u200d", "\u200d👩", "👩\u200d\u200d👩", "a\u202eb",
    "\u200bb",
    "\ufeffb", "a\x1b[2J", "a\rb", "a\x9bb", "👩\u200d\x1b", "a\u2066b", "\u200eb",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_what_people_write_is_taken_and_shown_as_it_is(text: str) -> None:
    """S4: a fireman in a reason is no attack: `kill on -r` was refused for it."""
    assert REASON.validate_python(text) == text
    assert is_plain(text)
    assert neutral(text) == text


@pytest.mark.parametrize("text", ACTS)
def test_what_acts_or_hides_is_refused_and_shown_as_its_number(text: str) -> None:
    """S4: a joiner that joins nothing hides."""
    with pytest.raises(ValidationError):
        REASON.validate_python(text)
    assert not is_plain(text)
    assert "⟨U+" in neutral(text)
    assert is_plain(neutral(text))
