"""The manual names every header that is not compared, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from figway.compare.headers.not_compared import LEFT_OUT, NOT_COMPARED

PAGE = (Path(__file__).parents[4] / "docs/reference/comparison.md").read_text(encoding="utf-8")


def test_the_manual_lists_what_is_not_compared() -> None:
    listed = PAGE.partition("<!-- not compared -->")[2].partition("<!-- /not compared -->")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", listed)) == LEFT_OUT
    for reason in NOT_COMPARED:
        assert f"| {reason} |" in listed
