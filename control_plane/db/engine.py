"""Connections to SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncTransaction,
    create_async_engine,
)
from sqlalchemy.pool import NullPool

from control_plane.settings import Settings, SettingsError

UNAVAILABLE = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a database that does not answer raises."""


T = TypeVar("T")
_END_S = 5.0


class DatabaseAway(SQLAlchemyError):
    """The operating system could not reach the database, or not its file."""


class DatabaseHangs(DatabaseAway):
    """It has not answered, and may yet."""


class OutcomeUnknown(SQLAlchemyError):
    """The connection broke while a transaction was being committed, or a database that hangs may
    commit one yet: it may have been, or not."""


class DatabaseReplaced(SQLAlchemyError):
    """What answers is not the database that this process started with."""


_BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_SQLITE = ("journal_mode=WAL", "busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL")


def database_url(settings: Settings) -> URL:
    """The URL with an asynchronous driver. Raises `SettingsError`."""
    text = (
        settings.given_database_url() or f"sqlite:///{settings.state_dir.resolve()}/figway.sqlite3"
    )
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        raise SettingsError(
            "FIGWAY_DATABASE_URL is not a database URL, such as "
            "postgresql://user:password@host/name or sqlite:////var/lib/figway/figway.sqlite3"
        ) from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise SettingsError(
            f"FIGWAY_DATABASE_URL names {url.get_backend_name()!r}; "
            "Figway runs on postgresql and sqlite"
        )
    return url.set(drivername=driver)


class Database:
    """One engine, and transactions on it."""

    def __init__(self, url: URL, *, pool: int = 10) -> None:
        self.url = url
        self.is_postgres = url.get_backend_name() == "postgresql"
        self.engine = _engine(url, pool, is_postgres=self.is_postgres)
        self._file: tuple[int, int] | None = None
        self._unwaited: set[asyncio.Task[Any]] = set()

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return None if self.is_postgres else Path(self.url.database or "figway.sqlite3")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading."""
        with _reaching():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an exception.

        Write before you read in it: SQLite takes its write lock at the first write, and refuses to
        take it over what was read before somebody else's write.
        """
        with _reaching():
            async with self.engine.connect() as connection:
                transaction = await connection.begin()
                try:
                    yield connection
                except BaseException:
                    await transaction.rollback()
                    raise
                await self._commit(transaction)

    async def _commit(self, transaction: AsyncTransaction) -> None:
        try:
            await transaction.commit()
        except (*UNAVAILABLE, OSError) as error:
            # SQLite says what became of it, as does a PostgreSQL that still answers.
            if not self.is_postgres or not lost(error):
                raise
            raise OutcomeUnknown(f"the connection broke during a commit: {error}") from error

    def note_file(self) -> None:
        """Remember which file a SQLite database is. Make it private: it holds stored answers."""
        if self.path is not None:
            self.path.chmod(0o600)
            self._file = _identity(self.path)

    def check_file(self) -> None:
        """Is the SQLite file still the one that was opened? Raises `DatabaseReplaced`.

        A file that was deleted or replaced goes on answering whoever has it open, and forgets all
        of it in the end.
        """
        with _reaching():
            if self.path is not None and self._file not in (None, _identity(self.path)):
                raise DatabaseReplaced(f"the database file {self.path} was deleted or replaced")

    def insert(self, table: Any) -> Any:
        """An INSERT that knows ON CONFLICT, in the dialect of this database."""
        if self.is_postgres:
            from sqlalchemy.dialects.postgresql import insert as postgres_insert

            return postgres_insert(table)
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table)

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives, which asks this database. Raises `DatabaseHangs` where it takes
        longer, and what it raises.

        A database that hangs refuses nothing: a statement waits for as long as its driver lets it,
        and to cut one off takes an answer, too. So it then goes on by itself.
        """
        task = asyncio.get_running_loop().create_task(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self._unwaited.add(task)
        task.add_done_callback(self._ended)
        raise DatabaseHangs(f"no answer within {seconds:g} s")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._unwaited.discard(task)
        if not task.cancelled():
            task.exception()  # Nobody waits for it any more.

    async def close(self) -> None:
        """Close every connection."""
        if self._unwaited:
            for task in self._unwaited:
                task.cancel()
            await asyncio.wait(self._unwaited, timeout=_END_S)
        await self.engine.dispose()


@contextmanager
def _reaching() -> Iterator[None]:
    """Drivers let some errors of the operating system through as they are: a failed connect, for
    one. Only here it is known that they are the database's."""
    try:
        yield
    except OSError as error:
        raise DatabaseAway(str(error) or type(error).__name__) from error


_NO_WRITES = {"25006": "It is read-only: a replica, perhaps", "53100": "Its disk is full"}
"""By SQLSTATE (PostgreSQL, appendix A)."""
_NO_WRITES_SQLITE = {"readonly": "It is read-only", "is full": "Its disk is full"}


def refusal(error: BaseException) -> str:
    """Why a database that answers takes no writes; empty where that is not so."""
    if not isinstance(error, DBAPIError):
        return ""
    state = str(getattr(error.orig, "sqlstate", "") or getattr(error.orig, "pgcode", "") or "")
    text = str(error.orig)
    found = (why for word, why in _NO_WRITES_SQLITE.items() if word in text)
    return _NO_WRITES.get(state) or ("" if state else next(found, ""))


def lost(error: BaseException) -> bool:
    """Did the connection break, rather than the server refuse?"""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or not isinstance(error, IntegrityError | DataError)
    return isinstance(error, _BROKEN)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _engine(url: URL, pool: int, *, is_postgres: bool) -> AsyncEngine:
    if pool == 0 and is_postgres:
        return create_async_engine(
            url,
            poolclass=NullPool,
            # A pooler may give each transaction another session: a statement prepared in one must
            # not be looked for, or met again by its name, in another.
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "statement_cache_size": 0,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": lambda: f"figway_{uuid4().hex}",
            },
        )
    if is_postgres:
        return create_async_engine(
            url,
            pool_size=pool,
            max_overflow=0,
            pool_pre_ping=True,
            pool_timeout=5,
            connect_args={"timeout": 5, "command_timeout": 30},
        )
    engine = create_async_engine(url, pool_size=max(pool, 1), max_overflow=0, pool_timeout=10)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
