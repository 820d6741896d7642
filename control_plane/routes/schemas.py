"""What the endpoints of items take and give."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Body
from pydantic import BaseModel, BeforeValidator, Field, StrictInt

from control_plane.http.described import Described
from control_plane.http.limits import MAX_FIELDS, ReasonField
from figway.model.share import basis_points
from figway.model.table import BreakerForce, Stage

T = TypeVar("T")

Patch = Annotated[
    dict[str, Any], Body(media_type="application/merge-patch+json", max_length=MAX_FIELDS)
]


class ItemOut(Described, BaseModel, Generic[T]):
    """An item of the current table."""

    item: T
    etag: str
    """For If-Match."""
    revision: int
    """The revision that last wrote it."""


class Expected(BaseModel, extra="forbid"):
    """Where the caller believes a route to stand."""

    stage: Stage | None = None
    weight: StrictInt | None = None


def _points(value: object) -> object:
    return basis_points(value) if isinstance(value, str) else value


Weight = Annotated[
    StrictInt,
    BeforeValidator(_points),
    Field(description="Basis points, 0 to 10 000; `25%` as a text is taken as well."),
]


class FlipIn(Described, BaseModel, extra="forbid"):
    """A flip: another stage, another weight, or both. A weight alone means stage canary."""

    stage: Stage | None = None
    weight: Weight | None = None
    """Share of sticky keys that new serves, in basis points: 0 to 10 000."""
    reason: ReasonField
    """Why; kept in the revision and the audit log."""
    expected: Expected | None = None
    """Refuse with 409 unless the route stands here."""


class BreakerForceIn(Described, BaseModel, extra="forbid"):
    """An operator's override of a breaker."""

    force: BreakerForce
    """`open`: new is not called. `closed`: failures do not open it. `none`: it decides itself."""
    reason: ReasonField
