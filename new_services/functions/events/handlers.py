"""The functions that hear of bookings, and the one that shows the view they make."""

from __future__ import annotations

from typing import Any

from new_services.functions.events import views
from new_services.functions.vendor import queues
from new_services.functions.vendor.http import Request, Response, handler, single
from new_services.functions.vendor.identity import user_of

Event = dict[str, Any]


def notify(event: Event, context: Any) -> Event:
    """Hears booking.created, booking.paid, booking.cancelled."""
    views.prepared()
    return queues.each(event, views.mail)


def give_points(event: Event, context: Any) -> Event:
    """Hears booking.created, booking.cancelled."""
    views.prepared()
    return queues.each(event, views.points)


def project(event: Event, context: Any) -> Event:
    """Hears every event of a booking."""
    views.prepared()
    return queues.each(event, views.project)


@handler("GET", "HEAD")
def list_trips(request: Request) -> Response:
    """GET /api/me/trips: the user's trips, and how far the view is behind"""
    views.prepared()
    user = user_of(request)
    data = {"items": views.trips(user), **views.totals(user), "view": views.lag()}
    return single(request, data)
