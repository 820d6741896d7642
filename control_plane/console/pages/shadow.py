"""The shadow explorer: routes, fields, examples; rules, words on noise, replays, exports."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from control_plane.clock import now_ms
from control_plane.comparisons.api import export_examples, list_compared, list_examples, list_fields
from control_plane.comparisons.batches import VERDICTS
from control_plane.comparisons.export import Format
from control_plane.comparisons.schemas import FieldStanding
from control_plane.console import diffs
from control_plane.console.access import Viewing, Visit
from control_plane.console.pages.route import found
from control_plane.http.problems import not_found

router = APIRouter()
_ROUTES = 50
_FIELDS = 100
_EXAMPLES = 25
_FILTERS = ("verdict", "field", "q", "noise")


@router.get("/shadow")
async def overview(visit: Viewing, q: str = "") -> Response:
    """Routes with their evidence, those that need attention first."""
    return await visit.page("shadow.html", **await _routes(visit, q), route=None, asked={"q": q})


@router.get("/shadow/{route_id}")
async def show(route_id: str, visit: Viewing, request: Request, cursor: str = "") -> Response:
    """Three panes: routes, the fields that differ in one of them, its stored pairs."""
    route = found(visit, route_id)
    asked = {name: request.query_params.get(name, "")[:2_200] for name in _FILTERS}
    services = visit.services
    until = now_ms()
    detail = await services.comparisons.detail(route_id, until - 3_600_000, until, 60)
    standing: FieldStanding | None = None if asked["noise"] else "real"
    fields = await list_fields(
        route_id, visit.actor, services, window=None, standing=standing, limit=_FIELDS
    )
    examples = await list_examples(
        visit.actor, services, route=route_id, verdict=asked["verdict"], field=asked["field"],
        limit=_EXAMPLES, cursor=cursor,
    )  # fmt: skip
    return await visit.page(
        "shadow.html",
        **await _routes(visit, asked["q"]),
        route=route,
        detail=detail,
        fields=fields,
        examples=examples,
        asked=asked,
        verdicts=VERDICTS,
        formats=list(Format),
        link=lambda **more: _link(route_id, asked, more),
    )


@router.get("/shadow/{route_id}/examples/{example_id}")
async def example(route_id: str, example_id: str, visit: Viewing, view: str = "") -> Response:
    """One stored pair: side by side, or as one difference."""
    shown = await visit.services.comparisons.example(example_id)
    if shown.route != route_id:
        raise not_found("stored comparison", example_id)
    pair = shown.example
    rows, left_out = await asyncio.to_thread(diffs.bodies, pair.legacy, pair.new)
    return await visit.page(
        "example.html",
        shown=shown,
        pair=pair,
        rows=rows,
        left_out=left_out,
        headers=diffs.headers(pair.legacy, pair.new),
        unified=view == "unified",
        route_id=route_id,
        formats=list(Format),
    )


@router.get("/shadow/{route_id}/export")
async def export(
    route_id: str,
    visit: Viewing,
    form: Format = Format.PYTEST,
    verdict: str = "",
    field: str = "",
    example: str = "",
) -> Response:
    """Stored pairs as regression tests, or as HAR."""
    return await export_examples(
        route_id, visit.actor, visit.services, form=form, verdict=verdict, field=field,
        signature="", example=[example] if example else [], limit=200,
    )  # fmt: skip


async def _routes(visit: Visit, q: str) -> dict[str, Any]:
    listed = await list_compared(
        visit.actor, visit.services, q=q, sort="attention", limit=_ROUTES, cursor=""
    )
    return {"compared": listed}


def _link(route_id: str, asked: dict[str, str], more: dict[str, str]) -> str:
    query = {name: value for name, value in {**asked, **more}.items() if value}
    return f"/console/shadow/{route_id}?{urlencode(query)}"
