"""The kill switch as the API takes and shows it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from control_plane.fleet.schemas import Propagation
from control_plane.http.described import Described
from control_plane.http.limits import ReasonField


class KillIn(Described, BaseModel, extra="forbid"):
    """Press the switch."""

    on: StrictBool
    """True sends everything to legacy."""
    reason: ReasonField
    expected: Annotated[int, Field(ge=0, lt=2**63, strict=True)] | None = None
    """The newest press that you know (`number`). With a newer one nothing is done, and the answer
    is 409: a release that arrives late undoes no press that was made meanwhile."""


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
    doubt: str = ""
    """What this control plane does not know of presses at others, while the database does not
    answer it; empty where it knows."""


class KillChanged(KillOut):
    """What came of a press."""

    changed: bool
    """False: it stood like this before."""
    propagation: Propagation | None = None
    """With `wait=applied`: which proxies do it."""
