"""Lists by the page: a cursor says where the last page ended, so that nothing shifts in between."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from control_plane.http.described import Described
from control_plane.http.problems import invalid

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1_000, description="Most items on a page.")]
Cursor = Annotated[
    str, Query(max_length=1_000, description="`next` of the page before; empty for the first.")
]

Only = Annotated[str, Query(max_length=200, description="Only what is equal to this.")]


class Page(Described, BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = None
    """Cursor of the next page; null on the last."""


def encode(key: Any) -> str:
    """A cursor for a sort key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode(cursor: str, kind: type[T]) -> T | None:
    """The sort key of a cursor; None for the first page. Raises `ApiProblem`."""
    if not cursor:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, kind) or isinstance(key, bool):
        raise invalid("cursor", "this is not a cursor of this list")
    if isinstance(key, int) and not 0 <= key < 2**63:
        raise invalid("cursor", "this is not a cursor of this list")
    return key


def cut(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """A page of `limit` out of the `limit` + 1 rows that were asked for, and its cursor."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, encode(key(page[-1]))
