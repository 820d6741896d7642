"""The audit log in the database: written in the transaction of what it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit.entry import AuditEntry
from control_plane.db.models import AuditRow, RevisionRow


async def record(
    connection: AsyncConnection,
    entry: AuditEntry,
    *,
    now: int,
    revision: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry."""
    await connection.execute(
        insert(AuditRow).values(
            at_ms=now,
            actor=entry.actor[:200],
            address=entry.address[:64],
            action=entry.action[:40],
            subject=entry.subject[:200],
            revision=revision,
            reason=entry.reason,
            details=dict(details or {}),
        )
    )


async def page(
    connection: AsyncConnection,
    *,
    before: int | None,
    limit: int,
    equal: Mapping[str, Any],
    since_ms: int | None,
    until_ms: int | None,
) -> Sequence[Row[Any]]:
    """Entries from the newest on, each with the changes of its revision and their inverse."""
    query = (
        select(AuditRow.__table__, RevisionRow.changes, RevisionRow.inverse)
        .outerjoin(RevisionRow, RevisionRow.number == AuditRow.revision)
        .order_by(AuditRow.id.desc())
        .limit(limit)
    )
    for name, value in equal.items():
        if value is not None:
            query = query.where(getattr(AuditRow, name) == value)
    if before is not None:
        query = query.where(AuditRow.id < before)
    if since_ms is not None:
        query = query.where(AuditRow.at_ms >= since_ms)
    if until_ms is not None:
        query = query.where(AuditRow.at_ms < until_ms)
    return (await connection.execute(query)).all()
