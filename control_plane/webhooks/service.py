"""Endpoints and their deliveries; and the events that flips make."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.http.problems import conflict, invalid, not_found
from control_plane.kill.store import Kill
from control_plane.publishing.store import NewRevision
from control_plane.webhooks import store
from control_plane.webhooks.forms import FORMS, OutgoingEvent
from control_plane.webhooks.signing import new_secret
from control_plane.webhooks.store import WebhookDelivery, WebhookEndpoint
from figway.model.change import Kind
from figway.model.table import Route
from figway.rollout.plan import placement_of
from figway.validate.address import is_link_local

TYPES: Mapping[str, str] = {
    "figway.route.flipped": "Routes moved: another stage, another weight.",
    "figway.table.changed": "A revision that moved no route.",
    "figway.kill.on": "The kill switch went on: all goes to legacy.",
    "figway.kill.off": "The kill switch went off.",
    "figway.rollout.started": "A rollout began.",
    "figway.rollout.moved": "A rollout moved its routes a step further.",
    "figway.rollout.running": "A rollout goes on.",
    "figway.rollout.waiting": "A rollout holds, and says for what.",
    "figway.rollout.paused": "A rollout stands until a person resumes it.",
    "figway.rollout.stepping_back": "A guard was breached: one step back.",
    "figway.rollout.aborted": "A rollout ended back at legacy.",
    "figway.rollout.superseded": "A person moved the routes: the rollout stepped aside.",
    "figway.rollout.completed": "A rollout is done.",
    "figway.rollout.pending": "A rollout waits for its first step.",
    "figway.approval.needed": "A change waits for approvals.",
    "figway.breaker.opened": "A breaker opened: new is left alone.",
    "figway.breaker.closed": "A breaker closed again.",
    "figway.table.refused": "A proxy refused a revision.",
    "figway.proxy.lost": "A proxy fell silent without a goodbye.",
    "figway.agreement.lost": "The agreement of a route was refuted.",
    "figway.test": "Sent when a person asks for it.",
}
"""Every type of event, and what it tells."""
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
OLD_SECRET_MS = 24 * 3_600_000
"""How long the secret before a rotation signs as well."""
_KEEP_MS = 30 * 24 * 3_600_000


class WebhookService:
    """Who is told of what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- events --------------------------------------------------------------------------------

    async def emit(
        self,
        connection: AsyncConnection,
        event_type: str,
        subject: str,
        data: Mapping[str, Any],
        *,
        once: str = "",
    ) -> None:
        """Queue an event in the transaction of what it tells. Of events with the same `once`, only
        the first is queued."""
        assert event_type in TYPES, event_type
        found = OutgoingEvent(
            id=f"evt_{_digest(event_type, once) if once else uuid4().hex}",
            type=event_type,
            subject=subject,
            at_ms=now_ms(),
            data=data,
        )
        await store.emit(self._database, connection, found)

    async def ride(self, connection: AsyncConnection, new: NewRevision) -> None:
        """A rider of the publisher: each revision is an event."""
        told = {
            "revision": new.after.revision, "summary": new.summary, "actor": new.entry.actor,
            "reason": new.entry.reason, "source": new.source,
        }  # fmt: skip
        moves = flips(new)
        if moves:
            subject = ", ".join(move["route"] for move in moves)
            await self.emit(
                connection, "figway.route.flipped", subject, {**told, "routes": moves[:100]}
            )
        else:
            await self.emit(connection, "figway.table.changed", "table", told)

    async def ride_kill(self, connection: AsyncConnection, kill: Kill, source: str) -> None:
        """A rider of the kill switch: each press is an event."""
        told = {"number": kill.number, "actor": kill.actor, "reason": kill.reason, "source": source}
        event_type = "figway.kill.on" if kill.on else "figway.kill.off"
        await self.emit(connection, event_type, "kill switch", told)

    async def events(self, before: int | None, limit: int) -> Sequence[tuple[int, OutgoingEvent]]:
        """Events, newest first."""
        async with self._database.read() as connection:
            return await store.event_page(connection, before, limit)

    # -- endpoints -----------------------------------------------------------------------------

    async def endpoints(self, after: str | None, limit: int) -> list[WebhookEndpoint]:
        """Endpoints by id, those behind `after`."""
        async with self._database.read() as connection:
            return await store.endpoint_page(connection, after, limit)

    async def get(self, endpoint_id: str) -> WebhookEndpoint:
        """One endpoint. Raises `ApiProblem` 404."""
        async with self._database.read() as connection:
            found = await store.endpoint(connection, endpoint_id)
        if found is None:
            raise not_found("webhook", endpoint_id)
        return found

    async def create(
        self, endpoint_id: str, url: str, form: str, types: Sequence[str], entry: AuditEntry
    ) -> WebhookEndpoint:
        """Add an endpoint with a new secret. Raises `ApiProblem`: 409, 422."""
        check_url(url)
        _check_types(types)
        if not _ID.fullmatch(endpoint_id):
            raise invalid("id", "use lower case letters, digits, `-`, `_`, `.`; at most 64")
        if form not in FORMS:
            raise invalid("form", f"use one of {', '.join(FORMS)}")
        now = now_ms()
        made = WebhookEndpoint(
            id=endpoint_id, url=url, form=form, secret=new_secret(), types=tuple(types),
            created_ms=now, created_by=entry.actor,
        )  # fmt: skip
        async with self._database.write() as connection:
            if await store.endpoint(connection, endpoint_id) is not None:
                raise conflict(f"webhook {endpoint_id!r} exists already", "exists_already")
            await store.put_endpoint(self._database, connection, made)
            details = {"host": urlsplit(url).hostname, "form": form}
            await audit.record(connection, entry, now=now, details=details)
        return made

    async def change(
        self,
        endpoint_id: str,
        entry: AuditEntry,
        *,
        types: Sequence[str] | None = None,
        enabled: bool | None = None,
        rotate: bool = False,
        drop_old: bool = False,
    ) -> WebhookEndpoint:
        """Change what it is told, switch it on or off, or give it a new secret. The one before
        signs as well for a day, unless it is dropped."""
        columns: dict[str, Any] = {}
        if types is not None:
            _check_types(types)
            columns["types"] = types
        if enabled is not None:
            why = "" if enabled else (entry.reason or "by hand")[:200]
            columns |= {"disabled_ms": None if enabled else now_ms(), "disabled_why": why}
        if rotate:
            columns |= {"secret": new_secret(), "old_until_ms": now_ms() + OLD_SECRET_MS}
        async with self._database.write() as connection:
            changed = await store.change_endpoint(connection, endpoint_id, **columns)
            if drop_old:
                changed = await store.change_endpoint(
                    connection, endpoint_id, old_secret=None, old_until_ms=None
                )
            if changed is None:
                raise not_found("webhook", endpoint_id)
            await audit.record(connection, entry, now=now_ms())
        return changed

    async def delete(self, endpoint_id: str, entry: AuditEntry) -> None:
        """Forget an endpoint. Raises `ApiProblem` 404."""
        async with self._database.write() as connection:
            if not await store.delete_endpoint(connection, endpoint_id):
                raise not_found("webhook", endpoint_id)
            await audit.record(connection, entry, now=now_ms())

    async def test(self, endpoint_id: str, actor: str) -> None:
        """Send it an event that means nothing, whatever types it wants."""
        await self.get(endpoint_id)
        now = now_ms()
        found = OutgoingEvent(
            id=f"evt_{uuid4().hex}", type="figway.test", subject=endpoint_id, at_ms=now,
            data={"text": "a test of this endpoint", "actor": actor},
        )  # fmt: skip
        async with self._database.write() as connection:
            await store.emit(self._database, connection, found)
            await store.deliver_to(connection, found.id, endpoint_id, now)

    # -- deliveries ----------------------------------------------------------------------------

    async def deliveries(
        self, endpoint_id: str, before: int | None, limit: int
    ) -> list[WebhookDelivery]:
        """Deliveries, newest first."""
        async with self._database.read() as connection:
            return await store.delivery_page(connection, endpoint_id, before, limit)

    async def again(self, number: int, entry: AuditEntry) -> WebhookDelivery:
        """Send a delivery once more. Raises `ApiProblem` 404."""
        async with self._database.write() as connection:
            found = await store.again(connection, number, now_ms())
            if found is None:
                raise not_found("delivery", number)
            await audit.record(connection, entry, now=now_ms())
        return found

    async def trim(self) -> None:
        """Forget what is older than 30 days."""
        async with self._database.write() as connection:
            await store.trim(connection, now_ms() - _KEEP_MS)


def flips(new: NewRevision) -> list[dict[str, Any]]:
    """The routes that a revision moved, from where to where."""
    found = []
    for entry in new.changes:
        if entry.kind is not Kind.ROUTE:
            continue
        before = new.base.table.routes.get(entry.id)
        after = entry.value if isinstance(entry.value, Route) else None
        stood = "" if before is None else str(placement_of(before))
        stands = "" if after is None else str(placement_of(after))
        if stood != stands and before is not None:
            found.append({"route": entry.id, "before": stood, "after": stands or "deleted"})
    return found


def check_url(url: str) -> None:
    """The same rules as for a backend's URL. Raises `ApiProblem` 422."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise invalid("url", f"cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not host or len(url) > 2_000:
        raise invalid("url", "must be http:// or https:// with a host")
    if parts.username or parts.password:
        raise invalid("url", "must not hold a user name or password")
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise invalid("url", "must not hold spaces or control characters")
    if is_link_local(host):
        raise invalid("url", f"{host} is a link-local or metadata address")


def _check_types(types: Sequence[str]) -> None:
    for wanted in types:
        fits = any(
            name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
            for name in TYPES
        )
        if not fits:
            raise invalid("types", f"{wanted!r} names no event; such as {', '.join(TYPES)[:200]}")


def _digest(event_type: str, once: str) -> str:
    data = orjson.dumps([event_type, once])
    return hashlib.blake2b(data, digest_size=16).hexdigest()
