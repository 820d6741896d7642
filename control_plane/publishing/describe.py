"""What a stored revision did, field by field, from its changes and their inverse alone."""

from __future__ import annotations

from typing import Any

from figway.model import change
from figway.model.change import Change, FieldChange, Kind
from figway.model.table import Table


def described(changes: tuple[Change, ...], inverse: tuple[Change, ...]) -> tuple[FieldChange, ...]:
    """The field changes of a revision, without the table that it was applied to."""
    before = change.apply(Table(), _existing(inverse))
    return change.describe(before, changes)


def _existing(inverse: tuple[Change, ...]) -> list[Change]:
    return [entry for entry in inverse if entry.kind is Kind.SETTING or entry.value is not None]


def touched_since(table: Table, changes: tuple[Change, ...]) -> list[str]:
    """Which of the items that `changes` left behind are another thing in `table` now."""
    last: dict[tuple[Kind, str], Any] = {(c.kind, c.id): c.value for c in changes}
    return [
        f"{kind.value} {item_id}"
        for (kind, item_id), value in last.items()
        if change.get(table, kind, item_id) != value
    ]
