"""The inventory of operations: what is asked for inside the paths where operations are read.

Counts are kept by day. Of one path and day at most `MOST` rows are kept; those asked for least are
added up as `(other)`, so that a client that invents names hides none that is in use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.models import OperationRow
from control_plane.traffic.schemas import OperationIn
from figway.operation.label import OTHER

MOST: Final = 500
"""Rows of one path and day."""
_SLACK = 100
"""How many more there may be until rows are added up."""
DAY_MS: Final = 86_400_000
_NUMBERS = ("requests", "errors", "faults", "head_us")
_TABLE = OperationRow.__table__


class OperationInventory:
    """Adds what proxies report, within bounds."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], set[str]] = defaultdict(set)

    async def add(
        self,
        database: Database,
        connection: AsyncConnection,
        rows: Iterable[OperationIn],
        at_ms: int,
    ) -> None:
        """Count rows; the caller holds the lock of reports."""
        day = at_ms // DAY_MS
        found = [_columns(row, day, at_ms) for row in rows]
        if not found:
            return
        await _put(database, connection, _merged(found))
        for place in {row["place"] for row in found}:
            known = self._known[day, place]
            known.update(row["key"] for row in found if row["place"] == place)
            if len(known) > MOST + _SLACK:
                self._known[day, place] = await _fold(database, connection, day, place)
        for old in [one for one in self._known if one[0] < day - 1]:
            del self._known[old]


def _columns(row: OperationIn, day: int, at_ms: int) -> dict[str, Any]:
    data = row.model_dump()
    return {"day": day, "key": _key(data), **data, "first_ms": at_ms, "last_ms": at_ms}


def _key(data: dict[str, Any]) -> str:
    names = ("place", "kind", "field", "type", "name", "route", "side")
    return blake2b("\0".join(data[name] for name in names).encode(), digest_size=16).hexdigest()


def _merged(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each key once: one statement may write a row only once."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(row["key"], row)
        if known is not row:
            for name in _NUMBERS:
                known[name] += row[name]
    return list(found.values())


async def _put(database: Database, connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    statement = database.insert(OperationRow)
    added = {name: getattr(OperationRow, name) + statement.excluded[name] for name in _NUMBERS}
    upsert = statement.on_conflict_do_update(
        index_elements=["day", "key"], set_={**added, "last_ms": statement.excluded["last_ms"]}
    )
    await connection.execute(upsert, rows)


async def _fold(database: Database, connection: AsyncConnection, day: int, place: str) -> set[str]:
    """Add up what is asked for least; the keys that stay."""
    query = (
        select(_TABLE)
        .where(OperationRow.day == day, OperationRow.place == place, OperationRow.name != OTHER)
        .order_by(OperationRow.requests.desc(), OperationRow.first_ms, OperationRow.key)
    )
    rows = (await connection.execute(query)).all()
    few = rows[MOST:]
    if few:
        keys = [row.key for row in few]
        for start in range(0, len(keys), 400):
            part = OperationRow.key.in_(keys[start : start + 400])
            await connection.execute(delete(OperationRow).where(OperationRow.day == day, part))
        await _put(database, connection, _merged(map(_other, few)))
    return {row.key for row in rows[:MOST]}


def _other(row: Row[Any]) -> dict[str, Any]:
    data = {**row._mapping, "type": "", "name": OTHER}
    return {**data, "key": _key(data)}


async def since(connection: AsyncConnection, day: int, place: str) -> Sequence[Row[Any]]:
    """The rows from a day on, of one place or of all where `place` is empty."""
    query = select(_TABLE).where(OperationRow.day >= day)
    if place:
        query = query.where(OperationRow.place == place)
    return (await connection.execute(query)).all()


async def trim(connection: AsyncConnection, before_ms: int) -> None:
    """Delete days that are no longer kept."""
    await connection.execute(delete(OperationRow).where(OperationRow.day < before_ms // DAY_MS))
