"""Applies legacy's events to the read model, in order, each page in one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from new_services.functions.vendor import events, outbox, storage

_APPLY: dict[str, Callable[[dict[str, Any]], None]] = {
    "user.created": storage.put_user,
    "user.updated": storage.put_user,
    "profile.updated": storage.put_profile,
    "hotel.created": storage.put_hotel,
    "hotel.updated": storage.put_hotel,
    "booking.created": storage.put_booking,
    "booking.paid": storage.put_booking,
    "booking.cancelled": storage.put_booking,
}


def catch_up(legacy: str) -> int:
    """Read to the end of the outbox; how many events were applied."""
    applied, first = 0, storage.cursor() == 0
    while True:
        page = events.read(legacy, storage.cursor())
        if page.last_sequence < storage.cursor():
            # Legacy has started anew with less than we know: nothing of ours is true any more.
            with storage.writing():
                storage.clear()
            continue
        if page.events:
            _apply(page.events, tell=not first)
        applied += len(page.events)
        if not page.more:
            outbox.try_flush()
            return applied


def _apply(page: list[dict[str, Any]], tell: bool) -> None:
    """`tell`: also put legacy's bookings on the bus; what it had before the feed is no news."""
    with storage.writing():
        for event in page:
            # An event of a kind that is not known yet concerns data that is not kept here.
            if (apply := _APPLY.get(event["type"])) is not None:
                apply(event["data"])
            if tell and event["type"].startswith("booking.") and os.environ.get("EVENT_BUS"):
                outbox.add(event["type"], {"booking": event["data"]})
        storage.put_cursor(page[-1]["sequence"])
