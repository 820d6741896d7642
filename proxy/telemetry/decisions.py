"""A small sample of single decisions, for people who watch a route.

Nothing is kept while nobody watches. While somebody does, a worker keeps at most `PER_S` finished
records a second of each watched route, and sends them with its counters. What is kept holds no
query, no header, no cookie, no key and no client address.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from figway.redact.detectors import hide_secrets
from figway.redact.paths import hide_in_path
from proxy.loop.record import RequestRecord

PER_S = 5
"""Records a second that a worker keeps of one route."""
MOST_ROUTES = 8
"""Routes that are watched at once; the control plane names the latest."""
MAX_PATH = 300
"""Characters of the path that are shown."""
ALL = "*"
"""Stands for every route, as in the reports."""
_LONGEST_MS = 60_000


class DecisionSample:
    """What one worker keeps. `left` is empty while nobody watches: that is all a request asks."""

    __slots__ = ("_kept", "_until", "left")

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self._kept: list[RequestRecord] = []
        self._until = 0.0

    def watch(self, routes: Iterable[str], ms: int) -> None:
        """Keep decisions of these routes, and of no others, for that many milliseconds."""
        self._until = time.monotonic() + min(ms, _LONGEST_MS) / 1_000
        self.left = {route: self.left.get(route, PER_S) for route in list(routes)[:MOST_ROUTES]}

    def offer(self, record: RequestRecord) -> None:
        """Keep a finished record, if its route is watched and its second has room."""
        left = self.left
        route = record.route if record.route in left else ALL
        if left.get(route):
            left[route] -= 1
            self._kept.append(record)

    def take(self) -> list[dict[str, Any]]:
        """What was kept since the last call, once a second; room for the next."""
        if not self.left:
            return []
        kept, self._kept = self._kept, []
        if time.monotonic() > self._until:
            self.left = {}
        else:
            self.left = dict.fromkeys(self.left, PER_S)
        return [told(record) for record in kept]


def told(record: RequestRecord) -> dict[str, Any]:
    """A record as it leaves the worker."""
    path = record.target.partition(b"?")[0][: MAX_PATH + 1].decode("latin-1")
    return {
        "at_ms": record.started_ms,
        "route": record.route,
        "method": record.method[:20],
        "path": path,
        "revision": record.revision,
        "side": record.side,
        "backend": record.backend,
        "why": record.why,
        "bucket": record.bucket,
        "key_source": record.key_source,
        "status": record.status,
        "attempts": record.attempts,
        "fallback": record.fallback,
        "no_fallback": record.no_fallback,
        "failure": record.failure,
        "problem": record.problem,
        "client_gone": record.client_gone,
        "head_us": record.head_us,
        "total_us": record.total_us,
        "trace": record.trace_id,
    }


class DecisionOutbox:
    """What the workers of a proxy sent, waiting for the next post. The oldest give way."""

    MOST = 400

    def __init__(self) -> None:
        self._waiting: list[dict[str, Any]] = []

    def add(self, worker: int, decisions: Iterable[dict[str, Any]]) -> None:
        """Take in what a worker sent; whatever in a path looks like a secret is hidden here."""
        for decision in decisions:
            path = hide_secrets(hide_in_path(decision["path"], _hidden), _hidden)
            self._waiting.append({**decision, "path": path[:MAX_PATH], "worker": worker})
        del self._waiting[: -self.MOST]

    def take(self) -> list[dict[str, Any]]:
        """All that waits."""
        found, self._waiting = self._waiting, []
        return found


def _hidden(kind: str, _: str) -> str:
    return f"[hidden:{kind}]"
