"""Revisions in the database, for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.models import RevisionRow


async def page(
    connection: AsyncConnection, *, before: int | None, limit: int, actor: str, touches: str
) -> Sequence[Row[Any]]:
    """Revisions, newest first. `touches` is `kind id`, such as `route orders`."""
    columns = [c for c in RevisionRow.__table__.columns if c.name not in ("changes", "inverse")]
    query = select(*columns).order_by(RevisionRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.number < before)
    if actor:
        query = query.where(RevisionRow.actor == actor)
    if touches:
        kind, _, item_id = touches.partition(" ")
        # As `changes_to_data` writes it; ids hold no character that JSON would escape.
        part = f'{{"kind":"{kind}","id":"{item_id}",'
        query = query.where(RevisionRow.changes.contains(part, autoescape=True))
    return (await connection.execute(query)).all()
