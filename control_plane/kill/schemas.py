"""The kill switch as the API takes and shows it."""

from __future__ import annotations

from pydantic import BaseModel, StrictBool

from control_plane.fleet.schemas import Propagation
from control_plane.http.described import Described
from control_plane.http.limits import ReasonField


class KillIn(Described, BaseModel, extra="forbid"):
    """Press the switch."""

    on: StrictBool
    """True sends everything to legacy."""
    reason: ReasonField


class KillOut(Described, BaseModel):
    """Where the switch stands. What the proxies do says `GET /fleet`."""

    on: bool
    number: int
    """Goes up with every press."""
    changed_ms: int
    """0 while it was never pressed."""
    actor: str
    reason: str
    stored: bool = True
    """False: in force from the memory of this control plane, as the database does not answer. It is
    stored as soon as that does."""


class KillChanged(KillOut):
    """What came of a press."""

    changed: bool
    """False: it stood like this before."""
    propagation: Propagation | None = None
    """With `wait=applied`: which proxies do it."""
