"""What caches would make of the answers of a route that is on its way (RFC 9111).

A permanent redirect is kept by browsers for as long as they like, so that going back no longer
reaches their users. A shared cache in front of the facade would hand one side's answer to
the users of the other. Figway changes no answer for it; it tells.
"""

from __future__ import annotations

from collections.abc import Iterable

from figway.model.table import Capability, KeySource, Route, Stage
from figway.model.words import Side
from figway.validate.findings import Findings

PERMANENT = frozenset({301, 308})
"""Redirects that a cache may keep though nothing says so (RFC 9110, 15.4.2 and 15.4.9)."""
_MOVING = (Stage.SHADOW, Stage.CANARY, Stage.NEW)
_KEPT_FROM_ALL = frozenset({"no-store", "private", "no-cache"})
_SOURCES = {KeySource.COOKIE: "cookie", KeySource.JWT_CLAIM: "authorization"}


def check_answer(
    route: Route,
    capability: Capability,
    side: Side,
    status: int,
    headers: Iterable[tuple[str, str]],
    path: str,
    findings: Findings,
) -> None:
    """Warn of what caches would make of one answer of `side` to a GET."""
    fields = [(name.lower(), value) for name, value in headers]
    directives = _directives(fields)
    if status in PERMANENT and route.stage in _MOVING and not _KEPT_FROM_ALL & directives.keys():
        message = f"{side.value} answers {status}, which browsers keep for ever: no way back"
        hint = "answer 302 or 307 while the route moves, or send Cache-Control: no-store"
        findings.warning("redirect_permanent", path, message, hint)
    if route.stage is Stage.CANARY and _shared(directives):
        missing = _unvaried(capability, fields)
        if missing:
            message = f"a shared cache would mix the sides: {side.value} does not say Vary: "
            message += ", ".join(missing)
            hint = "send Cache-Control: private or no-store while the route is split, or that Vary"
            findings.warning("cache_mixes_sides", path, message, hint)


def _directives(fields: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields:
        if name == "cache-control":
            for part in value.split(","):
                directive, _, argument = part.strip().partition("=")
                found[directive.lower()] = argument.strip('"')
    if "expires" in dict(fields):
        found.setdefault("expires", "")
    return found


def _shared(directives: dict[str, str]) -> bool:
    """Whether the answer invites shared caches to keep it (RFC 9111, 3 and 4.2.1)."""
    if _KEPT_FROM_ALL & directives.keys():
        return False
    if "s-maxage" in directives:
        return directives["s-maxage"] != "0"
    if "max-age" in directives:
        return directives["max-age"] != "0"
    return "public" in directives or "expires" in directives


def _unvaried(capability: Capability, fields: list[tuple[str, str]]) -> list[str]:
    """What decides the side, and Vary does not name."""
    named = {
        part.strip().lower()
        for name, value in fields
        if name == "vary"
        for part in value.split(",")
    }
    if "*" in named:
        return []
    wanted = []
    for link in capability.sticky:
        if link.source is KeySource.CLIENT_ADDRESS:
            wanted.append("*")  # no field tells clients apart by address
        else:
            wanted.append(_SOURCES.get(link.source, link.name.lower()))
    return [name for name in dict.fromkeys(wanted) if name not in named]
