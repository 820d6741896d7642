"""Rollouts over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from control_plane.auth.access import Admin, Operator, Viewer
from control_plane.auth.service import Actor
from control_plane.clock import now_ms
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, EDIT, ApiProblem, documented, refused
from control_plane.publishing.check import shown as findings_shown
from control_plane.publishing.edit import Confirmation
from control_plane.publishing.service import Confirm
from control_plane.rollouts.schemas import (
    FiguresOut,
    LintOut,
    PlanIn,
    RolloutOut,
    SimulationOut,
    StartIn,
    TellIn,
    TimelineOut,
    rollout_out,
    timeline_out,
)
from control_plane.rollouts.simulating import simulate
from control_plane.services import Services, Svc
from figway.rollout.parsing import parse_plan, plan_to_data
from figway.rollout.plan import RolloutPlan
from figway.rollout.state import EventKind

Why = Annotated[str, Query(max_length=500, description="Why, for the audit log.")]
router = APIRouter(tags=["rollouts"], responses=documented(*COMMON))
_EDIT = documented(*EDIT)
Days = Annotated[int, Query(ge=1, le=14, description="Days to look back.")]
_HOUR_MS = 3_600_000


@router.get("/rollouts")
async def list_rollouts(
    _: Viewer,
    services: Svc,
    attention: Annotated[bool, Query(description="Only those that wait for a person.")] = False,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[RolloutOut]:
    """All rollouts by id, with where they stand and why."""
    after = paging.decode(cursor, str) or ""
    found = [rollout_out(entry) for entry in await services.rollouts.all()]
    wanted = sorted(
        (entry for entry in found if entry.id > after and (entry.needs_attention or not attention)),
        key=lambda entry: entry.id,
    )
    shown, following = paging.cut(wanted[: limit + 1], limit, lambda entry: entry.id)
    return Page(items=list(shown), next=following)


@router.get("/rollouts/{rollout}", responses=documented(404))
async def get_rollout(rollout: str, _: Viewer, services: Svc) -> RolloutOut:
    """One rollout: plan, where it stands, why, and every gate and guard with its figures."""
    return rollout_out(await services.rollouts.get(rollout))


@router.put("/rollouts/{rollout}", responses=_EDIT)
async def put_rollout(
    rollout: str,
    body: PlanIn,
    actor: Operator,
    services: Svc,
    reason: Why = "",
) -> RolloutOut:
    """Keep a plan, and do not start it. 409 while its rollout moves."""
    entry = actor.entry("rollout.plan", f"rollout {rollout}", reason[:500])
    return rollout_out(await services.rollouts.plans.put_plan(_plan(rollout, body), entry))


@router.delete("/rollouts/{rollout}", status_code=204, responses=_EDIT)
async def delete_rollout(rollout: str, actor: Operator, services: Svc, reason: Why = "") -> None:
    """Forget a rollout and its timeline. 409 while it moves."""
    entry = actor.entry("rollout.delete", f"rollout {rollout}", reason[:500])
    await services.rollouts.plans.delete(rollout, entry)


@router.post("/rollouts/lint", responses=documented(413))
async def lint_rollout(body: PlanIn, _: Viewer, services: Svc) -> LintOut:
    """Check a plan by itself, against the table, and against what moves already."""
    plan, found = parse_plan(body, "rollout")
    findings = findings_shown(found)
    if plan is not None:
        findings += await services.rollouts.plans.lint(plan)
    wrong = any(entry.severity == "error" for entry in findings)
    return LintOut(
        valid=not wrong, findings=findings, plan=None if plan is None else plan_to_data(plan)
    )


@router.post("/rollouts/simulate", responses=documented(404, 413))
async def simulate_rollout(body: PlanIn, _: Viewer, services: Svc, days: Days = 7) -> SimulationOut:
    """What a plan would have done with the traffic and the comparisons of the last days."""
    plan = _plan(str(body.get("id", "")), body)
    found = await services.rollouts.plans.lint(plan)
    if unknown := [one for one in found if one.code == "rollout_zone_unknown"]:
        raise refused(unknown, "The plan cannot be played")
    return await simulate(services.database, services.state.current.table, plan, days)


@router.post("/rollouts/{rollout}/start", responses=_EDIT)
async def start_rollout(rollout: str, body: StartIn, actor: Operator, services: Svc) -> RolloutOut:
    """Begin where the routes stand. 409 when it moves already, or another moves one of its
    routes."""
    entry = actor.entry("rollout.start", f"rollout {rollout}", body.reason)
    await services.rollouts.refuse_moving(rollout)
    if body.plan is not None:
        await services.rollouts.plans.put_plan(_plan(rollout, body.plan), entry)
    return rollout_out(await services.rollouts.start(rollout, entry, entry.actor))


@router.post("/rollouts/{rollout}/promote-full", responses=_EDIT)
async def promote_rollout_full(
    rollout: str,
    body: TellIn,
    actor: Admin,
    services: Svc,
    confirm: Confirmation = Confirm.NOTHING,
) -> RolloutOut:
    """To the last step at once, whatever gates, hold, hours and approvals of the plan say: for
    emergencies, by an admin. Guards, the kill switch and the rules of changes still hold; what a
    live proxy cannot open takes `confirm=force`."""
    return await _tell(services, rollout, EventKind.PROMOTE_FULL, actor, body.reason, confirm)


@router.post("/rollouts/{rollout}/{word}", responses=_EDIT)
async def tell_rollout(
    rollout: str,
    word: Literal["approve", "pause", "resume", "promote", "abort", "retry"],
    body: TellIn,
    actor: Operator,
    services: Svc,
) -> RolloutOut:
    """Approve a step that waits (not by whoever started it), pause, resume, promote a step past
    its gates, abort, or retry after an abort. 409 says why it cannot be followed now."""
    return await _tell(services, rollout, EventKind(word), actor, body.reason)


@router.get("/rollouts/{rollout}/timeline", responses=documented(404))
async def rollout_timeline(
    rollout: str, _: Viewer, services: Svc, limit: Limit = 100, cursor: Cursor = ""
) -> Page[TimelineOut]:
    """What it did and why, newest first. Lines are only ever added."""
    await services.rollouts.get(rollout)
    before = paging.decode(cursor, int)
    rows = await services.rollouts.timeline(rollout, before, limit + 1)
    shown, following = paging.cut(rows, limit, lambda entry: entry.id)
    return Page(items=[timeline_out(entry) for entry in shown], next=following)


@router.get("/rollouts/{rollout}/figures", responses=documented(404))
async def rollout_figures(
    rollout: str,
    _: Viewer,
    services: Svc,
    hours: Annotated[int, Query(ge=1, le=336)] = 24,
) -> list[FiguresOut]:
    """The interval of each gate and guard against its bound, over time; at most 500 moments."""
    await services.rollouts.get(rollout)
    found = await services.rollouts.points(rollout, now_ms() - hours * _HOUR_MS)
    every = -(-len(found) // 500) or 1
    kept = [*found[: len(found) - 1 : every], *found[-1:]]
    return [FiguresOut(at_ms=at, judged=judged) for at, judged in kept]


async def _tell(
    services: Services,
    rollout: str,
    kind: EventKind,
    actor: Actor,
    reason: str,
    confirm: Confirm = Confirm.NOTHING,
) -> RolloutOut:
    entry = actor.entry(f"rollout.{kind.value}", f"rollout {rollout}", reason)
    forced = confirm is Confirm.FORCE
    tell = services.rollouts.tell
    return rollout_out(await tell(rollout, kind, entry, entry.actor, forced=forced))


def _plan(rollout: str, body: dict[str, Any]) -> RolloutPlan:
    """The plan of a body. Raises `ApiProblem` 422."""
    plan, findings = parse_plan({"id": rollout, **body}, f"rollouts.{rollout}")
    if plan is None:
        raise refused(findings_shown(findings), "The plan cannot be read")
    if plan.id != rollout:
        raise ApiProblem(
            422, "invalid_request", "The request is wrong",
            f"id: {plan.id!r} is not the id of the address, {rollout!r}",
        )  # fmt: skip
    return plan
