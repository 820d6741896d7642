"""Whether what judges a backend by its statuses knows a protocol's faults from failures."""

from __future__ import annotations

from collections.abc import Iterable

from figway.model.operations import FaultKind, OperationKind
from figway.model.table import Route, Stage, Table
from figway.validate.findings import Findings


def check_statuses(healthy: tuple[int, ...], path: str, findings: Findings) -> None:
    """Check a list of statuses that are no failures."""
    for index, status in enumerate(healthy):
        if not 500 <= status <= 599 or status in healthy[:index]:
            message = f"{status} never counts as a failure, or stands here twice"
            hint = "list statuses from 500, each once"
            findings.error("status_range", f"{path}[{index}]", message, hint)


def check_faults(route: Route, path: str, findings: Findings) -> None:
    """Check the healthy statuses of one route."""
    healthy = route.breaker.healthy_statuses
    check_statuses(healthy, f"{path}.breaker.healthy_statuses", findings)
    asks_new = route.stage is not Stage.LEGACY and route.breaker.enabled
    if _is_soap(route) and asks_new and 500 not in healthy:
        message = "a SOAP fault is HTTP 500, and opens the breaker like a failure"
        hint = "write breaker.healthy_statuses: [500]; time-outs and resets still count"
        findings.warning("breaker_counts_faults", f"{path}.breaker.healthy_statuses", message, hint)


def check_legacies(routes: Iterable[Route], table: Table, findings: Findings) -> None:
    """Check each legacy behind a SOAP endpoint, once for all the operations of `routes`. The
    operations that no route names are legacy's, and no route says which statuses are theirs."""
    named = {table.legacy_of(route) for route in routes if _is_soap(route) and _by_operation(route)}
    for key in sorted(named & table.backends.keys()):
        legacy = table.backends[key]
        if legacy.urls and 500 not in legacy.outlier.healthy_statuses:
            message = (
                "a SOAP fault of an operation that no route names is HTTP 500, and puts a URL out"
            )
            hint = "write outlier.healthy_statuses: [500]; time-outs and resets still count"
            place = f"backends.{key}.outlier.healthy_statuses"
            findings.warning("outlier_counts_faults", place, message, hint)


def _by_operation(route: Route) -> bool:
    operation = route.match.operation
    return operation is not None and operation.kind is OperationKind.SOAP


def _is_soap(route: Route) -> bool:
    if route.faults is FaultKind.AUTO:
        return _by_operation(route)
    return route.faults is FaultKind.SOAP
