"""The playground: which way a request would go, against live, a draft or an old revision."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from control_plane.console import curl
from control_plane.console.access import Viewing, Visit
from control_plane.console.formats import points
from control_plane.explain.api import explain_request
from control_plane.explain.schemas import ExplainIn
from control_plane.http.problems import ApiProblem, invalid
from figway.explain.request import Explanation
from figway.model.codec import to_data
from figway.model.table import Stage
from figway.model.words import Side

router = APIRouter()
_FIELDS = ("request", "client", "revision", "stage", "percent", "forced", "kill", "draft")


@router.get("/explain")
async def show(visit: Viewing, request: Request) -> Response:
    """The form, and what it explains; all of it in the URL, so that it can be passed on."""
    asked = {name: request.query_params.get(name, "")[:20_000] for name in _FIELDS}
    found: Explanation | None = None
    plain: Explanation | None = None
    problem: ApiProblem | None = None
    table = visit.services.state.current.table
    # Without a legacy the live table answers nothing; an old revision may.
    if asked["request"].strip() and (table.default_backend or asked["revision"].strip()):
        try:
            found, plain = await _explained(visit, asked)
        except ApiProblem as error:
            problem = error
    return await visit.page(
        "explain.html",
        problem.status if problem else 200,
        asked=asked,
        found=found,
        plain=plain,
        problem=problem,
        empty=not table.default_backend,
        stages=list(Stage),
        backends=table.backends,
        sides=list(Side),
    )


async def _explained(visit: Visit, asked: dict[str, str]) -> tuple[Explanation, Explanation | None]:
    """What was asked for, and beside it the plain truth where something was supposed."""
    typed = curl.read(asked["request"])
    plain: dict[str, Any] = {"method": typed.method, "url": typed.url, "headers": typed.headers}
    if typed.body is not None:
        plain["body"] = typed.body
    if asked["client"].strip():
        plain["client"] = asked["client"].strip()
    if asked["revision"].strip():
        if not asked["revision"].strip().isdecimal():
            raise invalid("revision", "give the number of a revision, or nothing for the live one")
        plain["at"] = int(asked["revision"])
    supposed = dict(plain)
    if asked["forced"]:
        supposed["forced"] = asked["forced"]
    if asked["kill"]:
        supposed["kill"] = asked["kill"] == "on"
    if asked["draft"].strip():
        try:
            supposed["changes"] = orjson.loads(asked["draft"])
        except ValueError as error:
            raise invalid("draft", f"not JSON: {error}") from None
    if asked["stage"] or asked["percent"].strip():
        first = await _ask(visit, supposed)
        change = await _what_if(visit, first, asked, plain.get("at", "live"))
        supposed["changes"] = [*supposed.get("changes", []), change]
    found = await _ask(visit, supposed)
    return found, (await _ask(visit, plain)) if supposed != plain else None


async def _ask(visit: Visit, body: dict[str, Any]) -> Explanation:
    try:
        checked = ExplainIn.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(where, str(first["msg"])) from None
    return (await explain_request(checked, visit.actor, visit.services)).explanation


async def _what_if(
    visit: Visit, first: Explanation, asked: dict[str, str], at: int | str
) -> dict[str, Any]:
    """The matched route in another stage or with another weight."""
    services = visit.services
    table = services.state.current.table if at == "live" else await services.history.table(int(at))
    route = table.routes.get(first.route_id)
    if route is None:
        raise invalid("percent", "no route matches this request, so there is no weight to suppose")
    data = to_data(route)
    if asked["percent"].strip():
        data["weight"] = points("percent", asked["percent"], sign_shown=True)
        data["stage"] = Stage.CANARY.value
    if asked["stage"]:
        data["stage"] = asked["stage"]
    return {"kind": "route", "id": route.id, "value": data}
