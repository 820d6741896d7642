"""API keys as values: `fgw_<prefix>_<secret>`.

The prefix names a key in lists and logs; the secret has 192 random bits. A secret of that size
cannot be guessed or looked up in a dictionary, so one round of SHA-256 protects it as well as a
slow hash would, and a check costs microseconds.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

_PATTERN = re.compile(r"fgw_([a-z0-9]{8})_([A-Za-z0-9]{32,128})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key with its secret, as it is given to its owner once."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"fgw_{self.prefix}_{self.secret}"

    @property
    def hash(self) -> str:
        """What is stored of it."""
        return hashlib.sha256(str(self).encode()).hexdigest()


def generate() -> ApiKey:
    """A new key."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return ApiKey(prefix, secrets.token_hex(24))


def parse(text: str) -> ApiKey | None:
    """The key that `text` spells; None if it is none."""
    found = _PATTERN.fullmatch(text)
    return ApiKey(found[1], found[2]) if found else None
