"""Brings the database to this release's schema, once, whoever starts first.

A database that a newer release has migrated is left as it is: an older program would write rows
that the newer one does not expect.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from control_plane.db import rollout_models as rollout_models  # its tables belong to the schema
from control_plane.db.engine import Database

_LOCK = 0x46_69_67_77_61_79  # "Figway", the key of the advisory lock
_SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


class NewerDatabase(RuntimeError):
    """The database belongs to a newer release; nothing was touched."""


class DatabaseUnreachable(RuntimeError):
    """The database does not answer; the message says where it was looked for."""


def config() -> Config:
    """Alembic's configuration, without a file of its own."""
    found = Config()
    found.set_main_option("script_location", str(_SCRIPTS))
    return found


@asynccontextmanager
async def prepared(database: Database) -> AsyncIterator[None]:
    """Migrate, and hold the lock that keeps other starts waiting until the block ends.

    Raises `NewerDatabase` and `DatabaseUnreachable`.
    """
    if (path := database.path) is not None:
        async with _file_locked(path):
            await _migrate(database)
            database.note_file()
            yield
        return
    try:
        connection = await database.engine.connect()
    except Exception as error:
        shown = database.url.render_as_string(hide_password=True)
        raise DatabaseUnreachable(
            f"the database {shown} does not answer: {error or type(error).__name__}. "
            "Check FIGWAY_DATABASE_URL and that the server runs"
        ) from None
    try:
        # The lock of a transaction: a session's own would stay behind in a pooler that lends
        # sessions by the transaction.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await _migrate(database)
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def _file_locked(path: Path) -> AsyncIterator[None]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.fdopen(os.open(f"{path}-lock", os.O_WRONLY | os.O_CREAT, 0o600), "w")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise DatabaseUnreachable(
            f"the database file {path} cannot be made: {error.strerror}. "
            "Check FIGWAY_DATABASE_URL or FIGWAY_STATE_DIR"
        ) from None
    with lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


async def _migrate(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.run_sync(_check)
        await connection.rollback()
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _check(connection: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    for found in MigrationContext.configure(connection).get_current_heads():
        if found not in known:
            raise NewerDatabase(
                f"the database is of a newer release (schema {found!r}); nothing was touched. "
                "Start that release, or give this one another database in FIGWAY_DATABASE_URL"
            )


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A migration that waits for a lock makes everybody behind it wait too: give up instead.
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
