"""Lower bounds as people read them."""

from __future__ import annotations

import pytest

from control_plane.console.formats import at_least
from control_plane.percent import lower


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.98999, "98.99 %"),
        (0.99, "99 %"),
        (0.29, "29 %"),
        (0.999999, "99.99 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
    ],
)
def test_a_lower_bound_is_never_rounded_up(share: float, text: str) -> None:
    """471 pairs of 472: "at least 99 %" beside "needs 1 more" would be one sentence too much."""
    assert at_least(share) == text
    assert lower(share) <= share


def test_no_bound_is_a_dash() -> None:
    """Nothing was compared."""
    assert at_least(None) == "–"
