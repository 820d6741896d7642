"""The JSON API: users, profiles, catalogue, bookings."""

from __future__ import annotations

import hashlib
import sqlite3
import uuid
from collections.abc import Callable, Mapping

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import (
    JSON_TYPE,
    ApiError,
    answer,
    invalid,
    json_object,
    listing,
    number_in_path,
    own_url,
    packed,
    paging,
    stamped,
    whole,
)
from legacy_stub.bookings import booking_number
from legacy_stub.clock import stamp
from legacy_stub.hotels import search_of, stay_of, summary_json
from legacy_stub.shop import Shop, shop_of

# What a write makes, and the path of the thing made.
_Made = tuple[dict[str, object], str]


async def list_users(request: Request) -> Response:
    """`GET /api/users`"""
    page, size = paging(request.query_params)
    items, total = shop_of(request).users.page(page, size)
    return listing(request, items, page, size, total)


async def get_user(request: Request) -> Response:
    """`GET /api/users/{id}`"""
    return answer(request, shop_of(request).users.get(number_in_path(request, "user")))


async def add_user(request: Request) -> Response:
    """`POST /api/users`"""
    body = await json_object(request)
    shop = shop_of(request)
    with shop.db.transaction():
        made = shop.users.add(body, stamp())
    return answer(request, made, 201, {"location": own_url(request, f"/api/users/{made['id']}")})


async def change_user(request: Request) -> Response:
    """`PATCH /api/users/{id}`"""
    user, body = number_in_path(request, "user"), await json_object(request)
    shop = shop_of(request)
    with shop.db.transaction():
        made = shop.users.change(user, body, stamp())
    return answer(request, made)


async def get_profile(request: Request) -> Response:
    """`GET /api/users/{id}/profile`"""
    return answer(request, shop_of(request).users.profile(number_in_path(request, "user")))


async def replace_profile(request: Request) -> Response:
    """`PUT /api/users/{id}/profile`"""
    user, body = number_in_path(request, "user"), await json_object(request)
    shop = shop_of(request)
    with shop.db.transaction():
        made = shop.users.replace_profile(user, body, stamp())
    return answer(request, made)


def _hotel_url(request: Request, hotel: object) -> dict[str, object]:
    return {"url": own_url(request, f"/hotels/{hotel}")}


def _summary(request: Request, row: sqlite3.Row) -> dict[str, object]:
    return {**summary_json(row), **_hotel_url(request, row["id"])}


async def search_catalogue(request: Request) -> Response:
    """`GET /api/catalogue`"""
    page, size = paging(request.query_params)
    rows, total = shop_of(request).hotels.search(search_of(request.query_params), page, size)
    return listing(request, [_summary(request, row) for row in rows], page, size, total)


async def find_in_catalogue(request: Request) -> Response:
    """`POST /api/catalogue/search`: the parameters of `GET /api/catalogue` as a JSON body."""
    body = await json_object(request)
    known = {"q", "city", "max_price", "page", "size", "sort"}
    for name, value in body.items():
        if name not in known or not isinstance(value, str | int) or isinstance(value, bool):
            raise ApiError(400, "bad_request", f"{name} cannot be searched for.", name)
    query = QueryParams({name: str(value) for name, value in body.items()})
    page, size = paging(query)
    rows, total = shop_of(request).hotels.search(search_of(query), page, size)
    items = [_summary(request, row) for row in rows]
    counted = {"page": page, "size": size, "total": total, "pages": -(-total // size)}
    return answer(request, {"items": items, **counted})


async def get_hotel(request: Request) -> Response:
    """`GET /api/catalogue/{id}`"""
    hotel = shop_of(request).hotels.published(number_in_path(request, "hotel"))
    tag = f'W/"hotel-{hotel["id"]}-{hotel["version"]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": tag, "vary": "Accept-Encoding"})
    summary = {name: hotel.pop(name) for name in _SUMMARY}
    whole_hotel = {**summary, **_hotel_url(request, summary["id"]), **hotel}
    return answer(request, whole_hotel, headers={"etag": tag})


_SUMMARY = (
    "id",
    "slug",
    "name",
    "city",
    "country",
    "stars",
    "rating",
    "reviews",
    "price",
    "amenities",
    "distance_km",
    "photo",
)


async def availability(request: Request) -> Response:
    """`GET /api/catalogue/{id}/availability`"""
    hotel = number_in_path(request, "hotel")
    first, last = stay_of(request.query_params)
    return answer(request, shop_of(request).hotels.availability(hotel, first, last))


async def list_bookings(request: Request) -> Response:
    """`GET /api/bookings`"""
    page, size = paging(request.query_params)
    user = whole(request.query_params, "user", 0, 1, 1 << 36) or None
    items, total = shop_of(request).bookings.page(user, page, size)
    return listing(request, items, page, size, total)


async def get_booking(request: Request) -> Response:
    """`GET /api/bookings/{id}`"""
    number = booking_number(request.path_params["id"])
    return answer(request, shop_of(request).bookings.get(number))


async def add_booking(request: Request) -> Response:
    """`POST /api/bookings`"""
    body = await json_object(request)
    shop = shop_of(request)

    def book() -> _Made:
        made = shop.bookings.add(body, stamp())
        return made, f"/api/bookings/{made['id']}"

    return _once(request, shop, body, book)


async def add_payment(request: Request) -> Response:
    """`POST /api/bookings/{id}/payments`"""
    number = booking_number(request.path_params["id"])
    body = await json_object(request)
    shop = shop_of(request)

    def pay() -> _Made:
        made = shop.bookings.pay(number, body, str(uuid.uuid4()), stamp())
        shop.webhooks.tell("payment.received", made)
        return made, f"/api/bookings/{made['booking_id']}"

    return _once(request, shop, body, pay)


async def cancel_booking(request: Request) -> Response:
    """`DELETE /api/bookings/{id}`"""
    number = booking_number(request.path_params["id"])
    shop = shop_of(request)
    with shop.db.transaction():
        shop.bookings.cancel(number, stamp())
    return Response(status_code=204)


async def preflight(request: Request) -> Response:
    """`OPTIONS /api/...`"""
    allowed = {
        "access-control-allow-origin": request.headers.get("origin", "*"),
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "content-type, idempotency-key",
        "access-control-max-age": "600",
        "vary": "Origin",
    }
    return Response(status_code=204, headers=allowed)


def _once(
    request: Request, shop: Shop, body: Mapping[str, object], action: Callable[[], _Made]
) -> Response:
    """Run a write, or repeat the answer that its Idempotency-Key had the first time."""
    key, path = request.headers.get("idempotency-key"), request.url.path
    if key is not None and not 1 <= len(key) <= 255:
        raise ApiError(400, "bad_request", "Idempotency-Key has 1 to 255 characters.")
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    with shop.db.transaction():
        kept = shop.db.row("SELECT * FROM answers_kept WHERE key = ? AND path = ?", key, path)
        if kept is not None:
            if kept["digest"] != digest:
                raise invalid("Idempotency-Key", "This key was used with another body.")
            headers = {"location": kept["location"], "idempotent-replayed": "true"}
            return packed(request, kept["body"], JSON_TYPE, 201, headers)
        made, where = action()
        location, text = own_url(request, where), stamped(request, made)
        if key is not None:
            shop.db.insert(
                "answers_kept", key=key, path=path, digest=digest, location=location, body=text
            )
    return packed(request, text, JSON_TYPE, 201, {"location": location})
