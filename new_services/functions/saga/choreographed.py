"""The same saga without a conductor: each function hears of one event and causes the next.

POST -> booking.requested -> room.held -> deposit.charged -> booking.created
deposit.declined, or a message that failed too often -> refund and release -> booking.rejected
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from new_services.functions.saga import answers, steps
from new_services.functions.saga.store import accounts, open_saga
from new_services.functions.vendor import outbox, queues, storage
from new_services.functions.vendor.http import (
    ApiError,
    Request,
    Response,
    as_json,
    handler,
    not_found,
)

_PATIENCE = 2.0
"""Seconds that a client waits for the end of its saga before it is told where to look."""


@handler("POST")
def request_booking(request: Request) -> Response:
    """POST /api/bookings: store the wish, publish it, wait a little for what comes of it"""
    if answers.DRY_RUN in request.headers:
        return answers.dry(request)
    saga_id = request.headers.get("idempotency-key") or request.id
    wish = request.json()
    with storage.writing():
        saga = open_saga(saga_id)
        if saga.state == "":
            saga.state, saga.wish, saga.by_events = "requested", wish, True
            outbox.add("booking.requested", {"saga": saga_id})
            saga.keep()
        elif saga.wish != wish:
            raise ApiError(422, "invalid", "This key was used for another request.")
    outbox.try_flush()
    return _ended(request, saga_id, time.monotonic() + _PATIENCE)


@handler("GET")
def requested_booking(request: Request) -> Response:
    """GET /api/bookings/requests/{saga}"""
    if open_saga(request.segment(3)).state == "":
        raise not_found("request")
    return _ended(request, request.segment(3), 0.0)


def _ended(request: Request, saga_id: str, until: float) -> Response:
    while (saga := open_saga(saga_id)).state not in ("confirmed", "undone", "refused"):
        if time.monotonic() >= until:
            where = request.url(f"/api/bookings/requests/{saga_id}")
            headers = {"Location": where, "Retry-After": "1"}
            return as_json(202, {"status": saga.state, "request_id": request.id}, headers)
        time.sleep(0.02)
    return answers.of(request, saga)


def _heard(step: Callable[[str], Any]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    def on_event(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return queues.each(event, lambda heard: step(heard["data"]["saga"]))

    return on_event


def _hold(saga_id: str) -> None:
    wish = open_saga(saga_id).wish
    if wish is not None:
        steps.hold(saga_id, wish)


def _fail(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.each(event, lambda heard: _undo(heard["type"], heard["data"]["saga"]))


_FAILED_AT = {
    "booking.requested": "requested",
    "room.held": "held",
    "deposit.charged": "charged",
    "deposit.declined": "declined",
}


def _undo(heard: str, saga_id: str) -> None:
    """Undo a saga that stands still where the message failed.

    A step may have been done although its message failed (the answer was lost each time): then the
    next step's message has the saga, and this one is nothing but late.
    """
    with storage.writing():
        if open_saga(saga_id).state == _FAILED_AT[heard]:
            steps.refund(saga_id)
            steps.release(saga_id)
    outbox.try_flush()


on_booking_requested = _heard(_hold)
on_room_held = _heard(steps.charge)
on_deposit_charged = _heard(steps.confirm)
on_saga_failed = _fail
"""Hears deposit.declined, and what the other queues gave up."""


def audit(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every saga with its money, and the bookings that stand. Invoked directly."""
    return accounts()
