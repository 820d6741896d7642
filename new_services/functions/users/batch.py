"""Users by their ids, for other functions: invoked directly, not by an HTTP API."""

from __future__ import annotations

import json
from typing import Any

from new_services.functions.vendor import storage


def by_ids(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"ids": [1, 2]}` -> `{"items": [User]}`: those that there are, in any order."""
    found = storage.documents(
        "SELECT document FROM users WHERE id IN (SELECT value FROM json_each(?))",
        json.dumps(event["ids"]),
    )
    return {"items": found}
