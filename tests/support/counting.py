"""Counts what is asked of a database: work that has to stay bounded is measured in statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from control_plane.db.engine import Database


@contextmanager
def statements(database: Database, part: str = "") -> Iterator[list[str]]:
    """The statements that the database gets meanwhile, of those that contain `part`."""
    found: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if part in statement:
            found.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
