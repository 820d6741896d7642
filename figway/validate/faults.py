"""Whether a route's breaker knows its protocol's faults from failures."""

from __future__ import annotations

from figway.model.operations import FaultKind, OperationKind
from figway.model.table import Route, Stage
from figway.validate.findings import Findings


def check_faults(route: Route, path: str, findings: Findings) -> None:
    """Check the healthy statuses of one route."""
    healthy = route.breaker.healthy_statuses
    for index, status in enumerate(healthy):
        if not 500 <= status <= 599 or status in healthy[:index]:
            place = f"{path}.breaker.healthy_statuses[{index}]"
            message = f"{status} never counts as a failure, or stands here twice"
            findings.error("status_range", place, message, "list statuses from 500, each once")
    if route.stage is Stage.LEGACY or not route.breaker.enabled or 500 in healthy:
        return
    operation = route.match.operation
    if route.faults is FaultKind.SOAP or (
        route.faults is FaultKind.AUTO
        and operation is not None
        and operation.kind is OperationKind.SOAP
    ):
        message = "a SOAP fault is HTTP 500, and opens the breaker like a failure"
        hint = "write breaker.healthy_statuses: [500]; time-outs and resets still count"
        findings.warning("breaker_counts_faults", f"{path}.breaker.healthy_statuses", message, hint)
