"""A message to a webhook, signed as Standard Webhooks say (specification 1.0.0): HMAC-SHA256 over
`id.timestamp.body`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

_SECRET_BYTES = 32
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What is sent."""

    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    """A secret of 256 random bits, in the form of Standard Webhooks."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    found = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(found).decode()


def signed(
    keys: Sequence[str],
    message_id: str,
    timestamp: int,
    body: bytes,
    kind: str = "application/json",
) -> SignedMessage:
    """A body with the headers of Standard Webhooks: one signature for each secret, so that a
    receiver may change over while both are in use."""
    signatures = " ".join(signature(key, message_id, timestamp, body) for key in keys)
    return SignedMessage(
        {
            "content-type": kind,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures,
            "user-agent": "figway",
        },
        body,
    )
