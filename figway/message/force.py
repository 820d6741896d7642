"""A tester's wish for a side: signed and expiring, so that nobody else can send one.

The token is `side.expires.signature`, with `expires` in seconds since the epoch and the
signature an HMAC-SHA-256 in hexadecimal. It travels in the header `Figway-Side` or the cookie
`figway_side`, and never reaches a backend.
"""

from __future__ import annotations

import hashlib
import hmac

from figway.model.words import Side

HEADER = b"figway-side"
COOKIE = b"figway_side"


def sign(side: Side, expires: int, secret: bytes) -> str:
    """A token that forces `side` until `expires` (seconds since the epoch)."""
    text = f"{side.value}.{expires}"
    return f"{text}.{_signature(text.encode(), secret)}"


def verify(token: bytes, now: int, secret: bytes) -> Side | None:
    """The side that `token` forces at `now`; None if it is forged, expired or malformed."""
    if not secret or len(token) > 200:
        return None
    text, _, signature = token.rpartition(b".")
    side, _, expires = text.partition(b".")
    if not expires.isdigit() or side not in (b"legacy", b"new"):
        return None
    expected = _signature(text, secret).encode()
    if not hmac.compare_digest(expected, signature) or int(expires) < now:
        return None
    return Side(side.decode())


def _signature(text: bytes, secret: bytes) -> str:
    return hmac.new(secret, b"figway-side:" + text, hashlib.sha256).hexdigest()
