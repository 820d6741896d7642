"""Every test that takes `database_url` or `play` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control_plane import postgres
from tests.control_plane.support import Control, control_plane

Story = Callable[[Control], Awaitable[None]]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The server of DATABASE_URL if it names one, or one of our own."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield given
        return
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/figway.sqlite3"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def play(database_url: str) -> Callable[..., None]:
    """Runs a story against a fresh control plane."""

    def run(story: Story, **settings: Any) -> None:
        async def playing() -> None:
            async with control_plane(database_url, **settings) as control:
                await story(control)

        asyncio.run(playing())

    return run
