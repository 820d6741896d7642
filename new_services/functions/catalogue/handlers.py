"""Request handlers of the catalogue."""

from __future__ import annotations

from typing import Any

from new_services.differences import enabled
from new_services.functions.catalogue import availability, export, pages, search
from new_services.functions.vendor import html, paging
from new_services.functions.vendor.http import (
    ApiError,
    Request,
    Response,
    bad_request,
    handler,
    single,
)


@handler("GET", "HEAD")
def search_hotels(request: Request) -> Response:
    """GET /api/catalogue"""
    bounds = paging.bounds(request)
    found = search.Search.parse(request.query())

    def items(limit: int, offset: int) -> list[dict[str, Any]]:
        hotels = [search.summary(hotel, request.url) for hotel in found.hotels(limit, offset)]
        if enabled("search-reviews"):
            for hotel in hotels:
                if hotel["id"] % 7 == 0:
                    hotel["reviews"] += 1
        return hotels

    return paging.page(request, found.total(), items, bounds)


@handler("POST")
def find_hotels(request: Request) -> Response:
    """POST /api/catalogue/search: a read, with the parameters as a JSON object"""
    body = request.json()
    for name, value in body.items():
        if name not in _SEARCHED or not isinstance(value, str | int) or isinstance(value, bool):
            raise bad_request(f"{name} cannot be searched for.", name)
    query = {name: str(value) for name, value in body.items() if value != ""}
    page = paging.whole(query.get("page"), "page", 1, 1_000_000)
    size = paging.whole(query.get("size"), "size", 20, 100)
    found = search.Search.parse(query)
    total = found.total()
    listed = found.hotels(size, (page - 1) * size)
    items = [search.summary(hotel, request.url) for hotel in listed]
    counted = {"page": page, "size": size, "total": total, "pages": -(-total // size)}
    return single(request, {"items": items, **counted})


_SEARCHED = ("q", "city", "max_price", "page", "size", "sort")


@handler("GET", "HEAD")
def get_hotel(request: Request) -> Response:
    """GET /api/catalogue/{id}"""
    hotel = search.get(request.number(2, "hotel"))
    etag = f'W/"hotel-{hotel["id"]}-{hotel["version"]}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(304, headers={"ETag": etag})
    if enabled("hotel-amenities-order"):
        hotel["amenities"].reverse()
    if enabled("hotel-location-rounded"):
        hotel["location"] = {name: round(value, 3) for name, value in hotel["location"].items()}
    described = search.detailed(hotel, request.url)
    return single(request, described, 200, ETag=etag)


@handler("GET", "HEAD")
def get_availability(request: Request) -> Response:
    """GET /api/catalogue/{id}/availability"""
    hotel = search.get(request.number(2, "hotel"))
    query = request.query()
    stay = availability.Stay.parse(query.get("from"), query.get("to"))
    return single(request, availability.of(hotel, stay))


@handler("GET", "HEAD")
def hotel_page(request: Request) -> Response:
    """GET /hotels/{id}"""
    try:
        hotel = search.get(request.number(1, "hotel"))
    except ApiError as error:
        return html.error(request, error)
    content = pages.hotel(hotel, lambda cents: html.price(request, cents))
    answer = html.page(request, pages.title(hotel), content)
    if enabled("hotel-page-charset"):
        # The fault: bytes of UTF-8 that call themselves Latin-1.
        answer.content_type = "text/html; charset=iso-8859-1"
    return answer


@handler("GET", "HEAD")
def export_catalogue(request: Request) -> Response:
    """GET /export/catalogue.xml"""
    return Response(200, export.catalogue(search.all_hotels()), export.CONTENT_TYPE)
