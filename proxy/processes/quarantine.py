"""What the workers of a proxy leave out of the table, merged: for the fleet, metrics and events."""

from __future__ import annotations

import time
from collections.abc import Iterable

from figway.model.table import Table
from proxy.processes.messages import Row
from proxy.processes.workers import Worker

MAX_ROUTES = 100
MAX_ROWS = 1_000

Key = tuple[str, str]


def merged(workers: Iterable[Worker], table: Table | None) -> list[Row]:
    """One row for each backend or route that any worker leaves out."""
    rows: dict[Key, Row] = {}
    for worker in workers:
        for row in worker.quarantine:
            known = rows.setdefault((row["kind"], row["id"]), {**row, "workers": 0})
            known["workers"] += 1
            known["since_ms"] = min(known["since_ms"], row["since_ms"])
    return [{**row, "routes": _routes(row, table)} for row in list(rows.values())[:MAX_ROWS]]


def _routes(row: Row, table: Table | None) -> list[str]:
    if row["kind"] == "route":
        return [row["id"]]
    if table is None:
        return []
    used = (
        route.id
        for route in table.routes.values()
        if row["id"] in (route.new, route.legacy or table.default_backend)
    )
    return sorted(used)[:MAX_ROUTES]


def events(before: list[Row], after: list[Row], worker: int) -> list[Row]:
    """What one worker began and ended to leave out, as reports hold events."""
    old, new = _by_key(before), _by_key(after)
    now = int(time.time() * 1_000)
    changed = [(key, "ok", "quarantine", new[key]) for key in new.keys() - old.keys()]
    changed += [(key, "quarantine", "ok", old[key]) for key in old.keys() - new.keys()]
    return [
        {
            "at_ms": now,
            "kind": "quarantine",
            kind: item,
            "worker": worker,
            "from": origin,
            "to": to,
            "code": row["code"],
        }
        for (kind, item), origin, to, row in sorted(changed, key=lambda entry: entry[0])
    ]


def _by_key(rows: list[Row]) -> dict[Key, Row]:
    return {(row["kind"], row["id"]): row for row in rows}
