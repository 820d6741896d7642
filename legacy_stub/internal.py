"""What other systems and tests see of the shop: events, the back office, counts, faults."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import answer, json_object, number_in_path, whole
from legacy_stub.clock import stamp
from legacy_stub.shop import shop_of


async def events(request: Request) -> Response:
    """`GET /internal/events`"""
    after = whole(request.query_params, "after", 0, 0, 1 << 36)
    limit = whole(request.query_params, "limit", 100, 1, 1_000)
    return answer(request, shop_of(request).outbox.page(after, limit))


async def change_hotel(request: Request) -> Response:
    """`PATCH /internal/hotels/{id}`"""
    hotel, body = number_in_path(request, "hotel"), await json_object(request)
    shop = shop_of(request)
    with shop.db.transaction():
        made = shop.hotels.change(hotel, body, stamp())
    return answer(request, made)


async def stats(request: Request) -> Response:
    """`GET /internal/stats`"""
    shop = shop_of(request)
    counted = {
        "executed": dict(shop.counters.executed),
        "operations": dict(shop.counters.operations),
        "received": shop.counters.received,
        "total": shop.counters.executed.total(),
        "writes": dict(shop.outbox.written),
        "faults": dict(shop.counters.faults),
    }
    return answer(request, counted)


async def clear_stats(request: Request) -> Response:
    """`DELETE /internal/stats`"""
    shop_of(request).counters.clear()
    shop_of(request).outbox.written.clear()
    return Response(status_code=204)


async def list_faults(request: Request) -> Response:
    """`GET /internal/faults`"""
    return answer(request, {"items": shop_of(request).faults.all()})


async def add_fault(request: Request) -> Response:
    """`POST /internal/faults`"""
    return answer(request, shop_of(request).faults.add(await json_object(request)), 201)


async def clear_faults(request: Request) -> Response:
    """`DELETE /internal/faults`"""
    shop_of(request).faults.clear()
    return Response(status_code=204)
