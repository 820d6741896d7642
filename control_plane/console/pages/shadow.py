"""The shadow explorer: routes, fields, examples; rules, words on noise, replays, exports."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from control_plane.clock import now_ms
from control_plane.comparisons.batches import VERDICTS
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.export import MEDIA_TYPES, Format, file_name
from control_plane.comparisons.fields import HIDDEN
from control_plane.comparisons.listing import FieldsWanted, RoutesWanted, fields_page, routes_page
from control_plane.console import diffs
from control_plane.console.access import Viewing, Visit
from control_plane.console.pages.route import found
from control_plane.http import paging
from control_plane.http.problems import not_found

router = APIRouter()
_ROUTES = 50
_FIELDS = 100
_EXAMPLES = 25
_MOST_EXPORTED = 200
_FILTERS = ("verdict", "field", "q", "noise", "build")


@router.get("/shadow")
async def overview(visit: Viewing, q: str = "") -> Response:
    """Routes with their evidence, those that need attention first."""
    return await visit.page("shadow.html", **await _routes(visit, q), route=None, asked={"q": q})


@router.get("/shadow/{route_id}")
async def show(route_id: str, visit: Viewing, request: Request, cursor: str = "") -> Response:
    """Three panes: routes, the fields that differ in one of them, its stored pairs."""
    route = found(visit, route_id)
    asked = {name: request.query_params.get(name, "")[:2_200] for name in _FILTERS}
    comparisons = visit.services.comparisons
    until = now_ms()
    detail = await comparisons.views.detail(route_id, until - 3_600_000, until, 60)
    fields_wanted = FieldsWanted(
        route_id, build=asked["build"] or None, standing=None if asked["noise"] else "open"
    )
    fields = await fields_page(comparisons.views, fields_wanted, "attention", _FIELDS, "")
    wanted = Wanted(route=route_id, verdict=asked["verdict"], field=asked["field"])
    before = paging.decode(cursor, int)
    examples, following = await comparisons.pairs.page(wanted, before, _EXAMPLES)
    return await visit.page(
        "shadow.html",
        **await _routes(visit, asked["q"]),
        route=route,
        detail=detail,
        fields=fields,
        hidden=sum(fields.paths[name] for name in HIDDEN),
        examples=examples,
        older="" if following is None else paging.encode(following),
        asked=asked,
        verdicts=VERDICTS,
        formats=list(Format),
        link=lambda **more: _link(route_id, asked, more),
    )


@router.get("/shadow/{route_id}/examples/{example_id}")
async def example(route_id: str, example_id: str, visit: Viewing, view: str = "") -> Response:
    """One stored pair: side by side, or as one difference."""
    shown = await visit.services.comparisons.pairs.one(example_id)
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
        headers=diffs.headers(pair, found(visit, route_id).comparison.headers),
        found={one.field: one for one in shown.found},
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
    found(visit, route_id)
    wanted = Wanted(route=route_id, verdict=verdict, field=field, ids=(example,) if example else ())
    text = await visit.services.comparisons.exports.write(form, wanted, _MOST_EXPORTED)
    name = file_name(route_id, form)
    return Response(
        text.encode("utf-8", "backslashreplace"),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _routes(visit: Visit, q: str) -> dict[str, Any]:
    views = visit.services.comparisons.views
    return {"compared": await routes_page(views, RoutesWanted(q=q), "attention", _ROUTES, "")}


def _link(route_id: str, asked: dict[str, str], more: dict[str, str]) -> str:
    query = {name: value for name, value in {**asked, **more}.items() if value}
    return f"/console/shadow/{route_id}?{urlencode(query)}"
