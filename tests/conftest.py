"""What holds for all tests: only those with real processes are tried again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Their processes and sockets share two cores with those of other tests.
PROCESSES = ("system", "integration", "suites")
# These run in the test's own process, and say the same each time.
PURE = ("suites/hostile/test_codecs.py", "suites/hostile/test_guided.py")
RERUNS = int(os.environ.get("RERUNS", "2"))
"""RERUNS=0 shows at once what fails."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs real processes; a marked test that fails is tried twice again (RERUN)."""
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        if path.startswith(PROCESSES) and path not in PURE:
            item.add_marker(pytest.mark.process)
            item.add_marker(pytest.mark.flaky(reruns=RERUNS, reruns_delay=1))
