"""`POST /rpc`: JSON-RPC 2.0. Source: the JSON-RPC 2.0 specification (jsonrpc.org).

The shop's own errors are 404, 409 and 422, outside of what the specification keeps for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import JSON_TYPE, ApiError, invalid, packed
from legacy_stub.bookings import booking_number
from legacy_stub.clock import fine_stamp, stamp
from legacy_stub.operations import knob
from legacy_stub.shop import Shop, shop_of

_BODY_LIMIT = 1 << 20
_BATCH_LIMIT = 100

_Params = Mapping[str, object]
_Json = dict[str, object]


class RpcError(Exception):
    """An error of the protocol or of a method."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


async def call(request: Request) -> Response:
    """`POST /rpc`: one call, or a batch of up to 100."""
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise ApiError(413, "too_large", "The body is above 1 MiB.")
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _json(request, _failure(None, RpcError(-32700, "Parse error")))
    if not isinstance(asked, list):
        done = _one(request, asked)
        return _json(request, done) if done is not None else Response(status_code=204)
    if not 1 <= len(asked) <= _BATCH_LIMIT:
        return _json(request, _failure(None, RpcError(-32600, "Invalid Request")))
    answers = [done for one in asked if (done := _one(request, one)) is not None]
    return _json(request, answers) if answers else Response(status_code=204)


def _json(request: Request, answer: object) -> Response:
    return packed(request, orjson.dumps(answer), JSON_TYPE)


def _one(request: Request, asked: object) -> _Json | None:
    """The answer to one call; None to a notification."""
    if not _well_formed(asked):
        return _failure(None, RpcError(-32600, "Invalid Request"))
    call = cast(_Json, asked)
    try:
        result = _run(request, cast(str, call["method"]), call.get("params", {}))
    except RpcError as error:
        return _failure(call["id"], error) if "id" in call else None
    if "id" not in call:
        return None
    stamps = {"generated_at": fine_stamp(), "request_id": request.scope["request_id"]}
    return {"jsonrpc": "2.0", "result": {**result, **stamps}, "id": call["id"]}


def _well_formed(asked: object) -> bool:
    return (
        isinstance(asked, dict)
        and asked.get("jsonrpc") == "2.0"
        and isinstance(asked.get("method"), str)
        and isinstance(asked.get("params", {}), dict | list)
        and isinstance(asked.get("id"), str | int | float | None)
        and not isinstance(asked.get("id"), bool)
    )


def _failure(number: object, error: RpcError) -> _Json:
    described: _Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        described["data"] = error.data
    return {"jsonrpc": "2.0", "error": described, "id": number}


def _run(request: Request, name: str, params: object) -> _Json:
    method = _METHODS.get(name)
    if method is None:
        raise RpcError(-32601, "Method not found")
    if not isinstance(params, dict):
        raise RpcError(-32602, "Invalid params", {"reason": "Parameters are given by name."})
    shop = shop_of(request)
    shop.counters.operations[f"jsonrpc {name}"] += 1
    _fail(request, after=False)
    try:
        done = method(shop, params)
    except ApiError as error:
        raise _own(error) from error
    _fail(request, after=True)
    return done


def _fail(request: Request, *, after: bool) -> None:
    if knob.fails(request, after=after):
        raise RpcError(-32603, "Internal error", {"reason": knob.MESSAGE})


def _own(error: ApiError) -> RpcError:
    data = {"code": error.code, "field": error.field}
    if error.status == 400:
        return RpcError(-32602, "Invalid params", {**data, "reason": error.message})
    return RpcError(error.status, error.message, data)


def _get(shop: Shop, params: _Params) -> _Json:
    name = params.get("id")
    if not isinstance(name, str):
        raise ApiError(400, "bad_request", "id must be text.", "id")
    return shop.bookings.get(booking_number(name))


def _list(shop: Shop, params: _Params) -> _Json:
    user = params.get("user_id")
    if user is not None and type(user) is not int:
        raise ApiError(400, "bad_request", "user_id must be a whole number.", "user_id")
    page, size = _count(params, "page", 1, 1_000_000), _count(params, "size", 20, 100)
    items, total = shop.bookings.page(user, page, size)
    return {"items": items, "page": page, "size": size, "total": total}


def _count(params: _Params, name: str, default: int, high: int) -> int:
    value = params.get(name, default)
    if type(value) is not int or not 1 <= value <= high:
        raise ApiError(400, "bad_request", f"{name} must be from 1 to {high}.", name)
    return value


def _create(shop: Shop, params: _Params) -> _Json:
    if not params:
        raise invalid("user_id", "user_id must be given.")
    with shop.db.transaction():
        return shop.bookings.add(params, stamp())


_METHODS: dict[str, Callable[[Shop, _Params], _Json]] = {
    "booking.get": _get,
    "booking.list": _list,
    "booking.create": _create,
}
