"""A short slice of the storm of flips; `make storm` runs the whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.suites.soak.storm import storm


def test_a_storm_of_flips_loses_no_request(tmp_path: Path) -> None:
    """trap 51: 50 flips a second under load, and every worker ends on the last revision."""
    found = asyncio.run(storm(tmp_path, 4.0, 50))
    assert found["held"], found
    assert found["flips"] >= 100
