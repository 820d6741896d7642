"""What this control plane knows of proxies without asking the database."""

from __future__ import annotations

from collections.abc import Iterable

from control_plane.fleet.schemas import AckIn
from control_plane.fleet.store import StoredInstance

MOST = 10_000
UNSTORED_MS = 30_000


class Heard:
    """Proxies as the database last told of them, and as they told themselves since."""

    def __init__(self) -> None:
        self._rows: dict[str, StoredInstance] = {}
        self._unstored: dict[str, AckIn] = {}

    def said(self, ack: AckIn, now: int) -> None:
        """A proxy described itself."""
        known = self._rows.get(ack.instance)
        if known is None and len(self._rows) >= MOST:
            return
        since, first = (now, now) if known is None else (known.since_ms, known.first_seen_ms)
        if known is not None and _served(known.ack) != _served(ack):
            since = now
        self._rows[ack.instance] = StoredInstance(ack, since, first, now)
        self._unstored[ack.instance] = ack

    def is_newest(self, ack: AckIn) -> bool:
        """Has the proxy said nothing since, that the database has not?"""
        return self._unstored.get(ack.instance, ack) is ack

    def stored(self, ack: AckIn) -> None:
        """The database has what it said."""
        if self._unstored.get(ack.instance) is ack:
            del self._unstored[ack.instance]

    def read(
        self, rows: Iterable[StoredInstance], now: int, *, whole: bool
    ) -> list[StoredInstance]:
        """The database told of these; of all that there are, if `whole`. The same with what it has
        not taken yet, as where it takes no writes; a proxy may have gone on to another control
        plane since, so that counts for half a minute."""
        found = {row.ack.instance: row for row in rows}
        waiting = {
            name: self._rows[name]
            for name in self._unstored
            if (whole or name in found)
            and name in self._rows
            and abs(now - self._rows[name].seen_ms) <= UNSTORED_MS
        }
        kept = {} if whole else self._rows
        self._rows = dict(list({**kept, **found, **waiting}.items())[:MOST])
        return sorted({**found, **waiting}.values(), key=lambda row: row.ack.instance)

    def forget(self, instance: str) -> None:
        """It is gone for good."""
        self._rows.pop(instance, None)
        self._unstored.pop(instance, None)

    def page(self, after: str, limit: int) -> list[StoredInstance]:
        """Proxies by name."""
        names = sorted(name for name in self._rows if name > after)
        return [self._rows[name] for name in names[:limit]]


def _served(ack: AckIn) -> tuple[str, int, str]:
    return ack.boot, ack.revision, ack.etag
