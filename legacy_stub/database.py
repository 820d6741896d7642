"""The shop's SQLite file: its tables, one connection, transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_SCHEMA = """
CREATE TABLE users (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL, email_key TEXT NOT NULL UNIQUE,
  first_name TEXT NOT NULL, last_name TEXT NOT NULL, locale TEXT NOT NULL,
  marketing INTEGER NOT NULL, active INTEGER NOT NULL, points INTEGER NOT NULL, password TEXT,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE profiles (
  user_id INTEGER PRIMARY KEY REFERENCES users(id), display_name TEXT NOT NULL, phone TEXT,
  date_of_birth TEXT, address TEXT, preferences TEXT NOT NULL, companions TEXT NOT NULL,
  emergency_contact TEXT, credit INTEGER NOT NULL, currency TEXT NOT NULL,
  updated_at TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE hotels (
  id INTEGER PRIMARY KEY, slug TEXT NOT NULL, name TEXT NOT NULL, city TEXT NOT NULL,
  city_key TEXT NOT NULL, country TEXT NOT NULL, stars INTEGER NOT NULL, rating REAL,
  reviews INTEGER NOT NULL, price INTEGER NOT NULL, amenities TEXT NOT NULL,
  distance_km REAL NOT NULL, description TEXT NOT NULL, address TEXT NOT NULL,
  lat REAL NOT NULL, lon REAL NOT NULL, policies TEXT NOT NULL, tags TEXT NOT NULL,
  search TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL);
CREATE INDEX hotels_name ON hotels(name, id);
CREATE TABLE rooms (
  hotel_id INTEGER NOT NULL REFERENCES hotels(id), code TEXT NOT NULL, name TEXT NOT NULL,
  beds INTEGER NOT NULL, max_guests INTEGER NOT NULL, board TEXT NOT NULL, units INTEGER NOT NULL,
  price INTEGER NOT NULL, PRIMARY KEY (hotel_id, code)) WITHOUT ROWID;
CREATE TABLE bookings (
  id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id),
  hotel_id INTEGER NOT NULL REFERENCES hotels(id), room TEXT NOT NULL,
  from_date TEXT NOT NULL, to_date TEXT NOT NULL, guests INTEGER NOT NULL, notes TEXT,
  status TEXT NOT NULL, subtotal INTEGER NOT NULL, tax INTEGER NOT NULL, paid INTEGER NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version INTEGER NOT NULL);
CREATE INDEX bookings_user ON bookings(user_id);
CREATE INDEX bookings_hotel ON bookings(hotel_id, room);
CREATE TABLE payments (
  id INTEGER PRIMARY KEY, booking_id INTEGER NOT NULL REFERENCES bookings(id),
  amount INTEGER NOT NULL, method TEXT NOT NULL, card_last4 TEXT,
  reference TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX payments_booking ON payments(booking_id);
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY, type TEXT NOT NULL, at TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE answers_kept (
  key TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, location TEXT, body BLOB NOT NULL,
  PRIMARY KEY (key, path));
CREATE TABLE sessions (token TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id));
CREATE TABLE uploads (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, content_type TEXT NOT NULL, size INTEGER NOT NULL,
  sha256 TEXT NOT NULL, content BLOB NOT NULL);
"""

# Marks a file as this shop's, with its data complete.
_APPLICATION_ID = 0x57415946


class Database:
    """One connection, used from one thread; handlers never await inside a transaction."""

    def __init__(self, path: str, *, durable: bool) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        self._connection.execute("PRAGMA foreign_keys = ON")

    @property
    def seeded(self) -> bool:
        """Does the file hold the shop's data already?"""
        return bool(self.value("PRAGMA application_id") == _APPLICATION_ID)

    def create(self) -> None:
        """Make the tables; to be called inside a transaction, with the seeding."""
        for statement in _SCHEMA.split(";\n"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: object) -> object:
        """The first column of the first row, or None."""
        found = self.row(sql, *values)
        return None if found is None else found[0]

    def count(self, sql: str, *values: object) -> int:
        """A number that a query gives; 0 for NULL or nothing."""
        found = self.value(sql, *values)
        return found if isinstance(found, int) else 0

    def insert(self, table: str, **values: object) -> int:
        """Insert a row and return its id."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())
        )
        return cursor.lastrowid or 0

    def change(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
