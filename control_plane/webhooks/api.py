"""Webhooks over HTTP: endpoints, deliveries, events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from control_plane.auth.access import Admin, Operator, Viewer
from control_plane.http import paging
from control_plane.http.paging import Cursor, Limit, Only, Page
from control_plane.http.problems import COMMON, documented
from control_plane.services import Svc
from control_plane.webhooks.schemas import (
    DeliveryOut,
    EndpointChange,
    EndpointIn,
    EndpointOut,
    EndpointSecret,
    OutEventOut,
    delivery_out,
    endpoint_out,
    endpoint_secret,
    event_out,
)

Why = Annotated[str, Query(max_length=500, description="Why, for the audit log.")]
router = APIRouter(tags=["webhooks"], responses=documented(*COMMON))
_EDIT = documented(404, 409, 413)


@router.get("/webhooks")
async def list_webhooks(
    _: Viewer, services: Svc, limit: Limit = 100, cursor: Cursor = ""
) -> Page[EndpointOut]:
    """Endpoints by id, without their secrets."""
    after = paging.decode(cursor, str)
    rows = await services.webhooks.endpoints(after, limit + 1)
    shown, following = paging.cut(rows, limit, lambda found: found.id)
    return Page(items=[endpoint_out(found) for found in shown], next=following)


@router.post("/webhooks", status_code=201, responses=_EDIT)
async def create_webhook(
    body: EndpointIn,
    actor: Admin,
    services: Svc,
    reason: Why = "",
) -> EndpointSecret:
    """Add an endpoint. The answer shows its signing secret, once."""
    entry = actor.entry("webhook.create", f"webhook {body.id}", reason[:500])
    made = await services.webhooks.create(body.id, body.url, body.form, body.types, entry)
    return endpoint_secret(made)


@router.patch("/webhooks/{webhook}", responses=_EDIT)
async def change_webhook(
    webhook: str,
    body: EndpointChange,
    actor: Admin,
    services: Svc,
    reason: Why = "",
) -> EndpointOut | EndpointSecret:
    """Change what an endpoint is told, switch it on or off, or give it a new secret."""
    entry = actor.entry("webhook.change", f"webhook {webhook}", reason[:500])
    made = await services.webhooks.change(
        webhook,
        entry,
        types=body.types,
        enabled=body.enabled,
        rotate=body.rotate_secret,
        drop_old=body.drop_old_secret,
    )
    return endpoint_secret(made) if body.rotate_secret else endpoint_out(made)


@router.delete("/webhooks/{webhook}", status_code=204, responses=_EDIT)
async def delete_webhook(webhook: str, actor: Admin, services: Svc, reason: Why = "") -> None:
    """Forget an endpoint and its deliveries."""
    entry = actor.entry("webhook.delete", f"webhook {webhook}", reason[:500])
    await services.webhooks.delete(webhook, entry)


@router.post("/webhooks/{webhook}/test", status_code=202, responses=documented(404))
async def test_webhook(webhook: str, actor: Operator, services: Svc) -> None:
    """Send an endpoint an event of type `figway.test`."""
    await services.webhooks.test(webhook, actor.name)


@router.get("/deliveries")
async def list_deliveries(
    _: Viewer, services: Svc, webhook: Only = "", limit: Limit = 100, cursor: Cursor = ""
) -> Page[DeliveryOut]:
    """Deliveries, newest first: what was sent where, how often, and what came back."""
    before = paging.decode(cursor, int)
    rows = await services.webhooks.deliveries(webhook, before, limit + 1)
    shown, following = paging.cut(rows, limit, lambda found: found.number)
    return Page(items=[delivery_out(found) for found in shown], next=following)


@router.post("/deliveries/{number}/send", responses=documented(404))
async def send_delivery(
    number: Annotated[int, Path(ge=1, lt=2**63)], actor: Operator, services: Svc
) -> DeliveryOut:
    """Send a delivery once more, with the id that it had: a receiver that has it drops it."""
    entry = actor.entry("webhook.resend", f"delivery {number}")
    return delivery_out(await services.webhooks.again(number, entry))


@router.get("/out-events")
async def list_out_events(
    _: Viewer, services: Svc, limit: Limit = 100, cursor: Cursor = ""
) -> Page[OutEventOut]:
    """Everything that others are told of, newest first."""
    before = paging.decode(cursor, int)
    rows = await services.webhooks.events(before, limit + 1)
    shown, following = paging.cut(rows, limit, lambda row: row[0])
    return Page(items=[event_out(found) for _, found in shown], next=following)
