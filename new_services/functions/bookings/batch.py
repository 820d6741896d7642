"""Bookings by their ids or users, for other functions: invoked directly, not by an HTTP API."""

from __future__ import annotations

import json
from typing import Any

from new_services.functions.bookings.service import Listing
from new_services.functions.vendor import storage


def find(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"ids": ["WF-1"]}` -> `{"items": [Booking]}`;
    `{"lists": [{"user": 17, "first": 20}]}` -> `{"lists": [[Booking]]}`, newest first.
    """
    if "ids" in event:
        found = storage.documents(
            "SELECT document FROM bookings WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(event["ids"]),
        )
        return {"items": found}
    lists = [Listing(one["user"]).bookings(one["first"], 0) for one in event["lists"]]
    return {"lists": lists}
