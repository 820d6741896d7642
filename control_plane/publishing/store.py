"""Revisions and items in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Row, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.db.engine import Database
from control_plane.db.models import ItemRow, RevisionRow
from control_plane.publishing.state import Snapshot, TableState
from figway.model.change import Change, Kind, changes_from_data, changes_to_data
from figway.model.codec import canonical, from_data
from figway.model.table import Backend, Capability, Route, Table

CHANNEL = "figway_revision"
"""PostgreSQL notifies on it with the number of each new revision."""

_CLASSES: dict[Kind, Any] = {
    Kind.BACKEND: Backend,
    Kind.CAPABILITY: Capability,
    Kind.ROUTE: Route,
}


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision to be written."""

    base: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]
    inverse: tuple[Change, ...]
    summary: list[str]
    source: str
    entry: AuditEntry


async def append(
    database: Database, connection: AsyncConnection, state: TableState, new: NewRevision
) -> None:
    """Write a revision, its items and its audit entry.

    The number is the primary key: if another control plane was faster, this raises `IntegrityError`
    and the transaction leaves nothing behind.
    """
    number = new.after.revision
    await connection.execute(
        insert(RevisionRow).values(
            number=number,
            etag=new.after.etag,
            base_etag=new.base.etag,
            changes=_dump(changes_to_data(new.changes)),
            inverse=_dump(changes_to_data(new.inverse)),
            summary=_dump(new.summary),
            actor=new.entry.actor[:200],
            reason=new.entry.reason,
            source=new.source,
            created_ms=new.after.created_ms,
        )
    )
    await _write_items(database, connection, state, new.changes, number)
    await audit.record(connection, new.entry, now=new.after.created_ms, revision=number)
    if database.is_postgres:
        await connection.execute(
            text("SELECT pg_notify(:channel, :number)"), {"channel": CHANNEL, "number": str(number)}
        )


async def _write_items(
    database: Database,
    connection: AsyncConnection,
    state: TableState,
    changes: Sequence[Change],
    number: int,
) -> None:
    last = {(entry.kind, entry.id): entry for entry in changes}
    rows = [
        {
            "kind": entry.kind.value,
            "id": entry.id,
            "document": canonical(entry.value).decode(),
            "etag": state.etag(entry.kind, entry.value),
            "revision": number,
        }
        for entry in last.values()
        if entry.value is not None
    ]
    statement = database.insert(ItemRow)
    columns = ("document", "etag", "revision")
    upsert = statement.on_conflict_do_update(
        index_elements=["kind", "id"], set_={name: statement.excluded[name] for name in columns}
    )
    for start in range(0, len(rows), 1_000):
        await connection.execute(upsert, rows[start : start + 1_000])
    for entry in last.values():
        if entry.value is None:
            await connection.execute(
                delete(ItemRow).where(ItemRow.kind == entry.kind.value, ItemRow.id == entry.id)
            )


async def head(connection: AsyncConnection) -> int:
    """The newest revision's number; 0 before the first."""
    return (await connection.execute(select(func.max(RevisionRow.number)))).scalar_one() or 0


async def load(
    connection: AsyncConnection, state: TableState
) -> tuple[Snapshot, dict[tuple[Kind, str], int]]:
    """The current table, whole."""
    while True:
        number = await head(connection)
        rows = (await connection.execute(select(ItemRow.__table__))).all()
        newest = await revision(connection, number)
        if await head(connection) == number:
            break
    table = _table(rows)
    created = newest.created_ms if newest else 0
    written = {(Kind(row.kind), row.id): row.revision for row in rows}
    return Snapshot(number, state.hasher.table(table), table, created), written


def _table(rows: Sequence[Row[Any]]) -> Table:
    groups: dict[str, dict[str, Any]] = {"backends": {}, "capabilities": {}, "routes": {}}
    fields = {Kind.BACKEND: "backends", Kind.CAPABILITY: "capabilities", Kind.ROUTE: "routes"}
    settings: dict[str, Any] = {}
    for row in rows:
        kind = Kind(row.kind)
        value = orjson.loads(row.document)
        if kind is Kind.SETTING:
            settings[row.id] = value
        else:
            groups[fields[kind]][row.id] = from_data(_CLASSES[kind], value, f"{row.kind} {row.id}")
    frozen: dict[str, Any] = {name: MappingProxyType(found) for name, found in groups.items()}
    return replace(Table(), **frozen, **settings)


async def revision(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """One revision."""
    rows = await connection.execute(
        select(RevisionRow.__table__).where(RevisionRow.number == number)
    )
    return rows.one_or_none()


async def since(connection: AsyncConnection, number: int, limit: int) -> Sequence[Row[Any]]:
    """The revisions after `number`, oldest first."""
    query = select(RevisionRow.__table__).where(RevisionRow.number > number)
    return (await connection.execute(query.order_by(RevisionRow.number).limit(limit))).all()


def changes(document: str) -> tuple[Change, ...]:
    """The changes that a column holds."""
    return changes_from_data(orjson.loads(document))


def lines(document: str) -> list[str]:
    """The lines that a summary column holds."""
    found: list[str] = orjson.loads(document)
    return found


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
