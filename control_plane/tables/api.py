"""Whole tables over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from control_plane.auth.access import Viewer
from control_plane.http.described import Described
from control_plane.http.preconditions import check_match, quoted
from control_plane.http.problems import COMMON, EDIT, FindingOut, documented
from control_plane.publishing.changed import Changed, FieldChangeOut, changed, shown
from control_plane.publishing.check import errors
from control_plane.publishing.check import shown as findings_shown
from control_plane.publishing.edit import Editing
from control_plane.publishing.state import Snapshot
from control_plane.rollouts.plans import PlanChange
from control_plane.services import Svc
from control_plane.tables import documents
from figway.model import change
from figway.model.change import Change
from figway.validate.plugins import unnamed_plugins
from figway.validate.table import validate

router = APIRouter(tags=["tables"], responses=documented(*COMMON))
_MOST_SHOWN = 10_000
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/yaml": {"schema": {"type": "object"}},
        },
    }
}


class ValidateOut(Described, BaseModel):
    """What applying a table would do."""

    valid: bool
    findings: list[FindingOut]
    changes: list[FieldChangeOut]
    """What it would change in the current table."""
    more_changes: int = 0


@router.get(
    "/table/export",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/yaml": {"schema": {"type": "object"}},
                "application/json": {"schema": {"type": "object"}},
            }
        },
        **documented(404),
    },
)
async def export_table(
    _: Viewer,
    services: Svc,
    format: Literal["yaml", "json"] = "yaml",
    revision: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    """The current table with the plans of its rollouts, or an old table, as a document that
    `apply` takes; without the kill switch."""
    now = services.state.current
    table = now.table if revision is None else await services.history.table(revision)
    plans = [found.plan for found in await services.rollouts.all()] if revision is None else []
    body = await asyncio.to_thread(documents.export, table, format, plans)
    headers = {"ETag": quoted(now.etag)} if revision is None else {}
    return Response(body, headers=headers, media_type=f"application/{format}")


@router.post("/table/validate", openapi_extra=_BODY, responses=documented(413))
async def validate_table(
    request: Request,
    _: Viewer,
    services: Svc,
    merge: Annotated[
        bool, Query(description="Check what applying with `merge` would make of the table.")
    ] = False,
) -> ValidateOut:
    """Check a whole table, and show what applying it would change. Nothing is stored."""
    current = services.state.current.table
    body, kind = await request.body(), request.headers.get("content-type", "")
    document = await asyncio.to_thread(documents.read, body, kind, current)
    table = documents.fitted(current, document.table, merge=merge, keep=False)
    wrong = await asyncio.to_thread(validate, table)
    found = findings_shown([*wrong, *unnamed_plugins(table, services.publisher.plugins)])
    fields = change.describe(current, change.diff(current, table))
    plans: list[FieldChangeOut] = []
    if document.plans is not None:
        found += await services.rollouts.plans.lint_all(document.plans, table)
        plans = _plans(await services.rollouts.plans.described(document.plans))
    return ValidateOut(
        valid=not errors(found),
        findings=found,
        changes=shown(fields[:_MOST_SHOWN]) + plans,
        more_changes=max(0, len(fields) - _MOST_SHOWN),
    )


@router.post("/table/apply", openapi_extra=_BODY, responses=documented(*EDIT))
async def apply_table(
    request: Request,
    edit: Editing,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
    merge: Annotated[
        bool, Query(description="Leave what the document does not name as it is.")
    ] = False,
    stages: Annotated[
        Literal["keep", "file"],
        Query(
            description="`file` takes stage and weight from the document; `keep` leaves those of "
            "routes that exist as they are, so that an old file moves no traffic."
        ),
    ] = "file",
) -> Changed:
    """Make the table what the document says: what it does not name is deleted, unless `merge`.

    Idempotent: applied again, nothing changes and no revision is made. If-Match is the table's
    ETag, and may be left out. The kill switch is no part of a table; the plans of
    rollouts stay as they are unless it has `rollouts`. A route that a rollout moves keeps its
    stage, weight and sample: the document does not undo what the evidence allowed.
    """
    body, kind = await request.body(), request.headers.get("content-type", "")
    current = edit.state.current.table
    document = await asyncio.to_thread(documents.read, body, kind, current)
    rollouts = edit.services.rollouts
    moving = frozenset(await rollouts.moving())
    plans: list[FieldChangeOut] = []
    if document.plans is not None:
        await rollouts.plans.refuse_plans(document.plans, document.table)
        plans = _plans(await rollouts.plans.described(document.plans))

    def make(snapshot: Snapshot) -> tuple[Change, ...]:
        check_match(edit.if_match, "the table", snapshot.etag, required=False)
        fitted = documents.fitted(
            snapshot.table, document.table, merge=merge, keep=stages == "keep"
        )
        wanted = documents.standing(fitted, snapshot.table, moving)
        return change.diff(snapshot.table, wanted)

    if not dry_run:
        made = await edit.publish("table.apply", "table", make)
        if document.plans is not None and plans:
            await rollouts.plans.replace_plans(document.plans, edit.entry("table.apply", "table"))
        return _with_plans(made, plans)
    drafted = edit.services.publisher.draft(make)
    etag = drafted.before.etag
    planned = await changed(edit.services.fleet, drafted, None, 0, etag)
    planned = planned.model_copy(
        update={"undo": None, "revision": drafted.before.revision, "table_etag": etag}
    )
    return _with_plans(planned, plans)


def _with_plans(made: Changed, plans: list[FieldChangeOut]) -> Changed:
    """The answer, with what happened to plans beside the table."""
    changes, differs = made.changes + plans, made.changed or bool(plans)
    return made.model_copy(update={"changes": changes, "changed": differs})


def _plans(changes: Iterable[PlanChange]) -> list[FieldChangeOut]:
    return [
        FieldChangeOut(
            kind="rollout", id=found.id, path="", before=found.before, after=found.after,
            text=found.text,
        )
        for found in changes
    ]  # fmt: skip
