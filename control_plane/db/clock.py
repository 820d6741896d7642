"""The clock that control planes share: their own are minutes apart where nobody sets them.

What one of them writes and another reads against the time (when a proxy was heard of, until when a
lease holds) is written by the clock of the database. SQLite has one host, whose clock is ours.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane import clock


def shared_ms(connection: AsyncConnection) -> ColumnElement[int]:
    """Milliseconds since the epoch by the clock of the database, to be used in a statement."""
    if connection.dialect.name != "postgresql":
        return literal(clock.now_ms(), BigInteger)
    return cast(func.extract("epoch", func.clock_timestamp()) * 1_000, BigInteger)
