"""Request handlers of bookings."""

from __future__ import annotations

from new_services.differences import enabled
from new_services.functions.bookings import payments, replays, service
from new_services.functions.vendor import paging
from new_services.functions.vendor.http import Request, Response, handler, not_found, single


@handler("GET", "HEAD")
def list_bookings(request: Request) -> Response:
    """GET /api/bookings"""
    bounds = paging.bounds(request)
    found = service.Listing.parse(request.query().get("user"))
    return paging.page(request, found.total(), found.bookings, bounds)


@handler("GET", "HEAD")
def get_booking(request: Request) -> Response:
    """GET /api/bookings/{id}"""
    booking = service.get(request.segment(2))
    if enabled("booking-cancelled-status") and booking["status"] == "cancelled":
        return single(request, booking, 410)
    if enabled("booking-notes-empty"):
        booking["notes"] = booking["notes"] or ""
    return single(request, booking)


@handler("POST")
def create_booking(request: Request) -> Response:
    """POST /api/bookings"""

    def work() -> Response:
        booking = service.create(request.json())
        location = request.url(f"/api/bookings/{booking['id']}")
        return single(request, booking, 201, Location=location)

    return replays.once(request, work)


@handler("POST")
def pay_booking(request: Request) -> Response:
    """POST /api/bookings/{id}/payments"""
    return replays.once(
        request, lambda: single(request, payments.pay(request.segment(2), request.json()), 201)
    )


@handler("DELETE")
def cancel_booking(request: Request) -> Response:
    """DELETE /api/bookings/{id}"""
    if not request.segment(2):
        raise not_found("booking")
    service.cancel(request.segment(2))
    return Response(204)
