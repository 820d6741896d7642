"""One installation for the tests of the command line; each makes its own routes in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.installation import Installation, installation
from tests.support.sides import side


@pytest.fixture(scope="package")
def legacy() -> Iterator[str]:
    """An application that answers as legacy."""
    with side("legacy") as url:
        yield url


@pytest.fixture(scope="package")
def new() -> Iterator[str]:
    """An application that answers as new."""
    with side("new") as url:
        yield url


@pytest.fixture(scope="module")
def figway(
    tmp_path_factory: pytest.TempPathFactory, legacy: str, new: str
) -> Iterator[Installation]:
    """A running installation with a backend `fn` of side new."""
    with installation(tmp_path_factory.mktemp("figway"), legacy) as found:
        found.start("--workers", "2")
        found.ok("backends", "set", "fn", "--side", "new", "--url", new, "--wait")
        yield found
        assert found.stop() == 0, found.text
