"""What of a table this worker cannot open, and when it tries again.

A backend that cannot be opened (a certificate, a secret, a region, an option that is not installed)
is left out here alone. Its routes are served by legacy where it stands for new, as with an open
breaker; a legacy that was open before its change is used on as it was. The table is served all the
same. It ends by itself: each is tried again with growing waits, and when files or secrets changed.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from time import time
from typing import Any

from figway.model.backend import Backend
from proxy.loop.deadlines import NEVER
from proxy.policies.credentials import BadSecret
from proxy.upstreams.dial import BadAuthority

FIRST_MS = 1_000
MOST_MS = 60_000


@dataclass(slots=True)
class QuarantinedItem:
    """One that is left out. `kept` says that its definition before is used on."""

    kind: str
    id: str
    side: str
    code: str
    text: str
    since_ms: int
    wait_ms: int = FIRST_MS
    kept: bool = False

    def to_data(self) -> dict[str, Any]:
        """As acknowledgements tell of it."""
        text = self.text + (" Its definition before is used on." if self.kept else "")
        return {
            "kind": self.kind,
            "id": self.id,
            "side": self.side,
            "code": self.code,
            "text": text,
            "since_ms": self.since_ms,
        }


class Quarantine:
    """All that one worker leaves out. Implements `HasDeadline`: `again` is asked to try one."""

    def __init__(self, again: Callable[[str], None], on_change: Callable[[], None]) -> None:
        self.deadline = NEVER
        self._again = again
        self._on_change = on_change
        self._backends: dict[str, QuarantinedItem] = {}
        self._routes: dict[str, QuarantinedItem] = {}
        self._due: dict[str, int] = {}

    def __contains__(self, backend_id: str) -> bool:
        return backend_id in self._backends

    @property
    def backends(self) -> list[str]:
        """Backends that are left out."""
        return list(self._backends)

    def rows(self) -> list[dict[str, Any]]:
        """Everything that is left out, as acknowledgements tell of it."""
        return [item.to_data() for item in (*self._backends.values(), *self._routes.values())]

    def put(self, backend: Backend, error: Exception, now: int, *, kept: bool) -> str:
        """Leave a backend out, or go on leaving it out; why, in one line."""
        code, text = code_of(error), text_of(error)
        item = self._backends.get(backend.id)
        if item is None:
            item = self._backends[backend.id] = QuarantinedItem(
                "backend", backend.id, backend.side.value, code, text, int(time() * 1_000)
            )
            self._on_change()
        else:
            item.wait_ms = min(2 * item.wait_ms, MOST_MS)
            if (item.code, item.text, item.kept) != (code, text, kept):
                self._on_change()
        item.code, item.text, item.kept = code, text, kept
        self._due[backend.id] = now + item.wait_ms
        self.deadline = min(self._due.values())
        return text

    def end(self, backend_id: str) -> None:
        """It could be opened, or is not in the table any more."""
        if self._backends.pop(backend_id, None) is not None:
            del self._due[backend_id]
            self.deadline = min(self._due.values(), default=NEVER)
            self._on_change()

    def only(self, backends: Container[str]) -> None:
        """Forget what no table names."""
        for backend_id in [key for key in self._backends if key not in backends]:
            self.end(backend_id)

    def routes(self, routes: dict[str, str]) -> None:
        """The routes that cannot be served, and why."""
        before, now_ms = self._routes, int(time() * 1_000)
        self._routes = {
            route: before.get(route) or QuarantinedItem("route", route, "", "extra", why, now_ms)
            for route, why in routes.items()
        }
        if before.keys() != self._routes.keys():
            self._on_change()

    def expired(self, now: int) -> None:
        """Try what is due."""
        for backend_id in [key for key, due in self._due.items() if due <= now]:
            self._due[backend_id] = now + MOST_MS  # whatever comes of the attempt
            self._again(backend_id)
        self.deadline = min(self._due.values(), default=NEVER)


def code_of(error: Exception) -> str:
    """The stable code of a failure to open."""
    if isinstance(error, BadAuthority):
        return "ca_file"
    if isinstance(error, BadSecret):
        return "secret"
    if isinstance(error, ImportError):
        return "extra"
    text = str(error)
    if "region" in text:
        return "region"
    return "url" if "URL" in text else "open"


def text_of(error: Exception) -> str:
    """One line for people."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:500]
