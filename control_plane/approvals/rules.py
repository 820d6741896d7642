"""The rules themselves, decided on two tables and a moment. Moving back never needs anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import orjson

from figway.model.backend import Backend
from figway.model.change import Change, Kind, changes_to_data
from figway.model.codec import content_hash
from figway.model.share import basis_points
from figway.model.table import Route, Stage, Table
from figway.model.words import WEIGHT_SCALE
from figway.rollout.exposure import exposure, only_back, taken_over
from figway.rollout.hours import is_open
from figway.rollout.parsing import parse_window, window_to_data
from figway.rollout.plan import MoveHours, percent_text, placement_of


class RulesError(ValueError):
    """A document of rules that cannot be read: where, and what to do."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Changes that need so many other people to agree."""

    need: int
    weight_over: int | None = None
    """Basis points: a canary above it."""
    stages: tuple[Stage, ...] = ()
    routes: tuple[str, ...] = ("*",)
    """Ids of routes or capabilities, with `*` and `?`."""

    def covers(self, route: Route) -> bool:
        """Whether a route that comes to stand like this needs approvals."""
        named = any(
            fnmatchcase(name, pattern)
            for pattern in self.routes
            for name in (route.id, route.capability)
        )
        over = (
            self.weight_over is not None
            and route.stage is Stage.CANARY
            and route.weight > self.weight_over
        )
        return named and (over or route.stage in self.stages)

    def __str__(self) -> str:
        parts = [f"stage {stage.value}" for stage in self.stages]
        if self.weight_over is not None:
            parts.insert(0, f"a weight over {percent_text(self.weight_over / WEIGHT_SCALE)}")
        return " or ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing moves towards new."""

    id: str
    reason: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    hours: MoveHours | None = None
    """Again every week, instead of once."""

    def holds(self, now_ms: int) -> bool:
        """Whether it is frozen at this moment."""
        if self.hours is not None:
            return is_open(self.hours, now_ms, ZoneInfo(self.hours.zone))
        begun = self.from_ms is None or now_ms >= self.from_ms
        return begun and (self.to_ms is None or now_ms < self.to_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRules:
    """All of them; none is the default."""

    approvals: tuple[ApprovalRule, ...] = ()
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class Needed:
    """The approvals that a change needs."""

    need: int
    why: str


def frozen_by(rules: ChangeRules, before: Table, after: Table, now_ms: int) -> Freeze | None:
    """The freeze that a change runs into; None if none holds, or it only leads back."""
    if not rules.freezes or only_back(before, after):
        return None
    return next((found for found in rules.freezes if found.holds(now_ms)), None)


def approvals_needed(rules: ChangeRules, before: Table, after: Table) -> Needed | None:
    """The most approvals that any route of a change needs; None if none needs any."""
    if not rules.approvals:
        return None
    found = [
        Needed(rule.need, f"route {route.id} at {placement_of(route)} is {rule}")
        for route in (*_further(before, after), *taken_over(before, after))
        for rule in rules.approvals
        if rule.covers(route)
    ]
    return max(found, key=lambda needed: needed.need, default=None)


def _further(before: Table, after: Table) -> Iterator[Route]:
    """Routes that come to stand further from legacy, or that stand there for other requests or
    with another new: another backend, or one that leads elsewhere."""
    elsewhere = set(_elsewhere(before, after))
    for route in after.routes.values():
        known = before.routes.get(route.id)
        if known is route and route.new not in elsewhere:
            continue
        others = known is not None and (known.match, known.new) != (route.match, route.new)
        if others or route.new in elsewhere or exposure(route) > exposure(known):
            yield route


_LEADS = ("kind", "url", "urls", "function", "region", "endpoint_url", "aws", "stream")
"""Fields of a backend that say where its requests go."""


def _elsewhere(before: Table, after: Table) -> Iterator[str]:
    if before.backends is after.backends:
        return
    for name, found in after.backends.items():
        known = before.backends.get(name)
        if known is not None and known is not found and _leads(known) != _leads(found):
            yield name


def _leads(backend: Backend) -> tuple[object, ...]:
    return tuple(getattr(backend, name) for name in _LEADS)


def change_hash(before: Table, changes: Iterable[Change]) -> str:
    """Names exactly this change, made to a table whose routes stand as they do, and whose backends
    of these routes are what they are.

    When the evidence of a route began follows from the rest, and differs at every try.
    """
    plain, stood, meant = [], {}, {}
    for entry in changes:
        if isinstance(entry.value, Route):
            route = entry.value
            entry = replace(entry, value=replace(route, evidence_since=0))
            meant.update({name: before.backends.get(name) for name in (route.new, route.legacy)})
        if entry.kind is Kind.ROUTE and entry.id in before.routes:
            stood[entry.id] = str(placement_of(before.routes[entry.id]))
        if entry.kind is Kind.BACKEND:
            served = (route for route in before.routes.values() if route.new == entry.id)
            stood.update({route.id: str(placement_of(route)) for route in served})
            meant[entry.id] = before.backends.get(entry.id)
        plain.append(entry)
    backends = [Change(Kind.BACKEND, name, found) for name, found in sorted(meant.items()) if found]
    parts = [changes_to_data(plain), stood, changes_to_data(backends)]
    return content_hash(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode())


# -- documents ---------------------------------------------------------------------------------


def parse_rules(data: Any) -> ChangeRules:
    """The rules of a document. Raises `RulesError`."""
    found = _mapping(data, "$", ("approvals", "freezes"))
    approvals = _list(found.get("approvals", []), "$.approvals")
    freezes = _list(found.get("freezes", []), "$.freezes")
    return ChangeRules(
        approvals=tuple(_approval(entry, f"$.approvals[{n}]") for n, entry in enumerate(approvals)),
        freezes=tuple(_freeze(entry, f"$.freezes[{n}]") for n, entry in enumerate(freezes)),
    )


def _approval(given: Any, path: str) -> ApprovalRule:
    data = _mapping(given, path, ("need", "weight_over", "stages", "routes"))
    need = data.get("need", 1)
    if not isinstance(need, int) or isinstance(need, bool) or not 1 <= need <= 20:
        raise RulesError(f"{path}.need", "is not a number from 1 to 20")
    over = data.get("weight_over")
    stages = _list(data.get("stages", []), f"{path}.stages")
    if any(stage not in ("shadow", "canary", "new", "retired") for stage in stages):
        raise RulesError(f"{path}.stages", "use shadow, canary, new, retired")
    if over is None and not stages:
        raise RulesError(path, "says neither weight_over nor stages: give one, such as 25%")
    routes = _list(data.get("routes", ["*"]), f"{path}.routes")
    if not routes or not all(isinstance(name, str) for name in routes):
        raise RulesError(f"{path}.routes", "is not a list of ids, such as [orders, pay-*]")
    return ApprovalRule(
        need=need,
        weight_over=None if over is None else _basis_points(over, f"{path}.weight_over"),
        stages=tuple(Stage(stage) for stage in stages),
        routes=tuple(routes),
    )


def _freeze(given: Any, path: str) -> Freeze:
    data = _mapping(given, path, ("id", "reason", "from", "to", "days", "hours", "zone"))
    freeze_id, reason = data.get("id"), data.get("reason", "")
    if not isinstance(freeze_id, str) or not 0 < len(freeze_id) <= 64:
        raise RulesError(f"{path}.id", "give it a name")
    if not isinstance(reason, str) or len(reason) > 500:
        raise RulesError(f"{path}.reason", "is not a text of at most 500 characters")
    weekly = {name: data[name] for name in ("days", "hours", "zone") if name in data}
    if weekly and ("from" in data or "to" in data):
        raise RulesError(path, "is either once (from, to) or weekly (days, hours, zone)")
    if weekly:
        hours, findings = parse_window(weekly, path)
        if hours is None:
            raise RulesError(findings[0].path, f"{findings[0].message}: {findings[0].resolution}")
        if hours.zone not in available_timezones():
            raise RulesError(f"{path}.zone", f"{hours.zone!r} is no zone; use Europe/Berlin, UTC")
        return Freeze(id=freeze_id, reason=reason, hours=hours)
    begin, end = (_moment(data.get(name), f"{path}.{name}") for name in ("from", "to"))
    if begin is not None and end is not None and end <= begin:
        raise RulesError(f"{path}.to", "is not after from")
    return Freeze(id=freeze_id, reason=reason, from_ms=begin, to_ms=end)


def _moment(given: Any, path: str) -> int | None:
    if given is None:
        return None
    try:
        found = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        raise RulesError(path, "is no moment, such as 2026-12-20T00:00:00+01:00") from None
    if found.tzinfo is None:
        raise RulesError(path, "lacks its zone: end it with Z or +01:00")
    return int(found.timestamp() * 1_000)


def _basis_points(given: Any, path: str) -> int:
    try:
        return basis_points(given if isinstance(given, str) else "")
    except ValueError:
        raise RulesError(path, "is not a share in steps of 0.01%, such as 25%") from None


def _mapping(data: Any, path: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise RulesError(path, f"is not a mapping of {', '.join(known)}")
    for name in data:
        if name not in known:
            raise RulesError(f"{path}.{name}", f"is not known; use {', '.join(known)}")
    return data


def _list(data: Any, path: str) -> list[Any]:
    if not isinstance(data, list) or len(data) > 200:
        raise RulesError(path, "is not a list of at most 200")
    return data


def rules_to_data(rules: ChangeRules) -> dict[str, Any]:
    """The rules as a document."""
    return {
        "approvals": [_approval_data(rule) for rule in rules.approvals],
        "freezes": [_freeze_data(found) for found in rules.freezes],
    }


def _approval_data(rule: ApprovalRule) -> dict[str, Any]:
    data: dict[str, Any] = {"need": rule.need, "routes": list(rule.routes)}
    if rule.weight_over is not None:
        data["weight_over"] = f"{rule.weight_over / 100:g}%"
    if rule.stages:
        data["stages"] = [stage.value for stage in rule.stages]
    return data


def _freeze_data(found: Freeze) -> dict[str, Any]:
    data: dict[str, Any] = {"id": found.id, "reason": found.reason}
    for name, at in (("from", found.from_ms), ("to", found.to_ms)):
        if at is not None:
            moment = datetime.fromtimestamp(at / 1_000, UTC)
            data[name] = moment.isoformat().replace("+00:00", "Z")
    if found.hours is not None:
        data |= window_to_data(found.hours)
    return data
