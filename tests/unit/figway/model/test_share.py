"""Shares as people write them, and the share that new serves."""

from __future__ import annotations

import pytest

from figway.model.share import basis_points, on_new, share
from figway.model.table import Stage


@pytest.mark.parametrize(
    ("text", "points"), [("25%", 2_500), (" 0,5 % ", 50), ("0.01%", 1), ("25.5500%", 2_555)]
)
def test_a_share_is_read_in_steps_of_a_basis_point(text: str, points: int) -> None:
    assert basis_points(text) == points
    assert basis_points(share(points)) == points


@pytest.mark.parametrize("text", ["25", "25.555%", "0.005%", "100.01%", "-5%", "2e1%", "%", ""])
def test_what_is_no_share_is_refused_with_the_steps(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a share: .* in steps of 0\.01%"):
        basis_points(text)


def test_new_serves_by_the_stage_and_in_canary_by_the_weight() -> None:
    found = {stage.value: on_new(stage, 2_500) for stage in Stage}
    assert found == {"legacy": 0, "shadow": 0, "canary": 2_500, "new": 10_000, "retired": 10_000}
