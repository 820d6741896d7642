"""The steps. Each is one transaction and may be called again: it finds what it has done.

Undoing leaves a mark, so that a step that comes late (a message that was delayed, an invocation
whose answer was lost) finds the saga ended and does nothing.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from new_services.functions.bookings import service
from new_services.functions.saga.store import Saga, open_saga
from new_services.functions.vendor import outbox, storage
from new_services.functions.vendor.http import ApiError

UNDONE = "undone"
_DECLINED = 13
"""The card issuer declines users whose number ends so."""


def hold(saga_id: str, wish: dict[str, Any]) -> Saga:
    """Take a room out of the stock, or refuse: `state` is held or refused."""
    with storage.writing():
        saga = open_saga(saga_id)
        if saga.state == "" or saga.state == "requested":
            saga.wish = wish
            _hold(saga)
            saga.keep()
        elif saga.wish is not None and saga.wish != wish:
            return _refused(
                saga, ApiError(422, "invalid", "This key was used for another request.")
            )
    outbox.try_flush()
    return saga


def _hold(saga: Saga) -> None:
    assert saga.wish is not None
    try:
        saga.booking = service.create(saga.wish)
    except ApiError as error:
        _refused(saga, error)
        return
    saga.state = "held"
    _next(saga, "room.held")


def _next(saga: Saga, event: str) -> None:
    """Cause the next step, where events do that."""
    if saga.by_events:
        outbox.add(event, {"saga": saga.id})


def _refused(saga: Saga, error: ApiError) -> Saga:
    saga.state = "refused"
    saga.answer = problem(error)
    return saga


def problem(error: ApiError) -> dict[str, Any]:
    """What the client is told of a refusal."""
    fault = {"code": error.code, "message": error.message, "field": error.field}
    return {"status": error.status, "body": {"error": fault}}


def charge(saga_id: str) -> Saga:
    """Charge the deposit: `state` is charged or declined."""
    with storage.writing():
        saga = open_saga(saga_id)
        if saga.state == "held" and saga.refunded() is None:
            assert saga.booking is not None
            if saga.booking["user_id"] % 100 == _DECLINED:
                saga.state = "declined"
                declined = ApiError(402, "declined", "The card was declined.")
                saga.answer = problem(declined)
                _next(saga, "deposit.declined")
            else:
                saga.enter("charge", deposit(saga.booking))
                saga.state = "charged"
                _next(saga, "deposit.charged")
            saga.keep()
    outbox.try_flush()
    return saga


def deposit(booking: dict[str, Any]) -> int:
    """Cents that the hotel wants in advance."""
    hotel = storage.document("SELECT document FROM hotels WHERE id = ?", booking["hotel_id"])
    percent = Decimal(hotel["policies"]["deposit_percent"] if hotel else 0)
    cents = Decimal(booking["total"]["amount"]) * percent
    return int(cents.quantize(Decimal(1), ROUND_HALF_UP))


def confirm(saga_id: str) -> Saga:
    """The booking stands: `state` is confirmed."""
    with storage.writing():
        saga = open_saga(saga_id)
        if saga.state == "charged":
            saga.state = "confirmed"
            saga.answer = {"status": 201, "body": saga.booking}
            outbox.add("booking.created", {"booking": saga.booking})
            saga.keep()
    outbox.try_flush()
    return saga


def refund(saga_id: str) -> Saga:
    """Give back what was charged; a charge that comes after finds this and does nothing."""
    with storage.writing():
        saga = open_saga(saga_id)
        saga.enter("refund", saga.charged() or 0)
    return saga


def release(saga_id: str) -> Saga:
    """Give the room back: `state` is undone, or refused as it was."""
    with storage.writing():
        saga = open_saga(saga_id)
        if saga.state not in (UNDONE, "refused"):
            _release(saga)
            saga.keep()
    outbox.try_flush()
    return saga


def _release(saga: Saga) -> None:
    if saga.booking is not None:
        storage.connect().execute("DELETE FROM bookings WHERE id = ?", (saga.booking["id"],))
    if saga.state == "confirmed":
        outbox.add("booking.cancelled", {"booking": saga.booking})
    if saga.state != "declined":
        failed = ApiError(503, "undone", "The booking failed and was undone. Please try again.")
        saga.answer = problem(failed)
    saga.state = UNDONE
    _next(saga, "booking.rejected")
