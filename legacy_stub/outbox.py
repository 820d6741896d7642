"""The outbox: every change is published in the transaction that made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import orjson

from legacy_stub.database import Database


class Outbox:
    """Ordered events, without gaps, from which read models elsewhere are fed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.written: Counter[str] = Counter()

    def publish(self, kind: str, data: Mapping[str, object], at: str) -> None:
        """Add an event; the caller holds the transaction."""
        self._db.insert("outbox", type=kind, at=at, data=orjson.dumps(data).decode())
        self.written[kind] += 1

    def page(self, after: int, limit: int) -> dict[str, object]:
        """At most `limit` events with a sequence above `after`."""
        rows = self._db.rows(
            "SELECT * FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?", after, limit
        )
        events = [
            {
                "sequence": row["sequence"],
                "type": row["type"],
                "at": row["at"],
                "data": orjson.loads(row["data"]),
            }
            for row in rows
        ]
        last = self._db.count("SELECT max(sequence) FROM outbox")
        reached = rows[-1]["sequence"] if rows else after
        return {"events": events, "last_sequence": last, "more": reached < last}
