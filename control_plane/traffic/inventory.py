"""The inventory of operations, put together for people: names, shares, takers, and the route that
would take one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from control_plane.traffic.schemas_operations import (
    OperationOut,
    OperationPlace,
    OperationTaker,
)
from figway.model.operations import OperationKind
from figway.model.table import Route, Table
from figway.operation.label import OperationLabel, condition_of, operation_of
from figway.routing.operations import takes

UNREAD = "unread"
_GRAPHQL_GET = ("GET", "POST")
_LONGEST_ID = 60


def places(table: Table, rows: Iterable[Row[Any]], wanted: str) -> list[OperationPlace]:
    """The paths below which operations are read, or were."""
    found = {path: OperationPlace(place=path, kinds=kinds, requests=0, unread={})
             for path, kinds in _reading(table).items() if wanted in ("", path)}  # fmt: skip
    for row in rows:
        place = found.setdefault(
            row.place, OperationPlace(place=row.place, kinds=[], requests=0, unread={})
        )
        if row.kind == UNREAD:
            place.unread[row.name] = place.unread.get(row.name, 0) + row.requests
        else:
            place.requests += row.requests
    return sorted(found.values(), key=lambda place: place.place)


def operations(table: Table, rows: Iterable[Row[Any]]) -> list[OperationOut]:
    """Each operation once, the most frequent first."""
    groups: dict[tuple[str, OperationLabel], list[Row[Any]]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.kind != UNREAD:
            label = OperationLabel(row.kind, row.field, row.type, row.name)
            groups[row.place, label].append(row)
            totals[row.place] += row.requests
    found = [_one(table, place, label, of, totals[place]) for (place, label), of in groups.items()]
    return sorted(found, key=lambda one: (-one.requests, one.place, one.kind, one.type, one.name))


def _one(
    table: Table, place: str, label: OperationLabel, rows: Sequence[Row[Any]], total: int
) -> OperationOut:
    requests = sum(row.requests for row in rows)
    match = match_of(table, place, label)
    return OperationOut(
        place=place,
        **label._asdict(),
        requests=requests,
        share=round(requests / total, 6) if total else 0.0,
        errors=sum(row.errors for row in rows),
        faults=sum(row.faults for row in rows),
        mean_ms=round(sum(row.head_us for row in rows) / max(1, requests) / 1_000, 3),
        first_ms=min(row.first_ms for row in rows),
        last_ms=max(row.last_ms for row in rows),
        takers=_takers(rows),
        named_by=_named_by(table, place, label),
        match=match,
        suggested_id="" if match is None else suggested_id(label, table.routes),
    )


def _takers(rows: Iterable[Row[Any]]) -> list[OperationTaker]:
    found: dict[tuple[str, str], OperationTaker] = {}
    for row in rows:
        taker = found.setdefault(
            (row.route, row.side),
            OperationTaker(route=row.route, side=row.side, requests=0, last_ms=0),
        )
        taker.requests += row.requests
        taker.last_ms = max(taker.last_ms, row.last_ms)
    return sorted(found.values(), key=lambda taker: (-taker.last_ms, taker.route, taker.side))


def match_of(table: Table, place: str, label: OperationLabel) -> dict[str, Any] | None:
    """The `match` of a route that takes what a label stands for, like those that read it."""
    operation = condition_of(label)
    if operation is None:
        return None
    reading = [route for route in _readers(table) if route.match.path == place]
    hosts = sorted({host for route in reading for host in route.match.hosts})
    everywhere = not reading or any(not route.match.hosts for route in reading)
    graphql = label.kind == OperationKind.GRAPHQL and label.type != "mutation"
    return {
        "path": place,
        "methods": list(_GRAPHQL_GET) if graphql else ["POST"],
        **({} if everywhere else {"hosts": hosts}),
        "operation": operation,
    }


def _named_by(table: Table, place: str, label: OperationLabel) -> str:
    operation = operation_of(label)
    if operation is None:
        return ""
    for route in _readers(table):
        match = route.match.operation
        if match is None or route.match.path != place or match.field != label.field:
            continue
        named = match.names or match.fields or match.hashes
        if named and match.kind == label.kind and takes(match)(operation):
            return route.id
    return ""


def suggested_id(label: OperationLabel, taken: Iterable[str]) -> str:
    """`get-booking` for `{urn:shop}GetBooking`; with a number where a route has that id."""
    name = label.name.rpartition("}")[2] if label.kind == OperationKind.SOAP else label.name
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", name).strip("-").lower()
    base = re.sub("-+", "-", words)[:_LONGEST_ID].strip("-") or label.kind
    known, found, number = set(taken), base, 1
    while found in known:
        number += 1
        found = f"{base}-{number}"
    return found


def _readers(table: Table) -> list[Route]:
    """The routes for which bodies are read."""
    return [
        route
        for route in table.routes.values()
        if route.match.operation is not None and not route.match.operation.trust_action
    ]


def _reading(table: Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for route in _readers(table):
        operation = route.match.operation
        if operation is not None and operation.kind.value not in found[route.match.path]:
            found[route.match.path].append(operation.kind.value)
    return found
