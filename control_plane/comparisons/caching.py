"""Warnings that the answers of stored pairs give rise to: what caches would make of them, and
declared reads that look like writes."""

from __future__ import annotations

from collections.abc import Iterable

from control_plane.comparisons.records import StoredPair
from control_plane.http.problems import FindingOut
from control_plane.publishing.check import shown
from figway.model.table import Table
from figway.model.words import Side
from figway.validate.caching import check_answer
from figway.validate.findings import Findings
from figway.validate.reads import check_traffic


def warnings(table: Table, rows: Iterable[StoredPair]) -> list[FindingOut]:
    """What the answers of stored pairs give rise to, each warning once."""
    findings = Findings()
    for row in rows:
        pair = row.pair
        route = table.routes.get(row.route)
        if route is None:
            continue
        method, path = pair["request"]["method"], f"routes.{route.id}"
        for side in Side:
            status, headers = pair[side.value]["status"], pair[side.value]["headers"]
            check_traffic(route, method, side, status, headers, path, findings)
            if method == "GET":
                capability = table.capability_of(route)
                check_answer(route, capability, side, status, headers, path, findings)
    return shown(dict.fromkeys(findings.found))
