"""The first of what a revision changed, for lists: a revision may hold thousands of items."""

from __future__ import annotations

from typing import Any

import orjson

from control_plane.publishing.describe import described
from figway.model.change import FieldChange, changes_from_data

_AT_ONCE = 100  # items that are taken apart at a time


def first_changes(changes: str, inverse: str, most: int) -> list[FieldChange]:
    """Up to `most` field changes, from the columns of a revision.

    Only as many items are taken apart as it takes; the rest is looked at as plain data.
    """
    made, undone = orjson.loads(changes), orjson.loads(inverse)
    before = {_key(entry): entry for entry in undone}
    found: list[FieldChange] = []
    for start in range(0, len(made), _AT_ONCE):
        part = made[start : start + _AT_ONCE]
        # What an item was before is needed only of the items in this part.
        keys = dict.fromkeys(_key(entry) for entry in part)
        was = [before[key] for key in keys if key in before]
        found += described(changes_from_data(part), changes_from_data(was))
        if len(found) >= most:
            break
    return found[:most]


def _key(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["kind"], entry["id"]
