"""The table and its history in the database: items, revisions, and which installation it is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Row, delete, insert, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.db.engine import Database
from control_plane.db.models import InstallationRow, ItemRow, RevisionRow
from control_plane.publishing.state import Snapshot, TableState
from figway.model import change
from figway.model.backend import Backend
from figway.model.change import Change, Kind, changes_from_data, changes_to_data
from figway.model.codec import canonical, from_data
from figway.model.table import Capability, Route, Table

_log = logging.getLogger(__name__)
CHANNEL = "figway_revision"
"""PostgreSQL notifies on it with the number of each new revision."""

_CLASSES: dict[Kind, Any] = {
    Kind.BACKEND: Backend,
    Kind.CAPABILITY: Capability,
    Kind.ROUTE: Route,
}


@dataclass(frozen=True, slots=True)
class Head:
    """What the database says is newest. Number and hash: a number alone may come again."""

    installation: str
    revision: int
    etag: str
    """Empty before the first revision."""


@dataclass(frozen=True, slots=True)
class RevisionHead:
    """A stored revision, as lists show it."""

    number: int
    etag: str
    base_etag: str
    summary: list[str]
    actor: str
    reason: str
    source: str
    created_ms: int
    change_id: str
    undoes: int | None


@dataclass(frozen=True, slots=True)
class StoredRevision(RevisionHead):
    """A stored revision with what it changed, and what takes it back."""

    changes: tuple[Change, ...]
    inverse: tuple[Change, ...]


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
    change_id: str = ""
    undoes: int | None = None


class BaseMoved(Exception):
    """The newest revision is not the one that a change was made for."""


async def append(
    database: Database, connection: AsyncConnection, state: TableState, new: NewRevision
) -> None:
    """Write a revision, its items and its audit entry.

    The number is the primary key: if another control plane was faster, this raises `IntegrityError`
    and the transaction leaves nothing behind. So it does with `BaseMoved` where the base is not
    there as it was: after a failover to a replica that lacks the last commit, or a restore.
    """
    number = new.after.revision
    await connection.execute(
        insert(RevisionRow).values(
            number=number,
            etag=new.after.etag,
            base_etag=new.base.etag,
            changes=_dump(changes_to_data(new.changes)),
            inverse=_dump(changes_to_data(new.inverse)),
            summary=new.summary,
            actor=new.entry.actor[:200],
            reason=new.entry.reason,
            source=new.source,
            created_ms=new.after.created_ms,
            change_id=new.change_id,
            undoes=new.undoes,
        )
    )
    await _check_base(connection, state, new)
    await _write_items(database, connection, state, new.changes, number)
    await audit.record(connection, new.entry, now=new.after.created_ms, revision=number)
    if database.is_postgres:
        await connection.execute(
            text("SELECT pg_notify(:channel, :number)"), {"channel": CHANNEL, "number": str(number)}
        )


async def _check_base(connection: AsyncConnection, state: TableState, new: NewRevision) -> None:
    """Hold the base against the database, in the transaction that builds on it."""
    query = (
        select(RevisionRow.number, RevisionRow.etag)
        .where(RevisionRow.number != new.after.revision)
        .order_by(RevisionRow.number.desc())
        .limit(1)
    )
    newest = (await connection.execute(query)).one_or_none()
    there = (0, state.empty.etag) if newest is None else (newest.number, newest.etag)
    expected = (new.base.revision, state.stored_etag or new.base.etag)
    if there != expected or await installation(connection) != state.installation:
        raise BaseMoved


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


async def head(connection: AsyncConnection) -> Head:
    """The installation, and its newest revision; 0 before the first. One question."""
    newest = select(RevisionRow.number, RevisionRow.etag).order_by(RevisionRow.number.desc())
    part = newest.limit(1).subquery()
    query = select(InstallationRow.id, part.c.number, part.c.etag).select_from(
        InstallationRow.__table__.outerjoin(part, true())
    )
    row = (await connection.execute(query.limit(1))).one_or_none()
    if row is None:
        return Head("", 0, "")
    return Head(row.id, row.number or 0, row.etag or "")


async def installation(connection: AsyncConnection) -> str:
    """Which installation the database is; empty if it is none."""
    return (
        await connection.execute(select(InstallationRow.id).limit(1))
    ).scalar_one_or_none() or ""


async def adopted(connection: AsyncConnection) -> list[str]:
    """Installations whose proxies may follow this one."""
    found = (await connection.execute(select(InstallationRow.adopts).limit(1))).scalar_one_or_none()
    return found or []


async def adopt(connection: AsyncConnection, installation: str) -> list[str]:
    """Adopt one more; all of them, the newest last. Safe beside another control plane: the row is
    locked by the first write."""
    await connection.execute(update(InstallationRow).values(adopts=InstallationRow.adopts))
    ids = list(dict.fromkeys([*await adopted(connection), installation]))[-20:]
    await connection.execute(update(InstallationRow).values(adopts=ids))
    return ids


async def load(connection: AsyncConnection, state: TableState) -> Loaded:
    """The current table, whole, held to its stored hash."""
    while True:
        newest = await head(connection)
        rows = (await connection.execute(select(ItemRow.__table__))).all()
        row = await revision(connection, newest.revision)
        if await head(connection) == newest:
            break
    table = _table(rows)
    created = row.created_ms if row else 0
    written = {(Kind(item.kind), item.id): item.revision for item in rows}
    found = Snapshot(newest.revision, state.hasher.table(table), table, created)
    if row is not None and found.etag != row.etag:
        found = await _by_history(connection, state, found, row.etag)
    return Loaded(newest, found, written)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the database holds."""

    head: Head
    snapshot: Snapshot
    written: dict[tuple[Kind, str], int]


async def _by_history(
    connection: AsyncConnection, state: TableState, items: Snapshot, etag: str
) -> Snapshot:
    """The table as its revisions made it, where the items are not what the newest one says.

    Another release may write the same table with another hash: then both agree, and nothing is
    wrong. Otherwise the revisions count, as they alone are audited.
    """
    table = Table()
    number = 0
    while part := await since(connection, number, 500):
        for entry in part:
            table = change.apply(table, entry.changes)
        number = part[-1].number
    if table == items.table:
        return items
    made = state.hasher.table(table)
    _log.error(
        "the items of revision %s are not what its history says (hash %s, stored %s, by history "
        "%s): the history counts", items.revision, items.etag, etag, made,
    )  # fmt: skip
    return replace(items, table=table, etag=made)


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


async def revision(connection: AsyncConnection, number: int) -> StoredRevision | None:
    """One revision."""
    rows = await connection.execute(
        select(RevisionRow.__table__).where(RevisionRow.number == number)
    )
    row = rows.one_or_none()
    return None if row is None else _stored(row)


async def by_change(connection: AsyncConnection, change_id: str) -> StoredRevision | None:
    """The revision that a change became, if it became one."""
    query = select(RevisionRow.__table__).where(RevisionRow.change_id == change_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _stored(row)


async def etag_of(connection: AsyncConnection, number: int) -> str | None:
    """The hash of a revision's table; None if there is no such revision."""
    query = select(RevisionRow.etag).where(RevisionRow.number == number)
    found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def since(connection: AsyncConnection, number: int, limit: int) -> Sequence[StoredRevision]:
    """The revisions after `number`, oldest first."""
    query = select(RevisionRow.__table__).where(RevisionRow.number > number)
    rows = (await connection.execute(query.order_by(RevisionRow.number).limit(limit))).all()
    return [_stored(row) for row in rows]


async def page(
    connection: AsyncConnection, *, before: int | None, limit: int, actor: str, touches: str
) -> Sequence[RevisionHead]:
    """Revisions, newest first. `touches` is `kind id`, such as `route orders`."""
    query = select(*_HEAD).order_by(RevisionRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.number < before)
    if actor:
        query = query.where(RevisionRow.actor == actor)
    if touches:
        kind, _, item_id = touches.partition(" ")
        # As `changes_to_data` writes it; ids hold no character that JSON would escape.
        part = f'{{"kind":"{kind}","id":"{item_id}",'
        query = query.where(RevisionRow.changes.contains(part, autoescape=True))
    return [RevisionHead(**row._mapping) for row in (await connection.execute(query)).all()]


@dataclass(frozen=True, slots=True)
class Step:
    """A revision, as undo and redo look at it."""

    number: int
    undoes: int | None
    summary: list[str]
    actor: str
    reason: str


async def steps(connection: AsyncConnection, before: int, limit: int) -> Sequence[Step]:
    """Revisions before a number, newest first."""
    columns = (RevisionRow.number, RevisionRow.undoes, RevisionRow.summary, RevisionRow.actor,
               RevisionRow.reason)  # fmt: skip
    query = select(*columns).where(RevisionRow.number < before)
    rows = await connection.execute(query.order_by(RevisionRow.number.desc()).limit(limit))
    return [Step(**row._mapping) for row in rows.all()]


async def dates(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, int]:
    """When revisions were made, by number."""
    query = select(RevisionRow.number, RevisionRow.created_ms).where(
        RevisionRow.number.in_(set(numbers))
    )
    return {row.number: row.created_ms for row in (await connection.execute(query)).all()}


async def inverses(
    connection: AsyncConnection, after: int, until: int, limit: int
) -> Sequence[tuple[int, int, list[dict[str, Any]]]]:
    """Number, time and plain inverse of the revisions after one, up to another, newest first."""
    query = (
        select(RevisionRow.number, RevisionRow.created_ms, RevisionRow.inverse)
        .where(RevisionRow.number <= until, RevisionRow.number > after)
        .order_by(RevisionRow.number.desc())
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return [(row.number, row.created_ms, orjson.loads(row.inverse)) for row in rows]


_HEAD = [RevisionRow.__table__.c[entry.name] for entry in fields(RevisionHead)]


def _stored(row: Row[Any]) -> StoredRevision:
    values = dict(row._mapping)
    values["changes"] = changes_from_data(orjson.loads(row.changes))
    values["inverse"] = changes_from_data(orjson.loads(row.inverse))
    return StoredRevision(**values)


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
