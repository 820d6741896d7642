"""booking.get of `POST /rpc` (JSON-RPC 2.0)."""

from __future__ import annotations

import json
from typing import Any

from new_services.differences import enabled
from new_services.functions.bookings import service
from new_services.functions.vendor.http import (
    ApiError,
    Request,
    Response,
    as_json,
    bad_request,
    handler,
    now,
)

_MOST = 100


class RpcError(Exception):
    """An error of the protocol."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@handler("POST")
def get_booking(request: Request) -> Response:
    """POST /rpc, method booking.get: one call, or a batch of them"""
    try:
        asked = json.loads(request.body)
    except ValueError:
        return as_json(200, _failure(None, RpcError(-32700, "Parse error")))
    if not isinstance(asked, list):
        done = _one(request, asked)
        return Response(204) if done is None else as_json(200, done)
    if not 1 <= len(asked) <= _MOST:
        return as_json(200, _failure(None, RpcError(-32600, "Invalid Request")))
    answers = [done for one in asked if (done := _one(request, one)) is not None]
    return as_json(200, answers) if answers else Response(204)


def _one(request: Request, asked: Any) -> dict[str, Any] | None:
    if not _well_formed(asked):
        return _failure(None, RpcError(-32600, "Invalid Request"))
    try:
        result = _run(asked["method"], asked.get("params", {}))
    except RpcError as error:
        return _failure(asked["id"], error) if "id" in asked else None
    if "id" not in asked:
        return None
    stamped = {**result, "generated_at": now(), "request_id": request.id}
    return {"jsonrpc": "2.0", "result": stamped, "id": asked["id"]}


def _well_formed(asked: Any) -> bool:
    return (
        isinstance(asked, dict)
        and asked.get("jsonrpc") == "2.0"
        and isinstance(asked.get("method"), str)
        and isinstance(asked.get("params", {}), dict | list)
        and isinstance(asked.get("id"), str | int | float | None)
        and not isinstance(asked.get("id"), bool)
    )


def _run(method: str, params: Any) -> dict[str, Any]:
    if method != "booking.get":
        raise RpcError(-32601, "Method not found")
    if not isinstance(params, dict):
        raise RpcError(-32602, "Invalid params", {"reason": "Parameters are given by name."})
    try:
        if not isinstance(params.get("id"), str):
            raise bad_request("id must be text.", "id")
        booking = service.get(params["id"])
    except ApiError as error:
        raise _own(error) from error
    if enabled("rpc-guests-type"):
        booking["guests"] = str(booking["guests"])
    return booking


def _own(error: ApiError) -> RpcError:
    data = {"code": error.code, "field": error.field}
    if error.status == 400:
        return RpcError(-32602, "Invalid params", {**data, "reason": error.message})
    return RpcError(error.status, error.message, data)


def _failure(number: Any, error: RpcError) -> dict[str, Any]:
    described = {"code": error.code, "message": error.message}
    if error.data is not None:
        described["data"] = error.data
    return {"jsonrpc": "2.0", "error": described, "id": number}
