"""Lists in pages, in legacy's envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from new_services.functions.vendor.http import Request, Response, as_json, bad_request, now

_SIZE = 20
_MOST = 100
_LAST = 1_000_000


def page(
    request: Request,
    total: int,
    items: Callable[[int, int], list[dict[str, Any]]],
    bounds: tuple[int, int],
) -> Response:
    """Answer one page; `items(limit, offset)` gives its contents."""
    number, size = bounds
    pages = -(-total // size)
    return as_json(
        200,
        {
            "items": items(size, (number - 1) * size),
            "page": number,
            "size": size,
            "total": total,
            "pages": pages,
            "next": _next(request, number + 1) if number < pages else None,
            "generated_at": now(),
            "request_id": request.id,
        },
    )


def bounds(request: Request) -> tuple[int, int]:
    """Page and size as asked for. Raises ApiError (400)."""
    query = request.query()
    return (
        whole(query.get("page"), "page", 1, _LAST),
        whole(query.get("size"), "size", _SIZE, _MOST),
    )


def whole(text: str | None, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 1. Raises ApiError (400)."""
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0
    if not 1 <= value <= most:
        raise bad_request(f"{name} must be from 1 to {most}.", name)
    return value


def _next(request: Request, number: int) -> str:
    pairs = [(k, v) for k, v in parse_qsl(request.raw_query, True) if k != "page"]
    return f"{request.path}?{urlencode([*pairs, ('page', str(number))])}"
