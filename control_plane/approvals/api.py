"""Approvals and freezes over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query

from control_plane.approvals.rules import RulesError, parse_rules, rules_to_data
from control_plane.approvals.schemas import ChangeRequestOut, RulesIn, RulesOut, request_out
from control_plane.auth.access import Admin, Operator, Viewer
from control_plane.http.paging import Limit, Page
from control_plane.http.problems import COMMON, documented, invalid
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Editing
from control_plane.publishing.state import Snapshot
from control_plane.rollouts.schemas import TellIn
from control_plane.services import Svc
from figway.model.change import Change

Why = Annotated[str, Query(max_length=500, description="Why, for the audit log.")]
router = APIRouter(tags=["approvals"], responses=documented(*COMMON))
_EDIT = documented(404, 409, 413)


@router.get("/change-rules")
async def get_change_rules(_: Viewer, services: Svc) -> RulesOut:
    """What changes need besides being right: approvals, and times without any."""
    return RulesOut(**rules_to_data(await services.approvals.rules()))


@router.put("/change-rules", responses=documented(413))
async def put_change_rules(
    body: RulesIn, actor: Admin, services: Svc, reason: Why = ""
) -> RulesOut:
    """Put other rules in force, whole. They hold for every change from now on, whatever makes it;
    what only leads back to legacy passes all of them."""
    try:
        rules = parse_rules(body)
    except RulesError as error:
        raise invalid(error.path, error.message) from None
    entry = actor.entry("rules.put", "change rules", reason[:500])
    await services.approvals.put_rules(rules, entry)
    return RulesOut(**rules_to_data(rules))


@router.get("/approvals")
async def list_approvals(_: Viewer, services: Svc, limit: Limit = 100) -> Page[ChangeRequestOut]:
    """Changes that wait for other people first, then those that waited."""
    return Page(items=[request_out(found) for found in await services.approvals.requests(limit)])


@router.get("/approvals/{change}", responses=documented(404))
async def get_approval(change: str, _: Viewer, services: Svc) -> ChangeRequestOut:
    """One change that waits."""
    return request_out(await services.approvals.request(change))


@router.post("/approvals/{change}/approve", responses=_EDIT)
async def approve_change(
    change: str, body: TellIn, actor: Operator, services: Svc
) -> ChangeRequestOut:
    """Approve exactly this change: not by whoever asks for it."""
    entry = actor.entry("change.approve", f"change {change[:12]}", body.reason)
    return request_out(await services.approvals.approve(change, entry))


@router.post("/approvals/{change}/reject", responses=_EDIT)
async def reject_change(
    change: str, body: TellIn, actor: Operator, services: Svc
) -> ChangeRequestOut:
    """Reject a change; what was approved of it is gone."""
    entry = actor.entry("change.reject", f"change {change[:12]}", body.reason)
    return request_out(await services.approvals.reject(change, entry))


@router.post("/approvals/{change}/make", responses=_EDIT)
async def make_change(change: str, body: TellIn, edit: Editing) -> Changed:
    """Make a change that has its approvals. 409 when the table is not as it was when it was asked
    for."""
    made = await edit.services.approvals.changes(change, edit.state.current.table)

    def make(_: Snapshot) -> Iterable[Change]:
        return made

    return await edit.because(body.reason).publish("change.make", f"change {change[:12]}", make)
