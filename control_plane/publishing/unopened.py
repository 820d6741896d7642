"""What live proxies say that they cannot open, where a change would send more users to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from figway.model.backend import Backend
from figway.model.table import Table

_NAMED = 5


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One backend that one live proxy leaves out of the table, and why."""

    proxy: str
    backend: str
    text: str


def speaks_of(found: Iterable[LeftOut], before: Table, after: Table) -> dict[str, list[LeftOut]]:
    """By backend; without those that the change itself would mend, or try to: what proxies say is
    of the backend before."""
    by_backend: dict[str, list[LeftOut]] = defaultdict(list)
    for entry in found:
        by_backend[entry.backend].append(entry)
    return {
        backend: entries
        for backend, entries in by_backend.items()
        if _opens_as(before.backends.get(backend), after.backends.get(backend))
    }


def _opens_as(before: Backend | None, after: Backend | None) -> bool:
    """Is it opened by the same settings? What it is called opens nothing."""
    if before is after or before is None or after is None:
        return before is after
    return before == replace(after, description=before.description)


def told(entries: list[LeftOut]) -> str:
    """`proxy p1 cannot open backend x: why`, each reason once, with the proxies that give it."""
    by_text: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        by_text[entry.text.removeprefix(f"Backend {entry.backend}: ")].append(entry.proxy)
    return "; ".join(
        f"{_proxies(sorted(names))} cannot open backend {entries[0].backend}: {text.rstrip('.')}"
        for text, names in by_text.items()
    )


def _proxies(names: list[str]) -> str:
    if len(names) == 1:
        return f"proxy {names[0]}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"proxies {', '.join(names[:_NAMED])}{more}"


def next_step(backend: str) -> str:
    """What to do about it, and what becomes of a change that is forced."""
    return (
        f"Mend what is named there, or change the backend: figway backends set {backend}. Proxies "
        "try again by themselves, and figway fleet shows when it is open. Forced, the route "
        "is served by legacy at those proxies until then, and by nobody where it has no fallback."
    )
