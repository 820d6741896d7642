"""The audit log over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from control_plane.audit import store
from control_plane.audit.changes import first_changes
from control_plane.auth.access import Viewer
from control_plane.http import paging
from control_plane.http.described import Described
from control_plane.http.paging import Cursor, Limit, Only, Page
from control_plane.http.problems import COMMON, documented
from control_plane.publishing.changed import FieldChangeOut, shown
from control_plane.services import Svc

router = APIRouter(tags=["audit"], responses=documented(*COMMON))
_MOST_SHOWN = 100
Moment = Annotated[int | None, Query(ge=0, lt=2**53, description="Milliseconds since the epoch.")]


class AuditOut(Described, BaseModel):
    """One entry: who did what to what, why, and what it changed."""

    id: int
    at_ms: int
    actor: str
    """Name and prefix of the key."""
    address: str
    """Where the call came from."""
    action: str
    """`route.flip`, `key.create`, ..."""
    subject: str
    """`route orders`, `key ab12cd34`, ..."""
    revision: int | None
    """The revision that it made."""
    reason: str
    changes: list[FieldChangeOut]
    """Before and after, field by field; the first hundred."""
    details: dict[str, Any]
    """What no revision says."""


@router.get("/audit")
async def list_audit(
    _: Viewer,
    services: Svc,
    actor: Only = "",
    action: Only = "",
    subject: Only = "",
    since_ms: Annotated[Moment, Query(alias="from")] = None,
    until_ms: Annotated[Moment, Query(alias="to")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[AuditOut]:
    """Who did what, newest first."""
    before = paging.decode(cursor, int)
    equal = {"actor": actor or None, "action": action or None, "subject": subject or None}
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await store.page(
                connection,
                before=before,
                limit=limit + 1,
                equal=equal,
                since_ms=since_ms,
                until_ms=until_ms,
            ),
            limit,
            lambda row: row.id,
        )
    return Page(items=[_out(row) for row in rows], next=following)


def _out(row: Any) -> AuditOut:
    found: list[FieldChangeOut] = []
    if row.changes is not None:
        found = shown(first_changes(row.changes, row.inverse, _MOST_SHOWN))
    return AuditOut(
        id=row.id,
        at_ms=row.at_ms,
        actor=row.actor,
        address=row.address,
        action=row.action,
        subject=row.subject,
        revision=row.revision,
        reason=row.reason,
        changes=found,
        details=row.details,
    )
