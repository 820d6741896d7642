"""How people write settings on a command line."""

from __future__ import annotations

import pytest

from control_plane.cli.errors import CliError, Exit
from control_plane.cli.parsing import settings


def test_a_setting_within_a_value_is_refused() -> None:
    """It was a traceback."""
    with pytest.raises(CliError, match="another --set gives a value") as told:
        settings(["fallback=1", "fallback.deadline_ms=5"])
    assert told.value.code is Exit.USAGE
    assert settings(["a.b=1", "a.c=x"]) == {"a": {"b": 1, "c": "x"}}
