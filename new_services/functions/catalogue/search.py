"""Finding hotels in the read model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from new_services.functions.vendor import storage
from new_services.functions.vendor.http import bad_request, not_found
from new_services.functions.vendor.money import decimal

_ORDERS = {
    "name": "name, id",
    "price": "cents, id",
    "-price": "cents DESC, id",
    "rating": "rating IS NULL, rating DESC, id",
    "stars": "stars DESC, id",
}
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


@dataclass(frozen=True)
class Search:
    """What is looked for, as a condition on the read model."""

    where: str
    values: tuple[Any, ...]
    order: str

    @classmethod
    def parse(cls, query: dict[str, str]) -> Search:
        """From the parameters q, city, max_price and sort. Raises ApiError (400)."""
        conditions: list[str] = ["1"]
        values: list[Any] = []
        for word in query.get("q", "").casefold().split():
            conditions.append("instr(haystack, ?) > 0")
            values.append(word)
        if "city" in query:
            conditions.append("city = ?")
            values.append(query["city"].casefold())
        if "max_price" in query:
            conditions.append("cents <= ?")
            values.append(_cents(query["max_price"]))
        sort = query.get("sort", "name")
        if sort not in _ORDERS:
            raise bad_request(f"sort is one of {', '.join(_ORDERS)}.", "sort")
        return cls(" AND ".join(conditions), tuple(values), _ORDERS[sort])

    def total(self) -> int:
        return storage.count(f"SELECT count(*) FROM hotels WHERE {self.where}", *self.values)

    def hotels(self, limit: int, offset: int) -> list[dict[str, Any]]:
        return storage.documents(
            f"SELECT document FROM hotels WHERE {self.where} ORDER BY {self.order} "
            "LIMIT ? OFFSET ?",
            *self.values,
            limit,
            offset,
        )


def get(hotel_id: int) -> dict[str, Any]:
    """One hotel as the feed brought it. Raises ApiError (404)."""
    hotel = storage.document("SELECT document FROM hotels WHERE id = ?", hotel_id)
    if hotel is None:
        raise not_found("hotel")
    return hotel


def all_hotels() -> list[dict[str, Any]]:
    return storage.documents("SELECT document FROM hotels ORDER BY id")


def summary(hotel: dict[str, Any], url: Callable[[str], str]) -> dict[str, Any]:
    """What a list shows of a hotel."""
    return {**{name: hotel[name] for name in _SUMMARY}, "url": url(f"/hotels/{hotel['id']}")}


def detailed(hotel: dict[str, Any], url: Callable[[str], str]) -> dict[str, Any]:
    return {**summary(hotel, url), **hotel}


def _cents(text: str) -> int:
    amount = decimal(text)
    if amount is None:
        raise bad_request("max_price must be a number.", "max_price")
    return int(amount * 100)
