"""Revisions as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from control_plane.publishing.changed import FieldChangeOut


class RevisionOut(BaseModel, use_attribute_docstrings=True):
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


class RevisionDetail(RevisionOut):
    """A numbered table, with every field that it changed."""

    changes: list[FieldChangeOut]


class DiffOut(BaseModel, use_attribute_docstrings=True):
    """What differs between two tables."""

    from_revision: int
    to_revision: int
    changes: list[FieldChangeOut]
    more_changes: int = 0
    """Differing fields beyond the 10 000 that `changes` lists."""


class UndoIn(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """An undo."""

    reason: Annotated[str, Field(max_length=500)] = ""
    force: StrictBool = False
    """Also when what the revision changed was changed again since: those later changes are lost."""
