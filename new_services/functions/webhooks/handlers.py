"""`POST /webhooks/payments`: verified, told apart from its repetitions, enqueued, answered fast.

Source: Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature: `v1,` and base64 of
HMAC-SHA256 over `id.timestamp.body`, several with spaces between; five minutes of tolerance).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from typing import Any

from new_services.functions.vendor import queues, storage
from new_services.functions.vendor.http import (
    ApiError,
    Request,
    Response,
    bad_request,
    handler,
)

_TOLERANCE = 300
_SCHEMA = """
CREATE TABLE IF NOT EXISTS webhooks (id TEXT PRIMARY KEY, at INTEGER, enqueued INTEGER);
CREATE TABLE IF NOT EXISTS settled (id TEXT PRIMARY KEY, booking TEXT, runs INTEGER);
"""


@handler("POST")
def receive(request: Request) -> Response:
    """POST /webhooks/payments"""
    number = verify(request, os.environ.get("WEBHOOK_SECRET", ""), time.time())
    body = request.json()
    storage.ensure(_SCHEMA)
    # Enqueued inside the transaction: what is known as received has reached the queue.
    with storage.writing() as connection:
        known = storage.count("SELECT count(*) FROM webhooks WHERE id = ?", number)
        if not known:
            queues.send("payments", {"id": number, "event": body})
            connection.execute("INSERT INTO webhooks VALUES (?, ?, 1)", (number, int(time.time())))
    return Response(204)


def verify(request: Request, secret: str, now: float) -> str:
    """The id of a webhook that is genuine and fresh. Raises ApiError (400, 401)."""
    fields = [
        request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    ]
    number, stamp, signatures = fields
    if not (number and stamp.isascii() and stamp.isdecimal() and signatures):
        raise bad_request("webhook-id, webhook-timestamp and webhook-signature are needed.")
    if not any(_genuine(request, secret, one) for one in signatures.split(" ")):
        raise ApiError(401, "forged", "The signature is not ours.")
    if abs(now - int(stamp)) > _TOLERANCE:
        raise ApiError(401, "stale", "The webhook is not from these five minutes.")
    return number


def _genuine(request: Request, secret: str, signature: str) -> bool:
    version, _, encoded = signature.partition(",")
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    expected = hmac.new(key, signed + request.body, hashlib.sha256).digest()
    return bool(key) and version == "v1" and hmac.compare_digest(expected, given)


def work(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Settle the payments of a batch, each once."""
    storage.ensure(_SCHEMA)
    return queues.each(event, _settle)


def _settle(message: dict[str, Any]) -> None:
    booking = message["event"].get("data", {}).get("id", "")
    storage.connect().execute(
        "INSERT INTO settled VALUES (?, ?, 1) ON CONFLICT (id) DO UPDATE SET runs = runs + 1",
        (message["id"], booking),
    )


def settled(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every webhook that was worked off. Invoked directly."""
    storage.ensure(_SCHEMA)
    rows = storage.connect().execute("SELECT id, booking, runs FROM settled ORDER BY rowid")
    return {"items": json.loads(json.dumps([list(row) for row in rows]))}
