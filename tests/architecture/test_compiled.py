"""The compiled build holds what it is to hold, where one is under test."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = re.findall(r'"((?:figway|proxy)/[\w/]+)\.py"', (ROOT / "setup.py").read_text())


def test_every_module_to_compile_exists() -> None:
    assert LISTED
    assert [name for name in LISTED if not (ROOT / f"{name}.py").is_file()] == []


@pytest.mark.skipif(
    os.environ.get("FIGWAY_COMPILE") != "1", reason="the sources are under test (make compiled)"
)
@pytest.mark.parametrize("name", LISTED)
def test_the_compiled_module_is_the_one_under_test(name: str) -> None:
    file = importlib.import_module(name.replace("/", ".")).__file__
    assert file is not None
    assert file.endswith(".so")
