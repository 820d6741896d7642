"""Answers of the old shop: JSON with a stamp, errors, pages, gzip where it is accepted."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.clock import fine_stamp

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"

# Smaller answers are not worth the work of gzip.
_GZIP_FROM = 512
_BODY_LIMIT = 1 << 20


class ApiError(Exception):
    """An error that the JSON API answers with."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def not_found(what: str) -> ApiError:
    """404 for a thing that does not exist."""
    return ApiError(404, "not_found", f"No such {what}.")


def invalid(field: str, message: str) -> ApiError:
    """422 that names the culprit."""
    return ApiError(422, "invalid", message, field)


def error_body(error: ApiError, request_id: str) -> bytes:
    """The body of an error."""
    described = {"code": error.code, "message": error.message, "field": error.field}
    return orjson.dumps({"error": described, "request_id": request_id})


def packed(
    request: Request,
    body: bytes,
    content_type: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A whole answer, compressed if the client takes it and it is worth it."""
    extra = {"content-type": content_type, "vary": "Accept-Encoding", **(headers or {})}
    if len(body) >= _GZIP_FROM and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, 6, mtime=0)
        extra["content-encoding"] = "gzip"
    return Response(body, status, extra)


def _takes_gzip(accept: str) -> bool:
    for part in accept.lower().split(","):
        coding, _, parameter = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def stamped(request: Request, data: Mapping[str, object]) -> bytes:
    """JSON of an object with the time and the request's id at its end."""
    stamps = {"generated_at": fine_stamp(), "request_id": request.scope["request_id"]}
    return orjson.dumps({**data, **stamps})


def answer(
    request: Request,
    data: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A stamped JSON answer."""
    return packed(request, stamped(request, data), JSON_TYPE, status, headers)


def paging(query: QueryParams) -> tuple[int, int]:
    """Page and size of a list. Raises `ApiError`."""
    return whole(query, "page", 1, 1, 1_000_000), whole(query, "size", 20, 1, 100)


def whole(query: QueryParams, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query. Raises `ApiError` (400) when it is none or out of range."""
    text = query.get(name, "")
    if not text:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
    if not low <= value <= high:
        raise ApiError(400, "bad_request", f"{name} must be from {low} to {high}.", name)
    return value


def listing(
    request: Request, items: Sequence[Mapping[str, object]], page: int, size: int, total: int
) -> Response:
    """The envelope that every list has."""
    pages = -(-total // size)
    following = None
    if page < pages:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "page"]
        following = f"{request.url.path}?{urlencode([*kept, ('page', str(page + 1))])}"
    counted = {"page": page, "size": size, "total": total, "pages": pages, "next": following}
    return answer(request, {"items": items, **counted})


async def json_object(request: Request) -> dict[str, object]:
    """The request's body. Raises `ApiError`: 413 above 1 MiB, 400 if it is no JSON object."""
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise ApiError(413, "too_large", "The body is above 1 MiB.")
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "bad_request", "The body is not JSON.") from error
    if not isinstance(data, dict):
        raise ApiError(400, "bad_request", "The body must be a JSON object.")
    return data


def number_in_path(request: Request, what: str) -> int:
    """The `{id}` of the path. Raises `ApiError` (404)."""
    text = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise not_found(what)
    return int(text)


def own_url(request: Request, path: str) -> str:
    """An absolute URL that names the shop's own host, as old applications like to."""
    internal = request.app.state.shop.settings.internal_host
    return f"http://{internal or request.headers.get('host', 'localhost')}{path}"
