"""A table as YAML or JSON for people and their repositories.

The kill switch is no part of an export, and a document without it leaves it where it is: applying
yesterday's file must not send traffic back to what an operator has just switched off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson
import yaml

from control_plane.http.problems import ApiProblem, FindingOut, clipped, invalid, refused
from control_plane.publishing.check import shown
from figway.model.change import SHARES
from figway.model.codec import CodecError, from_data, to_data
from figway.model.share import basis_points, share
from figway.model.table import Table
from figway.rollout.parsing import parse_plan, plan_to_data
from figway.rollout.plan import RolloutPlan

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_MOST_PLANS = 1_000
_FORM = "`figway export` prints a document of this form, `figway init` begins one"
_BRACES = "Within braces a value that has some is quoted: {path: '/orders/{id}'}"
_DEEPEST = 64
"""Collections within each other; a table has a dozen. The C parser recurses on the machine's stack:
a hundred thousand brackets end the process."""
_ORDER = ("default_backend", "backends", "capabilities", "routes")


class _Loader(_Safe):  # type: ignore[misc]
    """Refuses a name that stands twice in a mapping: the first value would be lost in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """What PyYAML calls for each mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands here twice", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class TableDocument:
    """What a document holds: a table, and plans of rollouts if it speaks of them at all."""

    table: Table
    plans: tuple[RolloutPlan, ...] | None = None


_NOUNS = {"routes": "route", "backends": "backend", "capabilities": "capability"}
_ITEM = re.compile(r"\$\.(?P<kind>routes|backends|capabilities)\[(?P<at>\d+)\]")


def export(table: Table, kind: str, plans: Iterable[RolloutPlan] = ()) -> bytes:
    """The table as `yaml` or `json`, with the plans; fields that equal their default are left
    out."""
    data = to_data(table)
    chosen = {name: data[name] for name in _ORDER if name in data}
    if rollouts := [plan_to_data(plan) for plan in plans]:
        chosen["rollouts"] = rollouts
    if kind == "json":
        return orjson.dumps(chosen, option=orjson.OPT_INDENT_2) + b"\n"
    for route in chosen.get("routes", ()):
        _each_share(route, _written)
    text: str = yaml.dump(
        chosen, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text.encode()


def read(body: bytes, content_type: str, current: Table) -> TableDocument:
    """The table that a document describes, and the plans. Raises `ApiProblem` 422."""
    if not body.strip():  # by intent or by accident, it would delete everything
        raise invalid("$", "the document is empty")
    data = _parsed(body, content_type)
    if not isinstance(data, dict):
        raise invalid("$", "expected an object with backends, capabilities and routes")
    is_json = "json" in content_type
    for number, route in enumerate(_dicts(data.get("routes"))):
        where = f"routes[{route.get('id', number)}]"
        _each_share(route, partial(_points, where, is_json))
    plans = _plans(data.pop("rollouts")) if "rollouts" in data else None
    try:
        table = from_data(Table, data)
    except CodecError as error:
        finding = FindingOut(
            code="invalid_field",
            severity="error",
            path=clipped(error.path),
            message=clipped(error.message) + _whose(error.path, data),
            resolution=_FORM,
        )
        raise refused([finding], "The table cannot be read") from None
    if table.kill_switch:
        raise invalid(
            "kill_switch",
            "the kill switch is no part of a table",
            "press it with `figway kill on`, or POST /api/v1/kill",
        )
    return TableDocument(replace(table, kill_switch=current.kill_switch), plans)


def _whose(path: str, data: dict[str, Any]) -> str:
    """The item that a place counts to, by its id: ` (route orders)`. Nobody counts to 250."""
    found = _ITEM.match(path)
    if found is None:
        return ""
    items, noun = data.get(found["kind"]), _NOUNS[found["kind"]]
    item = items[int(found["at"])] if isinstance(items, list) else None
    name = item.get("id") if isinstance(item, dict) else None
    return f" ({noun} {clipped(name)})" if isinstance(name, str) else ""


def written_part(data: dict[str, Any]) -> str:
    """Some fields of an item as YAML; nothing where there are none."""
    _each_share(data, _written)
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text if data else ""


def read_part(text: str, where: str) -> dict[str, Any]:
    """Some fields of an item, written as YAML. Raises `ApiProblem` 422."""
    data = _parsed(text.encode(), "yaml") if text.strip() else {}
    if data is None:  # comments alone
        return {}
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise invalid(where, "expected fields, one a line: `name: value`")
    _each_share(data, partial(_points, where, False))
    return data


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _each_share(route: dict[str, Any], change: Callable[[Any, str], Any]) -> None:
    """Change every share of a route, wherever it stands."""
    for name in SHARES:
        *folders, last = name.split(".")
        found: Any = route
        for folder in folders:
            found = found.get(folder) if isinstance(found, dict) else None
        if isinstance(found, dict) and last in found:
            found[last] = change(found[last], name)


def _written(points: Any, _: str) -> Any:
    return share(points) if isinstance(points, int) else points


def _points(place: str, is_json: bool, value: Any, name: str) -> Any:
    """A share as basis points: `25%` everywhere; a bare number only in JSON, where machines write
    basis points."""
    where = f"{place}.{name}"
    if isinstance(value, str):
        try:
            return basis_points(value)
        except ValueError as error:
            raise invalid(where, str(error)) from None
    if is_json or value == 0 or not isinstance(value, int) or isinstance(value, bool):
        return value
    raise invalid(
        where,
        f"{value} may mean {value}% or {value / 100:g}%: write the share with its sign",
        f"write {value / 100:g}% if it came from an export of an older release",
    )


def fitted(current: Table, wanted: Table, *, merge: bool, keep: bool) -> Table:
    """What a document comes to beside the current table.

    `merge` keeps what the document does not name; `keep` keeps stage and weight of the routes that
    are there: those belong to whoever moves traffic, and not to a file.
    """
    routes = dict(wanted.routes)
    if keep:
        for route_id, route in wanted.routes.items():
            if (known := current.routes.get(route_id)) is not None:
                routes[route_id] = replace(route, stage=known.stage, weight=known.weight)
    if not merge:
        return replace(wanted, routes=MappingProxyType(routes))
    return replace(
        wanted,
        default_backend=wanted.default_backend or current.default_backend,
        backends=MappingProxyType({**current.backends, **wanted.backends}),
        capabilities=MappingProxyType({**current.capabilities, **wanted.capabilities}),
        routes=MappingProxyType({**current.routes, **routes}),
    )


def standing(wanted: Table, current: Table, moving: Container[str]) -> Table:
    """`wanted`, with the routes that rollouts move left where they stand."""
    kept = {
        route_id: replace(
            route,
            stage=known.stage,
            weight=known.weight,
            shadow=replace(route.shadow, sample=known.shadow.sample),
        )
        for route_id, route in wanted.routes.items()
        if route_id in moving and (known := current.routes.get(route_id)) is not None
    }
    return replace(wanted, routes={**wanted.routes, **kept}) if kept else wanted


def _plans(data: Any) -> tuple[RolloutPlan, ...]:
    if not isinstance(data, list) or len(data) > _MOST_PLANS:
        raise invalid("$.rollouts", f"expected a list of at most {_MOST_PLANS} plans")
    read = [parse_plan(entry, f"rollouts[{number}]") for number, entry in enumerate(data)]
    plans = [plan for plan, _ in read if plan is not None]
    findings = [finding for _, found in read for finding in found]
    if len(plans) < len(data):
        raise refused(shown(findings), "The rollouts cannot be read")
    names = [plan.id for plan in plans]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise invalid("$.rollouts", f"{twice!r} stands twice")
    return tuple(plans)


def _parsed(body: bytes, content_type: str) -> Any:
    if "json" in content_type:
        try:
            data = orjson.loads(body)  # bounds the depth
            json.loads(body, object_pairs_hook=_named_once)
            return data
        except (ValueError, RecursionError) as error:
            raise invalid("$", f"not JSON: {error}") from None
    try:
        text = body.decode()
        _scan(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise invalid("$", f"no text in UTF-8 (byte {error.start + 1})", _FORM) from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        why = " ".join(str(error).replace(' in "<unicode string>",', " at").split())
        hint = _BRACES if "flow mapping" in why else _FORM
        raise invalid("$", f"not YAML: {why}", hint) from None


def _named_once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in an object")


def _scan(text: str) -> None:
    """Refuse what must not be composed. A few nested aliases stand for billions of nodes; a table
    has no use for them."""
    depth = 0
    for found in yaml.parse(text, Loader=_Safe):
        if isinstance(found, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"more than {_DEEPEST} lists and mappings within each other")
        elif isinstance(found, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(found, yaml.AliasEvent):
            raise ApiProblem(
                422,
                "yaml_alias",
                "The table cannot be read",
                f"the alias *{found.anchor} is not read; write out what it stands for",
            )
