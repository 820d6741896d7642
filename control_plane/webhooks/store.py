"""Events, endpoints and deliveries in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Row, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.rollout_models import OutEventRow, WebhookDeliveryRow, WebhookEndpointRow
from control_plane.webhooks.forms import OutgoingEvent

LONGEST_PAUSE_MS = 86_400_000
"""No delivery waits for longer between two attempts, whatever its endpoint asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Where events go."""

    id: str
    url: str
    form: str
    secret: str
    types: tuple[str, ...]
    """Exact types, or prefixes ending in `*`; empty for none."""
    disabled_ms: int | None = None
    disabled_why: str = ""
    created_ms: int = 0
    created_by: str = ""
    old_secret: str | None = None
    """The secret before the last rotation, which signs as well until `old_until_ms`."""
    old_until_ms: int | None = None

    def secrets_at(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at this moment, the present one first."""
        if self.old_secret and self.old_until_ms is not None and now < self.old_until_ms:
            return self.secret, self.old_secret
        return (self.secret,)

    def wants(self, event_type: str) -> bool:
        """Whether it is told of this type."""
        return any(
            event_type.startswith(wanted[:-1]) if wanted.endswith("*") else wanted == event_type
            for wanted in self.types
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One event on its way to one endpoint."""

    number: int
    event: str
    endpoint: str
    status: str
    attempts: int
    next_ms: int
    at_ms: int
    last_status: int | None
    last_error: str
    type: str = ""


async def emit(database: Database, connection: AsyncConnection, event: OutgoingEvent) -> None:
    """Queue an event in this transaction; one of this id that is there already stays."""
    statement = database.insert(OutEventRow).values(
        id=event.id, at_ms=event.at_ms, type=event.type, subject=event.subject[:200],
        document=orjson.dumps(dict(event.data)).decode(), spread=False,
    )  # fmt: skip
    await connection.execute(statement.on_conflict_do_nothing())


async def spread(connection: AsyncConnection, now: int) -> int:
    """Make a delivery of each new event for each endpoint that wants it; how many events."""
    query = select(OutEventRow.__table__).where(OutEventRow.spread.is_(False))
    rows = (await connection.execute(query.order_by(OutEventRow.number).limit(500))).all()
    if not rows:
        return 0
    wanted = [found for found in await endpoints(connection) if found.disabled_ms is None]
    made = [
        _waiting(row.id, endpoint.id, now)
        for row in rows
        for endpoint in wanted
        if endpoint.wants(row.type)
    ]
    if made:
        await connection.execute(WebhookDeliveryRow.__table__.insert(), made)  # type: ignore[attr-defined]
    numbers = [row.number for row in rows]
    await connection.execute(
        update(OutEventRow).where(OutEventRow.number.in_(numbers)).values(spread=True)
    )
    return len(rows)


def _waiting(event: str, endpoint: str, now: int) -> dict[str, Any]:
    return {
        "event": event, "endpoint": endpoint, "status": "waiting", "attempts": 0, "next_ms": now,
        "at_ms": now, "last_status": None, "last_error": "",
    }  # fmt: skip


async def events(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, OutgoingEvent]:
    """Events by id."""
    query = select(OutEventRow.__table__).where(OutEventRow.id.in_(list(ids)))
    return {row.id: _event(row) for row in (await connection.execute(query)).all()}


def _event(row: Row[Any]) -> OutgoingEvent:
    return OutgoingEvent(
        id=row.id, type=row.type, subject=row.subject, at_ms=row.at_ms,
        data=orjson.loads(row.document),
    )  # fmt: skip


async def event_page(
    connection: AsyncConnection, before: int | None, limit: int
) -> Sequence[tuple[int, OutgoingEvent]]:
    """Events with their numbers, newest first."""
    query = select(OutEventRow.__table__).order_by(OutEventRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(OutEventRow.number < before)
    return [(row.number, _event(row)) for row in (await connection.execute(query)).all()]


# -- endpoints ---------------------------------------------------------------------------------


async def endpoints(connection: AsyncConnection) -> list[WebhookEndpoint]:
    """All endpoints by id."""
    query = select(WebhookEndpointRow.__table__).order_by(WebhookEndpointRow.id)
    return [_endpoint(row) for row in (await connection.execute(query)).all()]


async def endpoint_page(
    connection: AsyncConnection, after: str | None, limit: int
) -> list[WebhookEndpoint]:
    """Endpoints by id, those behind `after`."""
    query = select(WebhookEndpointRow.__table__).order_by(WebhookEndpointRow.id).limit(limit)
    if after is not None:
        query = query.where(WebhookEndpointRow.id > after)
    return [_endpoint(row) for row in (await connection.execute(query)).all()]


async def endpoint(connection: AsyncConnection, endpoint_id: str) -> WebhookEndpoint | None:
    """One endpoint."""
    query = select(WebhookEndpointRow.__table__).where(WebhookEndpointRow.id == endpoint_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _endpoint(row)


def _endpoint(row: Row[Any]) -> WebhookEndpoint:
    fields = ("id", "url", "form", "secret", "disabled_ms", "disabled_why", "created_ms",
              "created_by", "old_secret", "old_until_ms")  # fmt: skip
    return WebhookEndpoint(
        **{name: getattr(row, name) for name in fields}, types=tuple(orjson.loads(row.types))
    )


async def put_endpoint(
    database: Database, connection: AsyncConnection, found: WebhookEndpoint
) -> None:
    """Create an endpoint, or replace it."""
    columns = {
        "url": found.url, "form": found.form, "secret": found.secret,
        "types": orjson.dumps(list(found.types)).decode(), "disabled_ms": found.disabled_ms,
        "disabled_why": found.disabled_why[:200], "created_ms": found.created_ms,
        "created_by": found.created_by[:200], "old_secret": found.old_secret,
        "old_until_ms": found.old_until_ms,
    }  # fmt: skip
    statement = database.insert(WebhookEndpointRow).values(id=found.id, **columns)
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=columns))


async def change_endpoint(
    connection: AsyncConnection, endpoint_id: str, **columns: Any
) -> WebhookEndpoint | None:
    """Change these columns, and leave the others to whoever changes them at the same time; None if
    there is none of that id (any more). A new `secret` keeps the one before as the old one."""
    if "secret" in columns:
        columns["old_secret"] = WebhookEndpointRow.secret
    if "types" in columns:
        columns["types"] = orjson.dumps(list(columns["types"])).decode()
    statement = update(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id)
    if columns:
        await connection.execute(statement.values(**columns))
    return await endpoint(connection, endpoint_id)


async def delete_endpoint(connection: AsyncConnection, endpoint_id: str) -> bool:
    """Forget an endpoint with its deliveries; False if it was not there."""
    await connection.execute(
        delete(WebhookDeliveryRow).where(WebhookDeliveryRow.endpoint == endpoint_id)
    )
    done = await connection.execute(
        delete(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id)
    )
    return bool(done.rowcount)


async def disable(connection: AsyncConnection, endpoint_id: str, why: str, now: int) -> None:
    """Send nothing there any more, and give up what waits."""
    await connection.execute(
        update(WebhookEndpointRow)
        .where(WebhookEndpointRow.id == endpoint_id)
        .values(disabled_ms=now, disabled_why=why[:200])
    )
    await connection.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.endpoint == endpoint_id, WebhookDeliveryRow.status == "waiting")
        .values(status="failed", last_error="the endpoint was disabled")
    )


# -- deliveries --------------------------------------------------------------------------------


async def due(connection: AsyncConnection, now: int, limit: int) -> list[WebhookDelivery]:
    """What is to be tried now: the oldest of each endpoint, then the second of each, and so on. One
    endpoint that is slow, and has much waiting, so keeps no other from its turn.

    One that is to be tried later than any pause lasts was put there by a clock that was ahead: it
    is due.
    """
    row = WebhookDeliveryRow
    turn = func.row_number().over(partition_by=row.endpoint, order_by=(row.next_ms, row.number))
    ready = (
        select(row.__table__, turn.label("turn"))
        .where(
            row.status == "waiting",
            or_(row.next_ms <= now, row.next_ms > now + LONGEST_PAUSE_MS),
        )
        .subquery()
    )
    query = select(ready).order_by(ready.c.turn, ready.c.next_ms).limit(limit)
    return [_delivery(found) for found in (await connection.execute(query)).all()]


async def put_result(connection: AsyncConnection, number: int, values: Mapping[str, Any]) -> None:
    """Keep what came of an attempt."""
    await connection.execute(
        update(WebhookDeliveryRow).where(WebhookDeliveryRow.number == number).values(**values)
    )


async def again(connection: AsyncConnection, number: int, now: int) -> WebhookDelivery | None:
    """Try a delivery once more, from the first attempt; None if there is none of that number."""
    done = await connection.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.number == number)
        .values(status="waiting", attempts=0, next_ms=now, last_error="")
    )
    if not done.rowcount:
        return None
    query = select(WebhookDeliveryRow.__table__).where(WebhookDeliveryRow.number == number)
    return _delivery((await connection.execute(query)).one())


async def delivery_page(
    connection: AsyncConnection, endpoint_id: str, before: int | None, limit: int
) -> list[WebhookDelivery]:
    """Deliveries of an endpoint (of all, if empty), newest first."""
    query = (
        select(WebhookDeliveryRow.__table__, OutEventRow.type)
        .outerjoin(OutEventRow, OutEventRow.id == WebhookDeliveryRow.event)
        .order_by(WebhookDeliveryRow.number.desc())
        .limit(limit)
    )
    if endpoint_id:
        query = query.where(WebhookDeliveryRow.endpoint == endpoint_id)
    if before is not None:
        query = query.where(WebhookDeliveryRow.number < before)
    return [_delivery(row) for row in (await connection.execute(query)).all()]


def _delivery(row: Row[Any]) -> WebhookDelivery:
    fields = ("number", "event", "endpoint", "status", "attempts", "next_ms", "at_ms",
              "last_status", "last_error")  # fmt: skip
    found = {name: getattr(row, name) for name in fields}
    return WebhookDelivery(**found, type=getattr(row, "type", None) or "")


async def waiting(connection: AsyncConnection) -> dict[str, int]:
    """How many deliveries are in each status."""
    query = select(WebhookDeliveryRow.status, func.count()).group_by(WebhookDeliveryRow.status)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def trim(connection: AsyncConnection, before_ms: int) -> None:
    """Forget what was done before then."""
    await connection.execute(
        delete(WebhookDeliveryRow).where(
            WebhookDeliveryRow.at_ms < before_ms, WebhookDeliveryRow.status != "waiting"
        )
    )
    await connection.execute(
        delete(OutEventRow).where(and_(OutEventRow.at_ms < before_ms, OutEventRow.spread.is_(True)))
    )


async def deliver_to(
    connection: AsyncConnection, event_id: str, endpoint_id: str, now: int
) -> None:
    """Make the delivery of one event to one endpoint, and to no other."""
    await connection.execute(
        update(OutEventRow).where(OutEventRow.id == event_id).values(spread=True)
    )
    await connection.execute(
        WebhookDeliveryRow.__table__.insert(),  # type: ignore[attr-defined]
        [_waiting(event_id, endpoint_id, now)],
    )
