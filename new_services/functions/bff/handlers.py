"""`GET /api/me/trips/{id}`: four services asked in parallel, and whoever is late is left out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from new_services.functions.vendor import aws
from new_services.functions.vendor.http import Request, Response, handler, not_found, single
from new_services.functions.vendor.identity import user_of

_PARTS = ("user", "booking", "hotel", "availability")
_THREADS = ThreadPoolExecutor(8)
_MOBILE: Mapping[str, tuple[str, ...]] = {
    "user": ("name",),
    "booking": ("id", "from", "to", "room", "status", "balance"),
    "hotel": ("name", "photo", "address"),
    "availability": ("available",),
}
"""What fits on a small screen; the web gets all of it."""


class _Gone(Exception):
    """A service says that there is no such thing."""


@handler("GET", "HEAD")
def get_trip(request: Request) -> Response:
    """GET /api/me/trips/{id}, with `X-Client: mobile` or `web`"""
    until = time.monotonic() + int(os.environ.get("DEADLINE_MS", "800")) / 1000
    user, name = user_of(request), request.segment(3)
    found = _gathered(user, name, until)
    booking = found.get("booking")
    if booking is not None and booking["user_id"] != user:
        raise not_found("trip")
    shown = _small(found) if request.headers.get("x-client") == "mobile" else found
    data = {part: shown.get(part) for part in _PARTS}
    answer = single(request, {**data, "missing": [part for part in _PARTS if part not in found]})
    answer.vary("X-Client")
    return answer


def _gathered(user: int, name: str, until: float) -> dict[str, Any]:
    """What came in time. The hotel is asked for as soon as the booking tells which it is."""
    asked = {
        "user": _ask("users-get", f"/api/users/{user}", until),
        "booking": _ask("bookings-get", f"/api/bookings/{quote(name, safe='')}", until),
    }
    try:
        booking = _result(asked["booking"], until)
    except _Gone:
        raise not_found("trip") from None
    if booking is not None:
        hotel = f"/api/catalogue/{booking['hotel_id']}"
        days = f"from={booking['from']}&to={booking['to']}"
        asked["hotel"] = _ask("catalogue-hotel", hotel, until)
        asked["availability"] = _ask("catalogue-availability", f"{hotel}/availability", until, days)
    return {part: got for part, one in asked.items() if (got := _quiet(one, until)) is not None}


def _quiet(asked: Future[dict[str, Any]], until: float) -> dict[str, Any] | None:
    try:
        return _result(asked, until)
    except _Gone:
        return None


def _result(asked: Future[dict[str, Any]], until: float) -> dict[str, Any] | None:
    """An answer that comes in time; None when it fails or is late. Raises _Gone."""
    try:
        return asked.result(max(0.0, until - time.monotonic()))
    except (TimeoutError, aws.AwsError, aws.FunctionFailed):
        return None


def _ask(function: str, path: str, until: float, query: str = "") -> Future[dict[str, Any]]:
    return _THREADS.submit(_invoked, function, path, query, until)


def _invoked(function: str, path: str, query: str, until: float) -> dict[str, Any]:
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"accept": "application/json"},
        "requestContext": {"http": {"method": "GET", "path": path}},
        "isBase64Encoded": False,
    }
    answer = aws.invoke(function, event, timeout=max(0.01, until - time.monotonic()))
    if answer["statusCode"] in (404, 410):
        raise _Gone
    if answer["statusCode"] != 200:
        raise aws.AwsError(function, answer["statusCode"], "no use")
    body: dict[str, Any] = json.loads(answer["body"])
    return {k: v for k, v in body.items() if k not in ("generated_at", "request_id")}


def _small(found: Mapping[str, Any]) -> dict[str, Any]:
    return {part: {k: whole[k] for k in _MOBILE[part]} for part, whole in found.items()}
