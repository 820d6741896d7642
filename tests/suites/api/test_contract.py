"""Every answer of the admin API is one that its description knows; `make api-fuzz` asks longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.auth.roles import Role
from tests.suites.api.fuzz import run
from tests.suites.api.system import System, system

KEYS = (Role.VIEWER, Role.PROXY, Role.ADMIN)
SHORT = ("--generation-deterministic", "--phases", "fuzzing,stateful")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(tmp_path_factory.mktemp("state")) as one:
        yield one


@pytest.mark.timeout(600)  # a program of its own asks hundreds of times
@pytest.mark.parametrize(
    "role", [None, *(pytest.param(role, marks=pytest.mark.long) for role in KEYS)]
)
def test_every_answer_is_documented(served: System, role: Role | None, tmp_path: Path) -> None:
    """trap 55: nor does anything but a 401 come without a key."""
    code, said = run(served, role, 3 if role else 1, tmp_path, *SHORT)
    assert code == 0, said
