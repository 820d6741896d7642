"""What every change answers: the revision, what differs, how to undo it, and who serves it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel

from control_plane.fleet.schemas import Propagation
from control_plane.fleet.service import FleetService
from control_plane.http.described import Described
from control_plane.http.limits import PLAIN_TEXT
from control_plane.http.problems import FindingOut
from control_plane.publishing.service import Published
from figway.model.change import FieldChange

Reason = Annotated[
    str,
    Query(
        max_length=500,
        pattern=PLAIN_TEXT,
        description="Why; kept in the revision and the audit log.",
    ),
]
Wait = Annotated[
    Literal["applied"] | None,
    Query(description="`applied`: answer when every live proxy serves the revision."),
]
Timeout = Annotated[float, Query(ge=0, le=60, description="Seconds to wait at most.")]


class FieldChangeOut(Described, BaseModel):
    """One field that a change alters; null stands for absent or default."""

    kind: str
    id: str
    path: str
    """Empty for an item that was added or deleted whole."""
    before: Any
    after: Any
    text: str
    """`route orders: weight 1% -> 25%`"""


class Undo(Described, BaseModel):
    """How to take the change back."""

    method: str
    path: str
    cli: str


class Changed(Described, BaseModel):
    """What came of a change."""

    changed: bool
    """False: nothing differed, and no revision was made."""
    revision: int
    """The revision that holds it: the new one, or the current one when nothing differed."""
    etag: str
    """ETag of the item that was changed, for the next If-Match; of the table, where the change is
    not of one item. Empty for an item that was deleted."""
    table_etag: str
    """ETag of the table."""
    changes: list[FieldChangeOut]
    more_changes: int = 0
    """Changed fields beyond the 1 000 that `changes` lists."""
    warnings: list[FindingOut]
    """Worth a look, but no reason to refuse."""
    undo: Undo | None
    propagation: Propagation | None = None
    """With `wait=applied`: which proxies serve it."""


_MOST_SHOWN = 1_000


def shown(described: Iterable[FieldChange]) -> list[FieldChangeOut]:
    """Field changes as the API shows them."""
    return [
        FieldChangeOut(
            kind=entry.kind.value,
            id=entry.id,
            path=entry.path,
            before=entry.before,
            after=entry.after,
            text=str(entry),
        )
        for entry in described
    ]


async def changed(
    fleet: FleetService, published: Published, wait: str | None, timeout: float, etag: str
) -> Changed:
    """The answer to a change, after waiting for the proxies if that was asked for."""
    number = published.after.revision
    undo = Undo(method="POST", path=f"/api/v1/revisions/{number}/undo", cli=f"figway undo {number}")
    result = Changed(
        changed=published.changed,
        revision=number,
        etag=etag,
        table_etag=published.after.etag,
        changes=shown(published.described[:_MOST_SHOWN]),
        more_changes=max(0, len(published.described) - _MOST_SHOWN),
        warnings=published.warnings,
        undo=undo if published.changed else None,
    )
    if wait is not None:
        result.propagation = await fleet.wait(published.after, timeout)
    return result
