"""What tests of the core share: heads as a door would present them, and small valid tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from figway.model.backend import Backend
from figway.model.table import Capability, Condition, ConditionKind, Route, RouteMatch, Table
from figway.model.words import Side

LEGACY = Backend(id="monolith", side=Side.LEGACY, url="http://127.0.0.1:8000")
NEW = Backend(id="functions", side=Side.NEW, url="http://127.0.0.1:9000")


@dataclass
class Head:
    """A request head made by hand."""

    path: bytes = b"/"
    method: str = "GET"
    host: bytes = b"shop.example"
    query: bytes = b""
    client: str = "203.0.113.7"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, name: bytes) -> bytes | None:
        lines = [value for key, value in self.headers if key.lower() == name]
        return (b"; " if name == b"cookie" else b", ").join(lines) if lines else None


def route(route_id: str, path: str = "/", **fields: Any) -> Route:
    """A route; fields of its match may be given beside its own."""
    names = ("hosts", "methods", "headers", "query", "cookies", "operation")
    match = {name: fields.pop(name) for name in names if name in fields}
    return Route(id=route_id, match=RouteMatch(path=path, **match), **fields)


def table(
    *routes: Route,
    backends: Iterable[Backend] = (LEGACY, NEW),
    capabilities: Iterable[Capability] = (),
    **fields: Any,
) -> Table:
    """A table with one backend a side."""
    return Table(
        **{"default_backend": "monolith", **fields},
        backends={item.id: item for item in backends},
        capabilities={item.id: item for item in capabilities},
        routes={item.id: item for item in routes},
    )


def on(name: str, kind: str = "exact", value: str = "") -> Condition:
    """A condition."""
    return Condition(name=name, kind=ConditionKind(kind), value=value)
