"""Hotels by their ids or city, for other functions: invoked directly, not by an HTTP API."""

from __future__ import annotations

import json
from typing import Any

from new_services.functions.catalogue import search
from new_services.functions.vendor import storage


def find(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"ids": [1]}` or `{"city": "Lisboa", "first": 20}` -> `{"items": [Hotel]}`."""
    if "ids" in event:
        found = storage.documents(
            "SELECT document FROM hotels WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(event["ids"]),
        )
        return {"items": found}
    wanted = search.Search.parse({"city": event["city"]} if event["city"] else {})
    return {"items": wanted.hotels(event["first"], 0)}
