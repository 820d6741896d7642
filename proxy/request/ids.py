"""New identities and trace parents (W3C Trace Context)."""

from __future__ import annotations

import os


class TraceParents:
    """Fresh W3C traceparent values, cheaply: random bytes are taken from the system in bulk."""

    __slots__ = ("_at", "_digits")

    def __init__(self) -> None:
        self._digits = b""
        self._at = 0

    def fresh(self) -> bytes:
        """A new trace with a new parent, flagged as sampled."""
        at = self._at
        if at + 48 > len(self._digits):
            self._digits = os.urandom(4_800).hex().encode()
            at = 0
        self._at = at + 48
        digits = self._digits
        return b"00-%b-%b-01" % (digits[at : at + 32], digits[at + 32 : at + 48])


def fresh_id() -> bytes:
    """A new identity for the cookie of a split: 128 random bits in hexadecimal."""
    return os.urandom(16).hex().encode()
