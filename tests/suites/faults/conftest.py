"""With TABLE_OF_FAULTS set, what the run observed goes into that file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.suites.faults.rows import ROWS, write


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table of a run that held."""
    target = os.environ.get("TABLE_OF_FAULTS")
    if target and ROWS and not exitstatus:
        write(Path(target), ROWS)
