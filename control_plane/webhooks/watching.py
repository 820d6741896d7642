"""What nobody writes down when it happens: proxies that fall silent, breakers, lost agreement.

Looked for again and again by the control plane that has the lease. Each event has an id made of
what it tells, so that it is queued once, whoever finds it and however often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.db.models import EventRow
from control_plane.fleet import store as fleet_store
from control_plane.fleet.store import StoredInstance
from control_plane.publishing.state import TableState
from control_plane.rollouts.ports import EvidenceSource
from control_plane.webhooks.service import WebhookService
from figway.evidence.sequential import ALPHA, above, guard_prior
from figway.model.table import Stage

_GONE_MS = 600_000
_BREAKERS_MS = 180_000
_AGREEMENT_MS = 30_000
_MOST_DIFFERING = 0.005  # agreement of 99.5 %, where no plan says otherwise
_BREAKER_TYPES = {"open": "figway.breaker.opened", "closed": "figway.breaker.closed"}


class Watcher:
    """One round finds what has happened since."""

    def __init__(
        self,
        database: Database,
        webhooks: WebhookService,
        evidence: EvidenceSource,
        state: TableState,
        *,
        live_seconds: float,
    ) -> None:
        self._database = database
        self._webhooks = webhooks
        self._evidence = evidence
        self._state = state
        self._live_ms = int(live_seconds * 1_000)
        self._compared_ms = 0

    async def round(self) -> None:
        """Find it, and queue it."""
        now = now_ms()
        async with self._database.read() as connection:
            proxies = await fleet_store.heard_since(connection, now - _GONE_MS)
            query = select(EventRow.__table__).where(
                EventRow.kind == "breaker", EventRow.at_ms >= now - _BREAKERS_MS
            )
            breakers = (await connection.execute(query)).all()
        refuted = await self._refuted(now)
        if not (proxies or breakers or refuted):
            return
        async with self._database.write() as connection:
            for proxy in proxies:
                await self._proxy(connection, proxy, now)
            for row in breakers:
                await self._breaker(connection, row)
            for told in refuted:
                once = f"{told['route']} {told['build']} {told['since']}"
                await self._webhooks.emit(
                    connection, "figway.agreement.lost", str(told["route"]), told, once=once
                )

    async def _proxy(self, connection: AsyncConnection, row: StoredInstance, now: int) -> None:
        ack = row.ack
        if abs(now - row.seen_ms) > self._live_ms:
            told = {"proxy": ack.instance, "seen_ms": row.seen_ms, "revision": ack.revision,
                    "text": f"proxy {ack.instance} fell silent without a goodbye"}  # fmt: skip
            once = f"{ack.instance} {ack.boot} {row.word}"
            await self._webhooks.emit(
                connection, "figway.proxy.lost", ack.instance, told, once=once
            )
        elif (refused := ack.refused) is not None and ack.etag != self._state.current.etag:
            findings = [finding.model_dump() for finding in refused.findings[:10]]
            text = f"proxy {ack.instance} refused revision {refused.revision}"
            told = {
                "proxy": ack.instance, "revision": refused.revision, "findings": findings,
                "text": text,
            }  # fmt: skip
            once = f"{ack.instance} {ack.boot} {refused.revision} {refused.etag}"
            await self._webhooks.emit(
                connection, "figway.table.refused", ack.instance, told, once=once
            )

    async def _breaker(self, connection: AsyncConnection, row: Row[Any]) -> None:
        event_type = _BREAKER_TYPES.get(row.becomes)
        if event_type is None:
            return
        text = f"the breaker of route {row.route} to {row.backend} is {row.becomes}"
        told = {
            "route": row.route, "backend": row.backend, "at_ms": row.at_ms, "proxy": row.instance,
            "text": text,
        }  # fmt: skip
        # Many workers notice one outage: a minute of it is one event.
        once = f"{row.route} {row.backend} {row.at_ms // 60_000}"
        await self._webhooks.emit(connection, event_type, row.route, told, once=once)

    async def _refuted(self, now: int) -> Sequence[dict[str, Any]]:
        """Routes under comparison whose agreement is refuted."""
        if 0 <= now - self._compared_ms < _AGREEMENT_MS:
            return []
        self._compared_ms = now
        routes = {
            route.id: route
            for route in self._state.current.table.routes.values()
            if route.stage in (Stage.SHADOW, Stage.CANARY, Stage.NEW)
        }
        if not routes:
            return []
        found = []
        for route_id, parity in (await self._evidence.parity(list(routes))).items():
            x, n = parity.differing, parity.rated
            if above(x, n, _MOST_DIFFERING, ALPHA, *guard_prior(_MOST_DIFFERING)):
                text = f"{x} of {n} pairs of route {route_id} differ"
                found.append(
                    {
                        "route": route_id,
                        "build": parity.build,
                        "differing": x,
                        "rated": n,
                        "fields": list(parity.fields[:5]),
                        "text": text,
                        "since": routes[route_id].evidence_since,
                    }
                )
        return found
