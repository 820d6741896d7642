"""Replays over HTTP: people order them, proxies fetch and answer them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from control_plane.auth.access import Operator, Proxy, Viewer
from control_plane.comparisons.schemas_replays import (
    JobsOut,
    ReplayIn,
    ReplayItemOut,
    ReplayOut,
    ResultsIn,
    ResultsOut,
)
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, documented
from control_plane.services import Svc

router = APIRouter(tags=["comparisons"], responses=documented(*COMMON))


@router.post("/comparisons/replays", status_code=201, responses=documented(404, 409))
async def create_replay(body: ReplayIn, actor: Operator, services: Svc) -> ReplayOut:
    """Have stored requests sent to both sides once more, and compared.

    A proxy with a shadow worker fetches the job within seconds. Requests that are not safe, or
    whose target was redacted, are answered `not_replayable`.
    """
    entry = actor.entry("replay.create", f"route {body.route}", body.reason)
    return await services.comparisons.replays.create(body, entry)


@router.get("/comparisons/replays")
async def poll_replays(
    _: Proxy,
    services: Svc,
    instance: Annotated[str, Query(min_length=1, max_length=200)],
) -> JobsOut:
    """A proxy asks for work. A job is leased to it for a minute after its last result."""
    return JobsOut(jobs=await services.comparisons.replays.work(instance))


@router.post("/comparisons/replays/{replay_id}/results", responses=documented(404, 413))
async def take_results(replay_id: str, body: ResultsIn, _: Proxy, services: Svc) -> ResultsOut:
    """A proxy answers a job, in parts if it likes. What was answered before stays as it is."""
    accepted = await services.comparisons.replays.answer(replay_id, body.results)
    return ResultsOut(accepted=accepted)


@router.get("/comparisons/replays/history")
async def list_replays(
    _: Viewer,
    services: Svc,
    route: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[ReplayOut]:
    """Replays, newest first, with how far they are."""
    before = paging.decode(cursor, int)
    items, following = await services.comparisons.replays.page(route, before, limit)
    return Page(items=items, next=following)


@router.get("/comparisons/replays/{replay_id}", responses=documented(404))
async def get_replay(replay_id: str, _: Viewer, services: Svc) -> ReplayOut:
    """A replay and how far it is."""
    return await services.comparisons.replays.one(replay_id)


@router.get("/comparisons/replays/{replay_id}/results", responses=documented(404))
async def list_results(
    replay_id: str,
    _: Viewer,
    services: Svc,
    verdict: Annotated[str, Query(max_length=20)] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Page[ReplayItemOut]:
    """What came of each example of a replay."""
    after = paging.decode(cursor, str) or ""
    items, following = await services.comparisons.replays.results(replay_id, after, verdict, limit)
    return Page(items=items, next=following)
