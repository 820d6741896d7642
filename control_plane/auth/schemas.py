"""Keys as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from control_plane.auth.roles import Role
from control_plane.http.described import Described
from control_plane.http.limits import PLAIN_TEXT


class KeyIn(Described, BaseModel, extra="forbid"):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN_TEXT)]
    """Whose it is; stands in the audit log."""
    role: Role
    expires_in_days: Annotated[int | None, Field(ge=1, le=3_650, strict=True)] = None
    """Never, when absent."""
    reason: Annotated[str, Field(max_length=500, pattern=PLAIN_TEXT)] = ""


class KeyOut(Described, BaseModel):
    """A key, without its secret."""

    prefix: str
    """Names the key; the part between the underscores."""
    name: str
    role: Role
    created_ms: int
    created_by: str
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None
    """To the minute."""


class KeyMade(KeyOut):
    """A new key."""

    key: str
    """The key itself, shown this one time; only its hash is stored."""


class Me(BaseModel):
    """Who is asking."""

    name: str
    prefix: str
    role: Role


class SessionOut(Described, BaseModel):
    """A console session."""

    id: str
    """Names it here; gives access to nothing."""
    name: str
    prefix: str
    """Prefix of the key that it was begun with; empty for a one-time link."""
    role: Role
    address: str
    created_ms: int
    expires_ms: int
