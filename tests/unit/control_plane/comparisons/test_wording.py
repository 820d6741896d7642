"""The sentences about differences say what was done."""

from __future__ import annotations

import pytest

from control_plane.comparisons.wording import standing_text
from figway.evidence.field_state import FieldState
from figway.evidence.judgement import FieldJudgement
from figway.evidence.noise.marks import Mark
from figway.evidence.noise.place_looks import PlaceLooks


def field(mark: Mark) -> FieldJudgement:
    """A field that counts, by one mark."""
    name, path, kind = "$.id|changed", "$.id", "changed"
    state = FieldState(name, path, kind, path, None, "", False, PlaceLooks(), None, None, None)
    return FieldJudgement(
        name, path, kind, "real", 3, {"counts": 3}, {mark.value: 3}, "", "", None, "", 0, 0, state
    )


@pytest.mark.parametrize(
    ("mark", "again"),
    [(Mark.LOOKED_ONCE, "not asked again"), (Mark.SETTLED, "said the same again")],
)
def test_a_write_is_not_said_to_have_been_asked_again(mark: Mark, again: str) -> None:
    """Legacy answers a write once: no sentence says that it said the same twice."""
    assert again in standing_text(field(mark), "real")
