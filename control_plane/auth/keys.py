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
from enum import StrEnum

_PATTERN = re.compile(r"fgw_([a-z0-9]{8})_([A-Za-z0-9]{32,128})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Role(StrEnum):
    """What a key may do. Each of the first three may all that the one before it may."""

    VIEWER = "viewer"
    """Sees everything but keys."""
    OPERATOR = "operator"
    """Changes the table: routes, flips, kill switch."""
    ADMIN = "admin"
    """Also keys."""
    PROXY = "proxy"
    """For machines: reads the table, acknowledges, reports. Nothing else."""

    def may(self, needed: Role) -> bool:
        """Does this role include `needed`?"""
        if needed is Role.PROXY:
            return self in (Role.PROXY, Role.ADMIN)
        if self is Role.PROXY:
            return False
        return _RANK[self] >= _RANK[needed]


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


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
