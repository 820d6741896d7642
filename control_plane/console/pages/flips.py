"""The flip dialog: what it would do, the doing, and how far the proxies are with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Response

from control_plane.comparisons.schemas import FieldsOut
from control_plane.console.access import Operating, Viewing, Visit
from control_plane.console.flip_preview import FlipPreview, FlipTarget, plan
from control_plane.console.formats import points
from control_plane.console.route_row import RouteRow, line
from control_plane.http.problems import ApiProblem, FindingOut, invalid
from control_plane.publishing.state import Snapshot
from control_plane.routes.schemas import FlipIn
from control_plane.routes.service import flip, flip_capability
from control_plane.services import Services
from figway.model.change import Kind
from figway.model.table import Stage

router = APIRouter()
Flippable = Literal["routes", "capabilities"]
_PATIENCE_MS = 30_000
_MOST_PROOFS = 10


@router.get("/{kind}/{item_id}/flip")
async def ask(
    kind: Flippable, item_id: str, visit: Viewing, stage: Stage, percent: str = ""
) -> Response:
    """What the flip would do, and the form to do it."""
    target = _target(kind, item_id, stage, percent)
    return await _dialog(visit, target, _etag(visit, target))


@router.post("/{kind}/{item_id}/flip")
async def do(kind: Flippable, item_id: str, visit: Operating) -> Response:
    """Flip. What stands in its way is shown in the dialog, with what was typed."""
    form = visit.form
    try:
        stage = Stage(form.get("stage", ""))
    except ValueError:
        raise invalid("stage", "there is no such stage") from None
    target = _target(kind, item_id, stage, form.get("percent", ""))
    etag, reason = form.get("etag", ""), form.get("reason", "").strip()
    planned = plan(visit.services, await visit.console.live_state.snapshot(), target, etag)
    try:
        visit.reason()
        if planned.typed and form.get("typed", "").strip() != planned.typed:
            raise invalid("typed", f"type {planned.typed} to confirm")
        body = FlipIn(stage=target.stage, weight=target.weight, reason=reason)
        do_flip = flip if kind == "routes" else flip_capability
        changed = await do_flip(visit.edit(etag), item_id, body)
    except ApiProblem as error:
        return await _dialog(visit, target, etag, error, reason)
    if not changed.changed:
        return await _dialog(visit, target, etag)
    response = await spread(visit, changed.revision, heading="Flipped")
    response.headers["HX-Trigger"] = "figway:change"
    return response


@router.get("/propagation/{revision}")
async def propagation(revision: int, visit: Viewing) -> Response:
    """How far the proxies are with a revision."""
    return await spread(visit, revision)


async def spread(
    visit: Visit, revision: int, heading: str = "", warnings: Sequence[FindingOut] = ()
) -> Response:
    """How far the proxies are with a revision, as a part that asks again until they have it."""
    services = visit.services
    row = await services.history.revision(revision)
    current = services.state.current
    wanted = Snapshot(row.number, row.etag, current.table, row.created_ms)
    progress = await services.fleet.wait(wanted, 0)
    waiting = any(proxy.state == "waiting" for proxy in progress.proxies)
    return await visit.page(
        "propagation.html",
        spread=progress,
        revision=row,
        heading=heading or "On its way to the proxies",
        again=waiting and progress.ms < _PATIENCE_MS,
        warnings=warnings,
        undoable=visit.may("operator") and row.number == current.revision,
    )


async def _dialog(
    visit: Visit, target: FlipTarget, etag: str, problem: ApiProblem | None = None, reason: str = ""
) -> Response:
    services = visit.services
    live = await visit.console.live_state.snapshot()
    planned: FlipPreview = plan(services, live, target, etag)
    proofs = await services.comparisons.views.current()
    status = problem.status if problem else 200
    shown = [line(before, live, proofs) for before, _ in planned.routes]
    newest = None
    if status == 412:
        newest = await services.history.revision(services.state.current.revision)
    asked, forced = await _to_confirm(services, planned)
    return await visit.page(
        "flip.html",
        status,
        plan=planned,
        lines=shown,
        fields=await _fields(services, shown[:_MOST_PROOFS]),
        cached=[] if planned.to_legacy else await _cached(services, shown[:_MOST_PROOFS]),
        asked=asked,
        forced=forced,
        problem=problem,
        newest=newest,
        reason=reason,
    )


async def _to_confirm(
    services: Services, planned: FlipPreview
) -> tuple[list[FindingOut], list[FindingOut]]:
    """What has to be confirmed, and what has to be forced: the policy of every change."""
    policy, drafted = services.publisher.policy, planned.drafted
    if drafted is None or policy is None:
        return [], []
    return await policy.findings(drafted.before.table, drafted.after.table)


async def _fields(services: Services, lines: list[RouteRow]) -> dict[str, FieldsOut]:
    """How many fields really differ, are noise, or are ignored, of routes that were compared."""
    return {
        row.route.id: (await services.comparisons.views.fields(row.route.id)).frame()
        for row in lines
        if row.proof is not None
    }


async def _cached(services: Services, lines: list[RouteRow]) -> list[FindingOut]:
    """What caches would make of the answers, of routes that were compared."""
    found: list[FindingOut] = []
    for row in lines:
        if row.proof is not None:
            found += await services.comparisons.views.warnings(row.route.id)
    return found


def _etag(visit: Visit, target: FlipTarget) -> str:
    if target.kind == "capabilities":
        return visit.services.state.current.etag
    stored = visit.services.state.stored(Kind.ROUTE, target.id)
    return stored.etag if stored else ""


def _target(kind: str, item_id: str, stage: Stage, percent: str) -> FlipTarget:
    weight = None
    if stage is Stage.CANARY and percent.strip():
        weight = points("percent", percent, sign_shown=True)
    return FlipTarget(kind, item_id, stage, weight)
