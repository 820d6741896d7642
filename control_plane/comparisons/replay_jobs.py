"""Replays: people order them, proxies fetch and answer them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.comparisons import replays
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.records import PairHead
from control_plane.comparisons.rules import route_of
from control_plane.comparisons.schemas_replays import (
    JobOut,
    ReplayIn,
    ReplayItemOut,
    ReplayOut,
    ResultIn,
)
from control_plane.comparisons.stored_pairs import StoredPairs
from control_plane.db.engine import Database
from control_plane.http.paging import cut
from control_plane.http.problems import conflict, not_found
from control_plane.publishing.hub import Hub, event
from control_plane.publishing.state import TableState
from figway.message.http import is_read


class ReplayJobs:
    """Stored requests that are sent once more, by order of a person."""

    def __init__(
        self, database: Database, state: TableState, pairs: StoredPairs, live: Hub
    ) -> None:
        self._database = database
        self._state = state
        self._pairs = pairs
        self._live = live
        self._given: dict[str, list[tuple[str, str]]] = {}
        """By job: headers that a person gave. In memory only: credentials are never written."""

    async def create(self, body: ReplayIn, entry: AuditEntry) -> ReplayOut:
        """Order a replay. Raises `ApiProblem` 404, 409."""
        route = route_of(self._state.current, body.route)
        given = tuple(body.examples)
        wanted = Wanted(route=route.id, ids=given)
        if not given:
            wanted = Wanted(
                route=route.id, verdict=body.verdict, field=body.field, signature=body.signature
            )
        rows = await self._pairs.ids(wanted, len(given) or body.limit)
        if not rows:
            raise conflict(f"route {route.id!r} has no stored pair of this kind", "no_examples")
        if body.preview:
            return _previewed(body, rows, route.reads)
        replay, now = uuid4().hex, now_ms()
        if body.headers:
            self._given[replay] = list(body.headers)
        async with self._database.write() as connection:
            await replays.create(
                connection,
                replay,
                rows,
                route=route.id,
                actor=entry.actor,
                now=now,
                private=bool(body.headers),
                reads=route.reads,
            )
            named = sorted({name.lower() for name, _ in body.headers})
            details: dict[str, object] = {"replay": replay, "examples": len(rows)}
            if named:
                details["headers"] = named
            await audit.record(connection, entry, now=now, details=details)
        return await self.one(replay)

    async def work(self, instance: str) -> list[JobOut]:
        """Jobs for a proxy that asks; each is leased to it."""
        now = now_ms()
        async with self._database.read() as connection:
            waiting = await replays.free(connection, now, list(self._given))
        jobs = []
        for replay in waiting:
            async with self._database.write() as connection:
                job = await replays.take(connection, replay, instance, now)
            if job is not None:
                given = self._given.get(replay, [])
                jobs.append(job.model_copy(update={"headers": given}))
        return jobs

    async def answer(self, replay_id: str, results: Sequence[ResultIn]) -> int:
        """Keep what a proxy answers; how many results were new. Raises `ApiProblem` 404."""
        async with self._database.write() as connection:
            accepted = await replays.answer(connection, replay_id, results, now_ms())
        found = await self.one(replay_id)
        if found.status in ("done", "expired"):
            self._given.pop(replay_id, None)
        if accepted and self._live.streams:
            told = {"route": found.route, **found.model_dump(mode="json")}
            self._live.publish(event("replay", told))
        return accepted

    async def one(self, replay_id: str) -> ReplayOut:
        """A replay and how far it is. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            row = await replays.one(connection, replay_id)
            if row is None:
                raise not_found("replay", replay_id)
            return (await replays.shown(connection, [row], now_ms()))[0]

    async def page(
        self, route: str, before: int | None, limit: int
    ) -> tuple[list[ReplayOut], str | None]:
        """Replays, newest first, and the cursor of the next page."""
        async with self._database.read() as connection:
            rows, following = cut(
                await replays.page(connection, route, before, limit + 1),
                limit,
                lambda row: row.number,
            )
            return await replays.shown(connection, rows, now_ms()), following

    async def results(
        self, replay_id: str, after: str, verdict: str, limit: int
    ) -> tuple[list[ReplayItemOut], str | None]:
        """What came of each stored pair of a replay. Raises `ApiProblem` 404."""
        await self.one(replay_id)
        async with self._database.read() as connection:
            rows, following = cut(
                await replays.items(connection, replay_id, after, verdict, limit + 1),
                limit,
                lambda row: row.example,
            )
        return [replays.item_out(row) for row in rows], following


def _previewed(body: ReplayIn, rows: Sequence[PairHead], reads: tuple[str, ...]) -> ReplayOut:
    """What a job would be that nobody has ordered yet."""
    safe = sum(is_read(row.method, reads) for row in rows)
    return ReplayOut(
        id="",
        route=body.route,
        status="waiting",
        actor="",
        created_ms=0,
        finished_ms=None,
        instance="",
        total=len(rows),
        legacy_requests=replays.ASKED * safe,
        done=0,
        gone=0,
        still=0,
        not_replayable=len(rows) - safe,
    )
