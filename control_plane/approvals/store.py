"""Rules, requests and approvals in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.approvals.rules import ChangeRules, parse_rules, rules_to_data
from control_plane.db.engine import Database
from control_plane.db.rollout_models import ChangeApprovalRow, ChangeRequestRow, ChangeRulesRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A change that waits for other people."""

    hash: str
    summary: tuple[str, ...]
    changes: str
    needs: int
    actor: str
    reason: str
    at_ms: int
    status: str
    revision: int | None = None
    approved_by: tuple[str, ...] = ()


async def rules(connection: AsyncConnection) -> ChangeRules:
    """The rules in force."""
    found = await connection.execute(select(ChangeRulesRow.document).where(ChangeRulesRow.id == 1))
    document = found.scalar_one_or_none()
    return ChangeRules() if document is None else parse_rules(orjson.loads(document))


async def put_rules(
    database: Database, connection: AsyncConnection, found: ChangeRules, actor: str, now: int
) -> None:
    """Put other rules in force."""
    columns = {
        "document": orjson.dumps(rules_to_data(found)).decode(),
        "changed_ms": now,
        "changed_by": actor[:200],
    }
    statement = database.insert(ChangeRulesRow).values(id=1, **columns)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=columns))


async def ask(database: Database, connection: AsyncConnection, request: ChangeRequest) -> bool:
    """Note that a change waits; False if that was noted before. One that was made or rejected
    waits anew."""
    columns = {
        "summary": orjson.dumps(list(request.summary)).decode(),
        "changes": request.changes,
        "needs": request.needs,
        "actor": request.actor[:200],
        "reason": request.reason,
        "at_ms": request.at_ms,
        "status": "open",
        "revision": None,
    }
    statement = database.insert(ChangeRequestRow).values(hash=request.hash, **columns)
    done = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["hash"],
            set_=columns,
            where=ChangeRequestRow.status.in_(("made", "rejected")),
        )
    )
    return bool(done.rowcount)


_LEAST_NAMED = 8


async def request(connection: AsyncConnection, change: str) -> ChangeRequest | None:
    """One request, by its hash or an unambiguous beginning of at least eight characters: a shorter
    one may come to name another change than was looked at."""
    if len(change) < _LEAST_NAMED:
        return None
    query = select(ChangeRequestRow.__table__).where(
        ChangeRequestRow.hash.startswith(change, autoescape=True)
    )
    rows = (await connection.execute(query.limit(2))).all()
    if len(rows) != 1:
        return None
    return _request(rows[0], await approvers(connection, rows[0].hash))


async def requests(connection: AsyncConnection, limit: int) -> list[ChangeRequest]:
    """Requests, newest first; those that wait before all others."""
    query = select(ChangeRequestRow.__table__).order_by(
        ChangeRequestRow.status != "open", ChangeRequestRow.at_ms.desc()
    )
    rows = (await connection.execute(query.limit(limit))).all()
    return [_request(row, await approvers(connection, row.hash)) for row in rows]


async def approvers(connection: AsyncConnection, change: str) -> tuple[str, ...]:
    """Who approved a change."""
    query = select(ChangeApprovalRow.actor).where(ChangeApprovalRow.hash == change)
    found: Sequence[str] = (await connection.execute(query)).scalars().all()
    return tuple(found)


async def approve(
    database: Database, connection: AsyncConnection, change: str, actor: str, note: str, now: int
) -> bool:
    """Note an approval; a second one by the same person is the first. False if the change does not
    wait any more: made or rejected meanwhile, it has no approvals to be kept for another time."""
    # A write: whoever settles the request at the same time waits for this transaction, or this one
    # for theirs.
    waits = await connection.execute(
        update(ChangeRequestRow).where(*_open(change)).values(status="open")
    )
    if not waits.rowcount:
        return False
    statement = database.insert(ChangeApprovalRow).values(
        hash=change, actor=actor[:200], at_ms=now, note=note
    )
    await connection.execute(statement.on_conflict_do_nothing())
    return True


def _open(change: str) -> tuple[ColumnElement[bool], ...]:
    return ChangeRequestRow.hash == change, ChangeRequestRow.status == "open"


async def reject(connection: AsyncConnection, change: str) -> bool:
    """Reject a request that waits; False if it does not any more."""
    done = await connection.execute(
        update(ChangeRequestRow).where(*_open(change)).values(status="rejected")
    )
    if done.rowcount:
        await forget_approvals(connection, change)
    return bool(done.rowcount)


async def made(connection: AsyncConnection, change: str, revision: int) -> None:
    """A change was made: nobody waits for it, if anybody did."""
    await connection.execute(
        update(ChangeRequestRow)
        .where(ChangeRequestRow.hash == change)
        .values(status="made", revision=revision)
    )


async def forget_approvals(connection: AsyncConnection, change: str) -> None:
    """They are spent, or count for nothing any more."""
    await connection.execute(
        ChangeApprovalRow.__table__.delete().where(ChangeApprovalRow.hash == change)  # type: ignore[attr-defined]
    )


def _request(row: Row[Any], approved_by: tuple[str, ...]) -> ChangeRequest:
    fields = ("hash", "changes", "needs", "actor", "reason", "at_ms", "status", "revision")
    return ChangeRequest(
        **{name: getattr(row, name) for name in fields},
        summary=tuple(orjson.loads(row.summary)),
        approved_by=approved_by,
    )
