"""What holds for all tests: only those with real processes are tried again, and properties are
tried with the same inputs each time, unless a run is to look for new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

from tests.support.thorough import LOOKING, THOROUGH

TESTS = Path(__file__).parent
# Their processes and sockets share two cores with those of other tests.
PROCESSES = ("system", "integration", "suites")
# A limit on hanging, not a measure: what they start takes a second on quiet cores, and a minute on
# busy ones.
PROCESSES_LIMIT_S = 300
# These run in the test's own process, and say the same each time.
PURE = ("suites/hostile/test_codecs.py", "suites/hostile/test_guided.py")
RERUNS = int(os.environ.get("RERUNS", "2"))
"""RERUNS=0 shows at once what fails."""

# The same inputs in every run: that a clone's tests pass is a fact about the code. Nothing is read
# from or kept in a folder of inputs that failed before.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "new", deadline=None, database=None, max_examples=300 if THOROUGH else 100
)
settings.load_profile("new" if LOOKING else "same")

QUICK = os.environ.get("QUICK") == "1"
"""`make test`: what runs on both databases runs on one of them, half of the tests on each."""
# What these are about is the database itself.
BOTH_DATABASES = (
    "integration/control_plane/db",
    "integration/control_plane/publishing/test_one_truth.py",
)
DATABASES = ("sqlite", "postgres")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """What a test makes private with the process's umask ends with the test."""
    yield
    os.umask(0o022)


def left_out(item: pytest.Item) -> bool:
    """Whether this run leaves a test to its twin on the other database."""
    kind = getattr(getattr(item, "callspec", None), "params", {}).get("database_kind")
    path = item.path.relative_to(TESTS).as_posix()
    if not QUICK or kind is None or path.startswith(BOTH_DATABASES):
        return False
    name = f"{path} {getattr(item, 'originalname', item.name)}"
    return kind != DATABASES[crc32(name.encode()) % len(DATABASES)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what runs real processes; a marked test that fails is tried twice again (RERUN)."""
    elsewhere = [item for item in items if left_out(item)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if not left_out(item)]
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        if path.startswith(PROCESSES) and path not in PURE:
            item.add_marker(pytest.mark.process)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(PROCESSES_LIMIT_S))
            item.add_marker(pytest.mark.flaky(reruns=RERUNS, reruns_delay=1))
