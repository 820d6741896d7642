"""Warnings about what caches would make of a route's answers, from stored pairs."""

from __future__ import annotations

from collections.abc import Iterable

from control_plane.comparisons.records import StoredPair
from control_plane.http.problems import FindingOut
from control_plane.publishing.check import shown
from figway.model.table import Side, Table
from figway.validate.caching import check_answer
from figway.validate.findings import Findings


def warnings(table: Table, rows: Iterable[StoredPair]) -> list[FindingOut]:
    """What the answers of stored pairs give rise to, each warning once."""
    findings = Findings()
    for row in rows:
        pair = row.pair
        route = table.routes.get(row.route)
        if route is None or pair["request"]["method"] != "GET":
            continue
        for side in Side:
            answer = pair[side.value]
            check_answer(
                route,
                table.capability_of(route),
                side,
                answer["status"],
                answer["headers"],
                f"routes.{route.id}",
                findings,
            )
    return shown(dict.fromkeys(findings.found))
