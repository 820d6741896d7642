"""Every test that takes `database_url` or `control` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_plane.db import engine
from control_plane.db.engine import Database
from control_plane.db.migrate import prepared
from control_plane.settings import Settings
from tests.support import postgres
from tests.support.control import Control, control_plane

OpenControl = Callable[..., AbstractAsyncContextManager[Control]]
CopyOf = Callable[[str], AbstractContextManager[str]]


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
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/figway.sqlite3"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with this release's schema and nothing in it."""
    path = tmp_path_factory.mktemp("migrated") / "figway.sqlite3"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> Iterator[str]:
    """The same in PostgreSQL: its URL."""
    with postgres.database(postgres_server) as url:
        asyncio.run(_migrate(url))
        yield url


async def _migrate(url: str) -> None:
    database = Database(engine.database_url(Settings(database_url=url)))
    try:
        async with prepared(database):
            pass
    finally:
        await database.close()


@pytest.fixture
def migrated_url(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[str]:
    """A database of each kind that a start finds migrated: a copy, as migrating takes a second."""
    if database_kind == "sqlite":
        path = tmp_path / "figway.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    template: str = request.getfixturevalue("migrated_template")
    with postgres.database(request.getfixturevalue("postgres_server"), template) as url:
        yield url


@pytest.fixture
def copy_of(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> CopyOf:
    """Copies a database that nobody has open: as a backup does, or to try one thing many times."""

    @contextmanager
    def copied(url: str) -> Iterator[str]:
        if database_kind == "postgres":
            made = postgres.database(request.getfixturevalue("postgres_server"), url)
            # It runs a loop, and whoever copies may be in one already.
            with ThreadPoolExecutor(1) as thread:
                yield thread.submit(made.__enter__).result()
                thread.submit(made.__exit__, None, None, None).result()
            return
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            shutil.copy(url.removeprefix("sqlite:///"), f"{folder}/copy.sqlite3")
            yield f"sqlite:///{folder}/copy.sqlite3"

    return copied


@pytest.fixture
def open_control(migrated_url: str) -> OpenControl:
    """Opens a fresh control plane with settings of the test's own."""

    def opened(**settings: Any) -> AbstractAsyncContextManager[Control]:
        return control_plane(migrated_url, **settings)

    return opened


@pytest.fixture
async def control(open_control: OpenControl) -> AsyncIterator[Control]:
    """A fresh control plane."""
    async with open_control() as opened:
        yield opened
