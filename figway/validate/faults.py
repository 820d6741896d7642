"""Whether what judges a backend by its statuses knows a protocol's faults from failures."""

from __future__ import annotations

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


def check_faults(route: Route, table: Table, path: str, findings: Findings) -> None:
    """Check the healthy statuses of one route, and of the legacy behind a SOAP endpoint."""
    healthy = route.breaker.healthy_statuses
    check_statuses(healthy, f"{path}.breaker.healthy_statuses", findings)
    operation = route.match.operation
    by_operation = operation is not None and operation.kind is OperationKind.SOAP
    soap = by_operation if route.faults is FaultKind.AUTO else route.faults is FaultKind.SOAP
    if not soap:
        return
    if route.stage is not Stage.LEGACY and route.breaker.enabled and 500 not in healthy:
        message = "a SOAP fault is HTTP 500, and opens the breaker like a failure"
        hint = "write breaker.healthy_statuses: [500]; time-outs and resets still count"
        findings.warning("breaker_counts_faults", f"{path}.breaker.healthy_statuses", message, hint)
    legacy = table.backends.get(table.legacy_of(route))
    if by_operation and legacy is not None and legacy.urls:
        _check_legacy(legacy.id, legacy.outlier.healthy_statuses, findings)


def _check_legacy(backend: str, healthy: tuple[int, ...], findings: Findings) -> None:
    """The operations that no route names are legacy's, and no route says which statuses are
    theirs."""
    if 500 not in healthy:
        message = "a SOAP fault of an operation that no route names is HTTP 500, and puts a URL out"
        hint = "write outlier.healthy_statuses: [500]; time-outs and resets still count"
        place = f"backends.{backend}.outlier.healthy_statuses"
        findings.warning("outlier_counts_faults", place, message, hint)
