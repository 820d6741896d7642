"""The read model: one SQLite file in DATA_DIR that every function opens and the feed fills."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER);
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS users_email ON users (email);
CREATE TABLE IF NOT EXISTS profiles (id INTEGER PRIMARY KEY, document TEXT);
CREATE TABLE IF NOT EXISTS hotels (
    id INTEGER PRIMARY KEY, name TEXT, city TEXT, haystack TEXT, cents INTEGER, rating REAL,
    stars INTEGER, document TEXT
);
CREATE TABLE IF NOT EXISTS bookings (
    id TEXT PRIMARY KEY, number INTEGER, user_id INTEGER, hotel_id INTEGER, room TEXT,
    first TEXT, last TEXT, active INTEGER, document TEXT
);
CREATE INDEX IF NOT EXISTS bookings_user ON bookings (user_id, number);
CREATE INDEX IF NOT EXISTS bookings_hotel ON bookings (hotel_id, room);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, last INTEGER);
CREATE TABLE IF NOT EXISTS replays (
    key TEXT PRIMARY KEY, path TEXT, request TEXT, status INTEGER, location TEXT, answer TEXT
);
"""


@cache
def connect() -> sqlite3.Connection:
    """This process's connection; it lives as long as the execution environment is warm."""
    path = Path(os.environ["DATA_DIR"]) / "read_model.sqlite3"
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    for pause in (0.05, 0.2, 0.5, 1.0):
        # The switch to WAL needs the file alone and does not wait for it by itself.
        try:
            # A network file system (EFS) has no shared memory, which WAL needs.
            mode = os.environ.get("JOURNAL_MODE", "WAL")
            connection.execute(f"PRAGMA journal_mode = {mode}")
            break
        except sqlite3.OperationalError:
            time.sleep(pause)
    connection.executescript(_SCHEMA)
    return connection


@cache
def ensure(schema: str) -> None:
    """Make a service's own tables, once a process; a transaction that is open stays open."""
    for statement in schema.split(";"):
        if statement.strip():
            connect().execute(statement)


@contextmanager
def writing() -> Iterator[sqlite3.Connection]:
    """One write transaction: all of it or nothing. One inside another is part of it."""
    connection = connect()
    if connection.in_transaction:
        yield connection
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def document(query: str, *values: Any) -> dict[str, Any] | None:
    """The JSON document in the first column of the first row."""
    row = connect().execute(query, values).fetchone()
    return json.loads(row[0]) if row else None


def documents(query: str, *values: Any) -> list[dict[str, Any]]:
    return [json.loads(row[0]) for row in connect().execute(query, values)]


def count(query: str, *values: Any) -> int:
    return int(connect().execute(query, values).fetchone()[0])


def put_user(user: dict[str, Any]) -> None:
    connect().execute(
        "INSERT OR REPLACE INTO users VALUES (?, ?, ?)",
        (user["id"], user["email"].casefold(), _dump(user)),
    )


def put_profile(profile: dict[str, Any]) -> None:
    connect().execute(
        "INSERT OR REPLACE INTO profiles VALUES (?, ?)", (profile["user_id"], _dump(profile))
    )


def put_hotel(hotel: dict[str, Any]) -> None:
    haystack = " ".join([hotel["name"], hotel["city"], hotel["country"], *hotel["amenities"]])
    connect().execute(
        "INSERT OR REPLACE INTO hotels VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            hotel["id"],
            hotel["name"],
            hotel["city"].casefold(),
            haystack.casefold(),
            int(hotel["price"]["amount"].replace(".", "")),
            hotel["rating"],
            hotel["stars"],
            _dump(hotel),
        ),
    )


def put_booking(booking: dict[str, Any]) -> None:
    connect().execute(
        "INSERT OR REPLACE INTO bookings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            booking["id"],
            int(booking["id"].rpartition("-")[2]),
            booking["user_id"],
            booking["hotel_id"],
            booking["room"],
            booking["from"],
            booking["to"],
            int(booking["status"] != "cancelled"),
            _dump(booking),
        ),
    )


def cursor() -> int:
    """The sequence of the last event that the read model holds."""
    row = connect().execute("SELECT sequence FROM cursor").fetchone()
    return int(row[0]) if row else 0


def put_cursor(sequence: int) -> None:
    connect().execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (sequence,))


def clear() -> None:
    """Forget everything, the services' own tables too: legacy has begun again."""
    found = connect().execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in found:
        connect().execute(f"DELETE FROM {table}")


def next_number(name: str, first: int) -> int:
    """The next of a series that counts up from `first`."""
    row = connect().execute(
        "INSERT INTO numbers VALUES (?1, ?2) "
        "ON CONFLICT (name) DO UPDATE SET last = last + 1 RETURNING last",
        (name, first),
    )
    return int(row.fetchone()[0])


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False)
