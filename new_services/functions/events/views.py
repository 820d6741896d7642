"""What is made of events. Each is applied once: an event that comes again changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from new_services.functions.vendor import storage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (event TEXT PRIMARY KEY, user_id INTEGER, subject TEXT);
CREATE TABLE IF NOT EXISTS points (event TEXT PRIMARY KEY, user_id INTEGER, points INTEGER);
CREATE TABLE IF NOT EXISTS trips (
    id TEXT PRIMARY KEY, user_id INTEGER, first TEXT, version INTEGER, document TEXT
);
CREATE INDEX IF NOT EXISTS trips_user ON trips (user_id, first);
CREATE TABLE IF NOT EXISTS lags (event TEXT PRIMARY KEY, ms INTEGER);
"""
_SUBJECTS = {
    "booking.created": "Your booking {id} at {hotel_name}",
    "booking.paid": "We received your payment for {id}",
    "booking.cancelled": "Your booking {id} is cancelled",
}


def prepared() -> None:
    """Make the tables, once a process."""
    storage.ensure(_SCHEMA)


def mail(event: dict[str, Any]) -> None:
    """Put a mail into the outgoing box, once an event."""
    booking, subject = event["data"]["booking"], _SUBJECTS.get(event["type"])
    if subject is None:
        return
    storage.connect().execute(
        "INSERT OR IGNORE INTO mails VALUES (?, ?, ?)",
        (event["id"], booking["user_id"], subject.format(**booking)),
    )


def points(event: dict[str, Any]) -> None:
    """A point for each whole euro of a booking; a cancelled one loses them again."""
    booking, sign = event["data"]["booking"], 1 if event["type"] == "booking.created" else -1
    whole = int(booking["total"]["amount"].partition(".")[0])
    storage.connect().execute(
        "INSERT OR IGNORE INTO points VALUES (?, ?, ?)",
        (event["id"], booking["user_id"], sign * whole),
    )


def project(event: dict[str, Any]) -> None:
    """Show a booking among its user's trips; an older version never replaces a newer one."""
    booking = event["data"]["booking"]
    if event["type"] == "booking.cancelled":
        booking = {**booking, "status": "cancelled"}
    shown = {k: booking[k] for k in ("id", "hotel_id", "hotel_name", "from", "to", "status")}
    with storage.writing() as connection:
        connection.execute(
            "INSERT INTO trips VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "document = excluded.document, version = excluded.version "
            "WHERE excluded.version >= trips.version",
            (
                booking["id"],
                booking["user_id"],
                booking["from"],
                booking["version"],
                json.dumps(shown, ensure_ascii=False),
            ),
        )
        connection.execute(
            "INSERT OR IGNORE INTO lags VALUES (?, ?)", (event["id"], _age_ms(event["at"]))
        )


def _age_ms(at: str) -> int:
    age = datetime.now(UTC) - datetime.fromisoformat(at.replace("Z", "+00:00"))
    return max(0, int(age.total_seconds() * 1000))


def trips(user_id: int) -> list[dict[str, Any]]:
    """A user's trips, by the day of arrival."""
    return storage.documents(
        "SELECT document FROM trips WHERE user_id = ? ORDER BY first, id", user_id
    )


def lag() -> dict[str, int | None]:
    """How many events the view has, and how long they took to get there, in milliseconds."""
    number, most = storage.connect().execute("SELECT count(*), max(ms) FROM lags").fetchone()
    if not number:
        return {"events": 0, "p50_ms": None, "max_ms": None}
    middle = storage.count("SELECT ms FROM lags ORDER BY ms LIMIT 1 OFFSET ?", number // 2)
    return {"events": number, "p50_ms": middle, "max_ms": most}


def totals(user_id: int) -> dict[str, Any]:
    """The mails and the points of a user."""
    rows = storage.connect().execute(
        "SELECT subject FROM mails WHERE user_id = ? ORDER BY rowid", (user_id,)
    )
    earned = storage.count("SELECT coalesce(sum(points), 0) FROM points WHERE user_id = ?", user_id)
    return {"mails": [row[0] for row in rows], "points": earned}
