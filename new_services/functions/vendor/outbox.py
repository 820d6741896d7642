"""The functions' own outbox: events are stored with the change that they tell of, then published.

What was stored and not published (a crash, a bus that is down) is published by the relay, so an
event may come twice, never not at all. Its `id` tells receivers that they have had it.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from new_services.functions.vendor import aws, storage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS own_outbox (
    number INTEGER PRIMARY KEY, id TEXT, type TEXT, at TEXT, detail TEXT, published INTEGER
)
"""
_BATCH = 10
"""What PutEvents takes at once."""


def add(kind: str, detail: dict[str, Any]) -> None:
    """Store an event; the caller holds the transaction."""
    storage.ensure(_SCHEMA)
    connection = storage.connect()
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    connection.execute(
        "INSERT INTO own_outbox (id, type, at, detail, published) VALUES (?, ?, ?, ?, 0)",
        (str(uuid.uuid4()), kind, at, json.dumps(detail)),
    )


def flush() -> int:
    """Publish what is stored, in order; how many events. Raises aws.AwsError."""
    storage.ensure(_SCHEMA)
    connection = storage.connect()
    sent = 0
    while rows := connection.execute(
        "SELECT number, id, type, at, detail FROM own_outbox WHERE NOT published "
        "ORDER BY number LIMIT ?",
        (_BATCH,),
    ).fetchall():
        answer = aws.call("events", "PutEvents", {"Entries": [_entry(*row[1:]) for row in rows]})
        if answer.get("FailedEntryCount"):
            raise aws.AwsError("events", 200, json.dumps(answer)[:300])
        numbers = json.dumps([row[0] for row in rows])
        connection.execute(
            "UPDATE own_outbox SET published = 1 WHERE number IN (SELECT value FROM json_each(?))",
            (numbers,),
        )
        sent += len(rows)
    return sent


def try_flush() -> None:
    """Publish now if that is possible; else the relay does. Without a bus, nobody is told."""
    if not os.environ.get("EVENT_BUS") or storage.connect().in_transaction:
        return  # inside a transaction: whoever holds it publishes after
    try:
        flush()
    except aws.AwsError as error:
        print(f"events wait for the relay: {error}", file=sys.stderr)  # noqa: T201 - the log


def _entry(number: str, kind: str, at: str, detail: str) -> dict[str, Any]:
    whole = {"id": number, "at": at, "data": json.loads(detail)}
    return {
        "EventBusName": os.environ["EVENT_BUS"],
        "Source": "wayfarer",
        "DetailType": kind,
        "Detail": json.dumps(whole),
    }


def relay(event: dict[str, Any], context: Any) -> dict[str, int]:
    """The scheduled function that publishes what was left."""
    return {"published": flush() if os.environ.get("EVENT_BUS") else 0}
