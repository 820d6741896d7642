"""Revisions as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described
from control_plane.http.limits import PLAIN_TEXT
from control_plane.publishing.changed import FieldChangeOut


class RevisionOut(Described, BaseModel):
    """A numbered table, in a list."""

    revision: int
    etag: str
    base_etag: str
    """ETag of the table before."""
    actor: str
    reason: str
    source: str
    """What it was made with: `api`, `cli`, `console`, ..."""
    created_ms: int
    summary: list[str]
    """What it did, in at most twenty lines."""
    undoes: int | None = None
    """The revision that it takes back, for an undo or a redo."""


class RevisionDetail(RevisionOut):
    """A numbered table, with every field that it changed."""

    changes: list[FieldChangeOut]


class DiffOut(Described, BaseModel):
    """What differs between two tables."""

    from_revision: int
    to_revision: int
    changes: list[FieldChangeOut]
    more_changes: int = 0
    """Differing fields beyond the 10 000 that `changes` lists."""


class UndoIn(Described, BaseModel, extra="forbid"):
    """An undo."""

    reason: Annotated[str, Field(max_length=500, pattern=PLAIN_TEXT)] = ""
    force: StrictBool = False
    """Also when what the revision changed was changed again since: those later changes are lost."""
    expected: Annotated[int | None, Field(ge=0, lt=2**63, strict=True)] = None
    """For undo and redo without a number: the revision that the caller was shown as the next."""


class UndoStepOut(Described, BaseModel):
    """A revision that undo or redo would take back."""

    revision: int
    summary: list[str]
    """What it did."""
    actor: str
    reason: str


class UndoStepsOut(Described, BaseModel):
    """What comes next, either way; null where there is nothing."""

    undo: UndoStepOut | None
    """The newest change that stands."""
    redo: UndoStepOut | None
    """The newest undo, for as long as nothing else was changed since."""
