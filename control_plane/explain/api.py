"""Explaining over HTTP."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from control_plane.auth.access import Viewer
from control_plane.explain.head import typed_head
from control_plane.explain.schemas import ExplainIn, ExplainOut
from control_plane.http.problems import COMMON, ApiProblem, documented, invalid, not_found
from control_plane.services import Services, Svc
from figway.explain.request import explain
from figway.model import change
from figway.model.change import UnknownItem, changes_from_data
from figway.model.codec import CodecError
from figway.model.table import Table
from figway.routing.compile import CompiledTable, CompileError, compile_table

router = APIRouter(tags=["explain"], responses=documented(*COMMON, 404, 413))


@router.post("/explain")
async def explain_request(body: ExplainIn, _: Viewer, services: Svc) -> ExplainOut:
    """Route, sticky key, bucket, side, backend, policies, shadow, fallback of a request, and why.

    Against the live table, an old revision, or either with a draft on top ("what if the weight were
    25 %"). Nothing is sent anywhere.
    """
    pairs = list(body.headers.items()) if isinstance(body.headers, dict) else body.headers
    head = typed_head(body.method, body.url, pairs, body.client)
    current = services.state.current
    revision = current.revision if body.at == "live" else body.at
    table = current.table if body.at == "live" else await services.history.table(body.at)
    if body.changes:
        table = _drafted(table, body.changes)
    compiled = await _compiled(services, table, revision)
    data = None if body.body is None else body.body.encode("utf-8", "surrogatepass")
    found = explain(compiled, head, kill=body.kill, forced=body.forced, body=data)
    return ExplainOut(draft=bool(body.changes), explanation=found)


def _drafted(table: Table, changes: list[dict[str, object]]) -> Table:
    try:
        return change.apply(table, changes_from_data(changes))
    except CodecError as error:
        raise invalid(f"changes{error.path.removeprefix('$')}", error.message) from None
    except UnknownItem as error:
        raise not_found(error.kind.value, error.id) from None


async def _compiled(services: Services, table: Table, revision: int) -> CompiledTable:
    live = services.compiled
    try:
        if table is services.state.current.table:
            return await asyncio.to_thread(live.of, services.state.current)
        return await asyncio.to_thread(compile_table, table, revision)
    except CompileError as error:
        raise ApiProblem(
            422, "cannot_compile", "The table cannot serve", f"revision {revision}: {error}"
        ) from None
