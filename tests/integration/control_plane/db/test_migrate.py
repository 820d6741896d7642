"""The schema, its migrations, and a database that is not what was expected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from control_plane.bootstrap import make_services, prepare
from control_plane.db.engine import Database, database_url
from control_plane.db.migrate import DatabaseUnreachable, NewerDatabase
from control_plane.db.models import Base
from control_plane.settings import Settings, SettingsError
from tests.support.control import Control, control_plane


async def test_migrations_make_what_the_code_expects(control: Control) -> None:
    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    async with control.services.database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_of_a_newer_release_is_left_alone(database_url: str) -> None:
    """A program rolled back under a migrated database: one clear line, and nothing is touched."""
    async with control_plane(database_url) as control:
        await control.seed()
        database = control.services.database
        async with database.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(NewerDatabase, match=r"newer release .*9999.*nothing was touched"):
            async with control_plane(database_url):
                pass
        async with database.read() as connection:
            version = await connection.execute(text("SELECT version_num FROM alembic_version"))
            assert version.scalar_one() == "9999"
            keys = await connection.execute(text("SELECT count(*) FROM api_keys"))
            assert keys.scalar_one() == 1


async def test_several_start_at_once(database_url: str) -> None:
    async def start() -> bool:
        services = make_services(
            Settings(database_url=database_url, legacy_url="http://127.0.0.1:9000")
        )
        try:
            return await prepare(services) is not None
        finally:
            await services.database.close()

    first = await asyncio.gather(start(), start(), start())
    assert sorted(first) == [False, False, True]


async def test_a_restart_finds_everything(database_url: str) -> None:
    async with control_plane(database_url) as control:
        await control.seed()
        await control.flip(2_500)
        key, before = control.key, await control.get("/table")
    async with control_plane(database_url, key=key) as control:
        assert await control.get("/table") == before
        assert (await control.flip(2_600)).json()["revision"] == before["revision"] + 1


async def test_the_database_goes_away(postgres_url: str) -> None:
    """trap 52: the table is served on, edits are refused with 503, and it heals by itself."""
    async with control_plane(postgres_url, poll_seconds=0.2) as control:
        await control.seed()
        table = await control.get("/table")
        database = control.services.database
        working = database.engine
        broken = Database(database.url.set(query={"host": "/nowhere"}))
        database.engine = broken.engine
        assert await control.get("/table") == table
        assert (await control.get("/routes/orders"))["id"] == "orders"
        answer = await control.flip(100)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["type"] == "urn:figway:problem:database_unavailable"
        control.services.auth._checked[control.key.split("_")[1]].at_ms -= 60_000
        assert await control.get("/table") == table  # a key that was valid lately stays so
        ready = await control.client.get("http://control/ready")
        assert ready.status_code == 503
        database.engine = working
        assert (await control.flip(100)).json()["revision"] == table["revision"] + 1
        await broken.close()


def test_unusable_databases(tmp_path: Path) -> None:
    async def start(url: str) -> None:
        services = make_services(Settings(database_url=url))
        try:
            await prepare(services)
        finally:
            await services.database.close()

    with pytest.raises(DatabaseUnreachable, match=r"does not answer.*FIGWAY_DATABASE_URL"):
        asyncio.run(start(f"postgresql://me:hidden@/db?host={tmp_path}"))
    with pytest.raises(SettingsError, match="runs on postgresql and sqlite"):
        asyncio.run(start("mysql://localhost/db"))
    with pytest.raises(SettingsError, match="is not a database URL"):
        asyncio.run(start("figway.sqlite3"))
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnreachable, match="cannot be made"):
        asyncio.run(start(f"sqlite:///{tmp_path}/file/figway.sqlite3"))


def test_database_urls(tmp_path: Path) -> None:
    url = database_url(Settings(database_url="postgres://u:p@h/d"))
    assert url.render_as_string(hide_password=False) == "postgresql+asyncpg://u:p@h/d"
    assert database_url(Settings(state_dir=tmp_path)).database == f"{tmp_path}/figway.sqlite3"


async def test_retention(control: Control) -> None:
    database = control.services.database
    async with database.write() as connection:
        for step in (10, 60):
            await connection.execute(
                text(
                    "INSERT INTO traffic VALUES (:step, 0, 'r', 'new', 'fn', "
                    "1, 0, 0, 0, 0, '{}', '{}')"
                ),
                {"step": step},
            )
        await connection.execute(
            text("INSERT INTO reports_seen (boot, sequence, at_ms) VALUES (:boot, 1, 0)"),
            {"boot": "b"},
        )
    await control.services.traffic.trim()
    async with database.read() as connection:
        for name in ("traffic", "reports_seen"):
            left = await connection.execute(text(f"SELECT count(*) FROM {name}"))
            assert left.scalar_one() == 0
