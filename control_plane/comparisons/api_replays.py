"""Replays over HTTP: people order them, proxies fetch and answer them."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query

from control_plane.audit import store as audit
from control_plane.auth.access import Operator, Proxy, Viewer
from control_plane.clock import now_ms
from control_plane.comparisons import examples, replays
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.rules import route_of
from control_plane.comparisons.schemas import (
    JobsOut,
    ReplayIn,
    ReplayItemOut,
    ReplayOut,
    ResultsIn,
    ResultsOut,
)
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Page
from control_plane.http.problems import COMMON, conflict, documented, not_found
from control_plane.publishing.hub import event
from control_plane.services import Services, Svc

router = APIRouter(tags=["comparisons"], responses=documented(*COMMON))


@router.post("/comparisons/replays", status_code=201, responses=documented(404, 409))
async def create_replay(body: ReplayIn, actor: Operator, services: Svc) -> ReplayOut:
    """Have stored requests sent to both sides once more, and compared.

    A proxy with a shadow worker fetches the job within seconds. Requests that are not safe, or
    whose target or headers were redacted, are answered `not_replayable`.
    """
    route = route_of(services.state.current, body.route)
    given = tuple(body.examples)
    wanted = Wanted(route=route.id, ids=given)
    if not given:
        wanted = Wanted(
            route=route.id, verdict=body.verdict, field=body.field, signature=body.signature
        )
    async with services.database.read() as connection:
        rows = await examples.page(connection, wanted, None, len(given) or body.limit)
    if not rows:
        raise conflict(f"route {route.id!r} has no stored pair of this kind", "no_examples")
    replay, now = uuid4().hex, now_ms()
    entry = actor.entry("replay.create", f"route {route.id}", body.reason)
    async with services.database.write() as connection:
        await replays.create(
            connection,
            replay,
            rows,
            route=route.id,
            actor=entry.actor,
            now=now,
        )
        details = {"replay": replay, "examples": len(rows)}
        await audit.record(connection, entry, now=now, details=details)
    return await _shown(services, replay)


@router.get("/comparisons/replays")
async def poll_replays(
    _: Proxy,
    services: Svc,
    instance: Annotated[str, Query(min_length=1, max_length=200)],
) -> JobsOut:
    """A proxy asks for work. A job is leased to it for a minute after its last result."""
    now = now_ms()
    async with services.database.read() as connection:
        waiting = await replays.free(connection, now)
    jobs = []
    for replay in waiting:
        async with services.database.write() as connection:
            job = await replays.take(connection, replay, instance, now)
        if job is not None:
            jobs.append(job)
    return JobsOut(jobs=jobs)


@router.post("/comparisons/replays/{replay_id}/results", responses=documented(404, 413))
async def take_results(replay_id: str, body: ResultsIn, _: Proxy, services: Svc) -> ResultsOut:
    """A proxy answers a job, in parts if it likes. What was answered before stays as it is."""
    async with services.database.write() as connection:
        accepted = await replays.answer(connection, replay_id, body.results, now_ms())
    found = await _shown(services, replay_id)
    if accepted and services.comparisons.live.streams:
        told = {"route": found.route, **found.model_dump(mode="json")}
        services.comparisons.live.publish(event("replay", told))
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
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await replays.page(connection, route, before, limit + 1),
            limit,
            lambda row: row.number,
        )
        return Page(items=await replays.shown(connection, rows, now_ms()), next=following)


@router.get("/comparisons/replays/{replay_id}", responses=documented(404))
async def get_replay(replay_id: str, _: Viewer, services: Svc) -> ReplayOut:
    """A replay and how far it is."""
    return await _shown(services, replay_id)


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
    await _shown(services, replay_id)
    async with services.database.read() as connection:
        rows, following = paging.cut(
            await replays.items(connection, replay_id, after, verdict, limit + 1),
            limit,
            lambda row: row.example,
        )
    return Page(items=[replays.item_out(row) for row in rows], next=following)


async def _shown(services: Services, replay_id: str) -> ReplayOut:
    async with services.database.read() as connection:
        row = await replays.one(connection, replay_id)
        if row is None:
            raise not_found("replay", replay_id)
        return (await replays.shown(connection, [row], now_ms()))[0]
