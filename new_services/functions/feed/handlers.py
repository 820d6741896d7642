"""The scheduled function that catches up with legacy."""

from __future__ import annotations

import os
from typing import Any

from new_services.functions.feed import service


def run(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Apply every event that is new, or fail: the schedule tries again."""
    return {"applied": service.catch_up(os.environ["LEGACY_URL"])}
