"""A variable that is all but a setting is told: it was ignored, and nobody knew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.settings import misspelt

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "settings.md"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FIGWAY_WROKERS", "FIGWAY_WORKERS"),
        ("FIGWAY_LEGACY_URLS", "FIGWAY_LEGACY_URL"),
        ("FIGWAY_CONTROL_KEYFILE", "FIGWAY_CONTROL_KEY_FILE"),
        ("FIGWAY_MAX_BODY_BYTE", "FIGWAY_MAX_BODY_BYTES"),
    ],
)
def test_what_is_meant_is_named(name: str, meant: str) -> None:
    assert misspelt({name: "1", "PATH": "/bin"}) == [(name, meant)]


def test_settings_of_all_parts_are_right() -> None:
    """A machine that runs a control plane and the command line, too, has their variables set."""
    names = set(re.findall(r"FIGWAY_[A-Z_]+[A-Z]", PAGE.read_text("utf-8")))
    assert len(names) > 60
    assert misspelt(dict.fromkeys(names, "1")) == []
