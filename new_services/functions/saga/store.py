"""What is kept of a saga: its wish, how far it came, its answer; and the ledger of deposits."""

from __future__ import annotations

import json
from typing import Any

from new_services.functions.vendor import storage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sagas (
    id TEXT PRIMARY KEY, wish TEXT, state TEXT, booking TEXT, answer TEXT, by_events INTEGER
);
CREATE TABLE IF NOT EXISTS ledger (
    saga TEXT, kind TEXT, cents INTEGER, PRIMARY KEY (saga, kind)
);
"""


class Saga:
    """One saga; to be used inside `storage.writing()`. `state` is "" for one that is not known."""

    def __init__(self, saga: str) -> None:
        self.id = saga
        row = (
            storage.connect()
            .execute(
                "SELECT wish, state, booking, answer, by_events FROM sagas WHERE id = ?", (saga,)
            )
            .fetchone()
        )
        self.state: str
        wish, self.state, booking, answer, by_events = row or ("null", "", "null", "null", 0)
        self.by_events = bool(by_events)
        """Its steps follow from events; else a state machine calls them."""
        self.wish: dict[str, Any] | None = json.loads(wish)
        self.booking: dict[str, Any] | None = json.loads(booking)
        self.answer: dict[str, Any] | None = json.loads(answer)

    def keep(self) -> None:
        """Store it as it is now."""
        values = (self.wish, self.booking, self.answer)
        wish, booking, answer = (json.dumps(value) for value in values)
        storage.connect().execute(
            "INSERT OR REPLACE INTO sagas VALUES (?, ?, ?, ?, ?, ?)",
            (self.id, wish, self.state, booking, answer, self.by_events),
        )

    def charged(self) -> int | None:
        """Cents that were charged; None if none ever were."""
        return self._entry("charge")

    def refunded(self) -> int | None:
        """Cents that were given back; None if it never came to that."""
        return self._entry("refund")

    def enter(self, kind: str, cents: int) -> None:
        """Write a line of the ledger, once a saga and kind."""
        storage.connect().execute(
            "INSERT OR IGNORE INTO ledger VALUES (?, ?, ?)", (self.id, kind, cents)
        )

    def _entry(self, kind: str) -> int | None:
        row = (
            storage.connect()
            .execute("SELECT cents FROM ledger WHERE saga = ? AND kind = ?", (self.id, kind))
            .fetchone()
        )
        return int(row[0]) if row else None


def open_saga(saga: str) -> Saga:
    """A saga by its id, known or not."""
    storage.ensure(_SCHEMA)
    return Saga(saga)


def accounts() -> dict[str, Any]:
    """All sagas with their money, for whoever audits them."""
    storage.ensure(_SCHEMA)
    rows = storage.connect().execute(
        "SELECT id, state, booking, "
        "(SELECT cents FROM ledger WHERE saga = sagas.id AND kind = 'charge'), "
        "(SELECT cents FROM ledger WHERE saga = sagas.id AND kind = 'refund') FROM sagas"
    )
    sagas = [
        {"id": i, "state": s, "booking": json.loads(b), "charged": c or 0, "refunded": r or 0}
        for i, s, b, c, r in rows
    ]
    booked = storage.connect().execute(
        "SELECT id FROM bookings WHERE active AND number >= 9000000 ORDER BY number"
    )
    return {"sagas": sagas, "booked": [row[0] for row in booked]}
