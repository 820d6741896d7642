"""Reading items out of the current table; no database is asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TypeVar, cast

from fastapi import Response

from control_plane.http import paging
from control_plane.http.paging import Page
from control_plane.http.preconditions import quoted
from control_plane.http.problems import not_found
from control_plane.routes.schemas import ItemOut
from control_plane.services import Services
from figway.model import change
from figway.model.backend import Backend
from figway.model.change import Kind
from figway.model.table import Capability, Route

T = TypeVar("T", Backend, Capability, Route)


def listed(
    services: Services,
    kind: Kind,
    cls: type[T],
    limit: int,
    cursor: str,
    matches: Callable[[T], bool] | None = None,
) -> Page[ItemOut[T]]:
    """A page of items by id."""
    found = change.items(services.state.current.table, kind)
    ids = sorted(found)
    after = paging.decode(cursor, str)
    start = 0 if after is None else bisect_right(ids, after)
    page: list[str] = []
    for item_id in ids[start:]:
        if matches is None or matches(cast(T, found[item_id])):
            page.append(item_id)
            if len(page) > limit:
                break
    chosen, following = paging.cut(page, limit, str)
    return Page(items=[_out(services, kind, cls, item_id) for item_id in chosen], next=following)


def item_answer(
    services: Services, kind: Kind, cls: type[T], item_id: str, response: Response
) -> T:
    """One item, with its ETag in the header. Raises `ApiProblem` 404."""
    stored = services.state.stored(kind, item_id)
    if stored is None:
        raise not_found(kind.value, item_id)
    response.headers["ETag"] = quoted(stored.etag)
    response.headers["Figway-Revision"] = str(stored.revision)
    return cast(T, stored.item)


def _out(services: Services, kind: Kind, cls: type[T], item_id: str) -> ItemOut[T]:
    stored = services.state.stored(kind, item_id)
    if stored is None:
        raise not_found(kind.value, item_id)
    item = cast(T, stored.item)
    return ItemOut[cls].model_construct(  # type: ignore[valid-type]
        item=item, etag=stored.etag, revision=stored.revision
    )
