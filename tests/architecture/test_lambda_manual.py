"""The manual is held to the code: settings, and what events cannot carry."""

from __future__ import annotations

import re

from proxy.serverless.settings import LambdaSettings
from tests.suites.conformance.serverless.cannot_carry import CANNOT_CARRY
from tests.support.serverless.platform import ROOT

MANUAL = (ROOT / "docs" / "operate" / "serverless.md").read_text("utf-8")
SETTINGS = (ROOT / "proxy" / "serverless" / "settings.py").read_text("utf-8")


def test_every_setting_is_in_the_manual_and_no_other() -> None:
    read = {
        "FIGWAY_" + name for name in re.findall(r'(?:read|text|secret)\(\s*"([A-Z_]+)"', SETTINGS)
    } | {"FIGWAY_METRICS_NAMESPACE"}
    assert len(read) > len(LambdaSettings.__dataclass_fields__)
    table = MANUAL.partition("## Settings")[2].partition("## What")[0]
    rows = "".join(line for line in table.splitlines() if line.startswith("|"))
    assert set(re.findall(r"FIGWAY_[A-Z_]+", rows)) == read


def test_what_cannot_be_carried_is_in_the_manual() -> None:
    for _, _, reason in CANNOT_CARRY:
        assert reason in MANUAL or reason in (
            "Reaches into the worker's process.",
            "The same.",
        ), reason


def test_no_pattern_has_outlived_its_test() -> None:
    """Each pattern still matches a test of the wire suite."""
    suite = "".join(
        file.read_text("utf-8")
        for file in (ROOT / "tests" / "suites" / "conformance").glob("test_*.py")
    )
    for pattern, _, _ in CANNOT_CARRY:
        name = re.split(r"[*\[]", pattern)[0]
        assert f"def {name}" in suite, pattern
