"""Changes to a table: apply them, describe them, invert them.

A revision is a list of changes with a reason. Each change puts or deletes one item, or sets one of
the table's own settings, so that a flip costs a flip however large the table, and undo is
nothing but the inverse changes as a new revision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend
from figway.model.codec import CodecError, Item, from_data, to_data
from figway.model.comparison import RuleKind
from figway.model.table import Capability, Route, Stage, Table


class Kind(StrEnum):
    """What a change is about."""

    BACKEND = "backend"
    CAPABILITY = "capability"
    ROUTE = "route"
    SETTING = "setting"
    """The table's own: `default_backend`, `kill_switch` or `refuse_other_spellings`."""


_CLASSES: dict[Kind, type[Item]] = {
    Kind.BACKEND: Backend,
    Kind.CAPABILITY: Capability,
    Kind.ROUTE: Route,
}
_FIELDS = {Kind.BACKEND: "backends", Kind.CAPABILITY: "capabilities", Kind.ROUTE: "routes"}
_SETTINGS: dict[str, type] = {
    "default_backend": str,
    "kill_switch": bool,
    "refuse_other_spellings": bool,
}


SHARES = ("weight", "shadow.sample", "comparison.noise_sample")
"""Fields of a route in basis points; people read and write them as `25%`."""


@dataclass(frozen=True, slots=True)
class Change:
    """Puts `value` under (kind, id), or deletes it when `value` is None."""

    kind: Kind
    id: str
    value: Item | str | bool | None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that a change alters; None stands for absent."""

    kind: Kind
    id: str
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        where = f"{self.kind.value} {self.id}"
        if self.path == "":
            return f"{where}: {'added' if self.before is None else 'deleted'}"
        if (told := _entries(self.before, self.after)) is not None:
            return f"{where}: {self.path} {told}"
        shown = _share if self.path in SHARES else _show
        return f"{where}: {self.path} {shown(self.before)} -> {shown(self.after)}"


def _entries(before: Any, after: Any) -> str | None:
    """How two lists of things that have an id differ, such as rules; None for anything else. The
    whole of both would be a page where there are many."""
    was, becomes = _by_id(before), _by_id(after)
    if was is None or becomes is None or not (was or becomes):
        return None
    parts = [f"with {_entry(becomes[name])}" for name in becomes if name not in was]
    parts += [f"without {_entry(was[name])}" for name in was if name not in becomes]
    parts += [
        f"{name} {_show(was[name])} -> {_show(becomes[name])}"
        for name in becomes
        if name in was and becomes[name] != was[name]
    ]
    return ", ".join(parts) or "in another order"


def _by_id(value: Any) -> dict[str, Mapping[str, Any]] | None:
    if value is None:
        return {}
    if not isinstance(value, list | tuple):
        return None
    if not all(isinstance(entry, Mapping) and entry.get("id") for entry in value):
        return None
    return {entry["id"]: entry for entry in value}


def _entry(entry: Mapping[str, Any]) -> str:
    words = " ".join(str(entry[name]) for name in ("kind", "target") if entry.get(name))
    return f"{words} ({entry['id']})" if words else str(entry["id"])


class UnknownItem(LookupError):
    """A change deletes or flips what is not there."""

    def __init__(self, kind: Kind, item_id: str) -> None:
        super().__init__(f"there is no {kind.value} {item_id!r}")
        self.kind = kind
        self.id = item_id


def items(table: Table, kind: Kind) -> Mapping[str, Item]:
    """The table's items of one kind, by id."""
    found: Mapping[str, Item] = getattr(table, _FIELDS[kind])
    return found


def get(table: Table, kind: Kind, item_id: str) -> Item | str | bool | None:
    """What stands under (kind, id); None if nothing does."""
    if kind is Kind.SETTING:
        value: str | bool = getattr(table, item_id)
        return value
    return items(table, kind).get(item_id)


def apply(table: Table, changes: Iterable[Change]) -> Table:
    """The table after `changes`, in their order. Raises `UnknownItem`."""
    edited: dict[Kind, dict[str, Item]] = {}
    settings: dict[str, Any] = {}  # by field of the table
    for change in changes:
        if change.kind is Kind.SETTING:
            settings[change.id] = change.value
            continue
        if change.kind not in edited:
            edited[change.kind] = dict(items(table, change.kind))
        if change.value is None:
            if edited[change.kind].pop(change.id, None) is None:
                raise UnknownItem(change.kind, change.id)
        else:
            edited[change.kind][change.id] = change.value  # type: ignore[assignment]
    for kind, found in edited.items():
        settings[_FIELDS[kind]] = MappingProxyType(found)
    return replace(table, **settings)


def dated(before: Table, changes: Iterable[Change], revision: int) -> tuple[Change, ...]:
    """`changes` with each route's `evidence_since` set.

    It is `revision` where the route is new, or what it matches, its backends or the rules that
    compare it differ from `before`; else what it was.
    """
    return tuple(_dated(before, change, revision) for change in changes)


def _dated(before: Table, change: Change, revision: int) -> Change:
    if not isinstance(change.value, Route):
        return change
    known = before.routes.get(change.id)
    same = known is not None and _what_is_compared(known) == _what_is_compared(change.value)
    since = known.evidence_since if known is not None and same else revision
    if change.value.evidence_since == since:
        return change
    return replace(change, value=replace(change.value, evidence_since=since))


def _what_is_compared(route: Route) -> tuple[object, ...]:
    rules = [rule for rule in route.comparison.rules if rule.kind is not RuleKind.IGNORE]
    policy = route.comparison
    settings = policy.headers, policy.html, policy.null_equals, policy.compare, route.faults
    return route.match, route.legacy, route.new, rules, settings


def diff(before: Table, after: Table) -> tuple[Change, ...]:
    """The changes that lead from one table to another: settings, puts, then deletions.

    Puts come in the order that references need (backends first), deletions in the reverse.
    """
    found = [
        Change(Kind.SETTING, name, getattr(after, name))
        for name in _SETTINGS
        if getattr(after, name) != getattr(before, name)
    ]
    gone: list[Change] = []
    for kind in _CLASSES:
        old, new = items(before, kind), items(after, kind)
        if old is new:
            continue
        for item_id, item in new.items():
            if (known := old.get(item_id)) is not item and known != item:
                found.append(Change(kind, item_id, item))
        gone[:0] = [Change(kind, item_id, None) for item_id in old if item_id not in new]
    return tuple(found + gone)


def invert(before: Table, changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that undo `changes` when they were applied to `before`."""
    seen: dict[tuple[Kind, str], Change] = {}
    for change in changes:
        key = (change.kind, change.id)
        seen.setdefault(key, Change(change.kind, change.id, get(before, *key)))
    return tuple(reversed(seen.values()))


def describe(before: Table, changes: Iterable[Change]) -> tuple[FieldChange, ...]:
    """What `changes` alter, field by field, against `before`."""
    found: list[FieldChange] = []
    for change in changes:
        old = get(before, change.kind, change.id)
        if change.kind is Kind.SETTING:
            if old != change.value:
                found.append(FieldChange(change.kind, change.id, "value", old, change.value))
        elif old is None or change.value is None:
            if old is not change.value:
                old_data = None if old is None else to_data(old)
                new_data = None if change.value is None else to_data(change.value)
                found.append(FieldChange(change.kind, change.id, "", old_data, new_data))
        else:
            was_data, data = to_data(old, whole=True), to_data(change.value, whole=True)
            for path, was, becomes in _leaves("", was_data, data):
                if path == "evidence_since":
                    continue  # it follows from the rest
                found.append(FieldChange(change.kind, change.id, path, was, becomes))
    return tuple(found)


def flip(route: Route, stage: Stage | None = None, weight: int | None = None) -> Route:
    """The route in another stage or with another weight.

    A weight alone means a canary. Leaving canary keeps the weight, so that coming back to it
    means the same keys.
    """
    if stage is None and weight is not None:
        stage = Stage.CANARY
    return replace(
        route,
        stage=route.stage if stage is None else stage,
        weight=route.weight if weight is None else weight,
    )


def changes_to_data(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """The JSON form of changes."""
    return [
        {"kind": change.kind.value, "id": change.id, "value": to_data(change.value)}
        for change in changes
    ]


def changes_from_data(data: Any) -> tuple[Change, ...]:
    """Decode what `changes_to_data` made. Raises `CodecError`."""
    if not isinstance(data, list):
        raise CodecError("$", "expected a list of changes")
    return tuple(_change(entry, f"$[{index}]") for index, entry in enumerate(data))


def _change(entry: Any, path: str) -> Change:
    try:
        kind, item_id, value = Kind(entry["kind"]), entry["id"], entry["value"]
    except (KeyError, TypeError, ValueError):
        raise CodecError(path, "expected kind, id and value") from None
    if kind is Kind.SETTING:
        if item_id not in _SETTINGS:
            raise CodecError(f"{path}.id", f"there is no setting {item_id!r}")
        return Change(kind, item_id, from_data(_SETTINGS[item_id], value, f"{path}.value"))
    if value is None:
        return Change(kind, from_data(str, item_id, f"{path}.id"), None)
    item = from_data(_CLASSES[kind], value, f"{path}.value")
    if item.id != item_id:
        raise CodecError(f"{path}.id", f"{item_id!r} is not the id of the value, {item.id!r}")
    return Change(kind, item.id, item)


def _leaves(path: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in dict.fromkeys([*old, *new]):
            inner = f"{path}.{name}" if path else name
            found.extend(_leaves(inner, old.get(name), new.get(name)))
        return found
    return [] if old == new else [(path, old, new)]


def _share(value: Any) -> str:
    """Basis points as people write a share."""
    return f"{value / 100:g}%" if isinstance(value, int) else _show(value)


def _show(value: Any) -> str:
    """As a table has it: JSON, and text without its quotes."""
    if value in (None, "", [], {}):
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
