"""Keeps the latest decisions of the routes that somebody watches, and tells the proxies which.

All of it is in the memory of one control plane, and bounded: a sample for people's eyes, no
evidence. Proxies learn from the table stream what is watched, and keep nothing otherwise.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from control_plane.decisions.schemas import DecisionOut, DecisionsIn
from control_plane.publishing.hub import Hub, event

KEPT = 300
"""Decisions kept of one route."""
ALL = "*"
"""Every route."""
MOST_WATCHED = 8
"""Routes that proxies watch at once: those that were asked for last."""
RENEW_S = 5.0
"""How often proxies hear again what is watched."""
_MOST_ROUTES = 100
_ASKED_S = 15.0  # a question without a stream counts as watching for so long
_HOLDS_MS = 15_000  # for so long a proxy believes what it heard


class Decisions:
    """The latest decisions by route."""

    def __init__(self, tables: Hub, live: Hub) -> None:
        self._tables = tables
        self._live = live
        self._kept: OrderedDict[str, deque[DecisionOut]] = OrderedDict()
        self._streams: dict[str, int] = {}
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._number = 0

    @property
    def last(self) -> int:
        """Number of the latest decision."""
        return self._number

    def latest(self, route: str, *, after: int = 0, limit: int = KEPT) -> list[DecisionOut]:
        """What is kept of a route, newest first."""
        found = (entry for entry in reversed(self._kept.get(route, ())) if entry.number > after)
        return [entry for entry, _ in zip(found, range(limit), strict=False)]

    def asked(self, route: str) -> None:
        """Somebody looks at a route: that counts as watching for a while."""
        fresh = route not in self.watched()
        self._asked[route] = time.monotonic() + _ASKED_S
        self._asked.move_to_end(route)
        if fresh:
            self.renew()

    @contextmanager
    def watching(self, route: str) -> Iterator[None]:
        """Watch a route for as long as a stream lasts."""
        self._streams[route] = self._streams.get(route, 0) + 1
        self.asked(route)
        try:
            yield
        finally:
            self._streams[route] -= 1
            if not self._streams[route]:
                del self._streams[route]

    def watched(self) -> list[str]:
        """The routes that proxies are to watch, latest first."""
        now = time.monotonic()
        for route in [route for route, until in self._asked.items() if until < now]:
            if route not in self._streams:
                del self._asked[route]
        return list(reversed(self._asked))[:MOST_WATCHED]

    def renew(self) -> None:
        """Tell the proxies what is watched; nothing while nobody does."""
        if routes := self.watched():
            self._tables.publish(event("watch", {"routes": routes, "ms": _HOLDS_MS}))

    def take(self, batch: DecisionsIn) -> None:
        """Keep what a proxy sent, and show it to those who watch."""
        found = []
        for decision in sorted(batch.decisions, key=lambda entry: entry.at_ms):
            self._number += 1
            found.append(
                DecisionOut(**dict(decision), number=self._number, instance=batch.instance)
            )
        watched = set(self.watched())
        for entry in found:
            for route in (entry.route, ALL):
                if route in watched:
                    self._keep(route, entry)
        if self._live.streams:
            by_route = sorted(found, key=lambda entry: entry.route)
            for route, entries in groupby(by_route, key=lambda entry: entry.route):
                items = [entry.model_dump(mode="json") for entry in entries]
                self._live.publish(event("decisions", {"route": route, "items": items}))

    def _keep(self, route: str, entry: DecisionOut) -> None:
        kept = self._kept.get(route)
        if kept is None:
            kept = self._kept[route] = deque(maxlen=KEPT)
            if len(self._kept) > _MOST_ROUTES:
                self._kept.popitem(last=False)
        kept.append(entry)
        self._kept.move_to_end(route)
