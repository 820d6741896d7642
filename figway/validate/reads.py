"""Methods that a route says only read: whether the word makes sense, and what traffic says of it.

A `POST` that is declared a read may be executed more than once: copied, asked again, replayed,
repeated at legacy. Signs that it writes after all are told as findings, and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from figway.message.http import SAFE_METHODS
from figway.model.table import Route
from figway.model.words import Side
from figway.validate.findings import Findings
from figway.validate.methods import check_methods

_OURS = "figway_id="
_NEVER_READS = frozenset({"DELETE", "PUT", "PATCH", "CONNECT"})


def check_declared(route: Route, path: str, findings: Findings) -> None:
    """Check `reads` of one route, alone."""
    check_methods(route.reads, f"{path}.reads", findings)
    for index, method in enumerate(route.reads):
        place = f"{path}.reads[{index}]"
        if method in SAFE_METHODS:
            message = f"{method} is safe by itself (RFC 9110, 9.2.1)"
            findings.warning("reads_unused", place, message, "remove it")
        elif method in _NEVER_READS:
            message = f"{method} asks for a change, whatever the path (RFC 9110, 9.3)"
            hint = "list methods such as POST that this application reads with"
            findings.error("reads_writing_method", place, message, hint)
        elif route.match.methods and method not in route.match.methods:
            message = f"the route does not take {method}"
            hint = "add it to match.methods, or remove it here"
            findings.warning("reads_unused", place, message, hint)
    if route.shadow.unsafe_get:
        message = "shadow.unsafe_get marks its reads as changing something, so nothing is copied"
        hint = "remove one of the two; a route of its own for the method keeps them apart"
        findings.warning("reads_unsafe", f"{path}.reads", message, hint)


def check_traffic(
    route: Route,
    method: str,
    side: Side,
    status: int,
    headers: Iterable[tuple[str, str]],
    path: str,
    findings: Findings,
) -> None:
    """Warn where an answer to a declared read looks like that to a write."""
    if method not in route.reads:
        return
    hint = f"take {method} out of reads unless repeating the request changes nothing"
    names = [name.lower() for name, value in headers if not value.startswith(_OURS)]
    if status == 201:
        message = f"{side.value} answers {method} with 201: something was created"
        findings.warning("reads_answers_201", path, message, hint)
    if "set-cookie" in names:
        message = f"{side.value} sets a cookie on {method}: something may have been changed"
        findings.warning("reads_sets_cookie", path, message, hint)
