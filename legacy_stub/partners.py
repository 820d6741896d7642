"""What partners get: a supplier's price list, brochures, and webhooks of payments."""

from __future__ import annotations

import hashlib
import re

import orjson
from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import JSON_TYPE, ApiError, answer, invalid, json_object, not_found, packed
from legacy_stub.money import money
from legacy_stub.shop import shop_of
from legacy_stub.webhooks import Subscriber

_BROCHURE = re.compile(r"hotel-([1-9]\d{0,9})\.txt", re.ASCII)


async def supplier_prices(request: Request) -> Response:
    """`GET /supplier/prices`: strong `ETag`, 304 while no price has changed."""
    hotels = shop_of(request).hotels.all()
    prices = [{"hotel_id": row["id"], "price": money(row["price"])} for row in hotels]
    body = orjson.dumps({"prices": prices})
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return packed(request, body, JSON_TYPE, 200, headers)


async def brochure(request: Request) -> Response:
    """`GET /brochures/hotel-{id}.txt`"""
    found = _BROCHURE.fullmatch(request.path_params["name"])
    if found is None:
        raise not_found("brochure")
    hotel = shop_of(request).hotels.published(int(found[1]))
    lines = [str(hotel["name"]), str(hotel["city"]), "", str(hotel["description"])]
    body = "\n".join(lines).encode()
    tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": tag})
    return Response(body, 200, {"content-type": "text/plain; charset=utf-8", "etag": tag})


async def subscribe(request: Request) -> Response:
    """`PUT /internal/webhooks` `{"url": ..., "secret": "whsec_..."}`; a null url ends it."""
    body = await json_object(request)
    url, secret = body.get("url"), body.get("secret")
    shop = shop_of(request)
    if url is None:
        await shop.webhooks.subscribe(None)
        return Response(status_code=204)
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("url", "url must be an absolute URL.")
    if not isinstance(secret, str) or not secret.startswith("whsec_"):
        raise invalid("secret", "secret must begin with whsec_.")
    try:
        subscriber = Subscriber(url, secret)
    except ValueError as error:
        raise invalid("secret", "secret must be base64 after whsec_.") from error
    await shop.webhooks.subscribe(subscriber)
    return answer(request, {"url": url}, 201)


async def send_again(request: Request) -> Response:
    """`POST /internal/webhooks/again`: sends the last webhook once more, byte for byte."""
    status = await shop_of(request).webhooks.again()
    if status is None:
        raise ApiError(409, "conflict", "None was sent yet.")
    return answer(request, {"status": status})
