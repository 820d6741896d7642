"""Hotels: search, details, availability, and the back office's changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import orjson

from legacy_stub import fields
from legacy_stub.answers import ApiError, invalid, not_found
from legacy_stub.database import Database
from legacy_stub.money import cents, money
from legacy_stub.outbox import Outbox
from legacy_stub.pricing import Cost, stay

SORTS = {
    "name": "name, id",
    "price": "price, id",
    "-price": "price DESC, id",
    "rating": "rating IS NULL, rating DESC, id",
    "stars": "stars DESC, id",
}
_MAX_NIGHTS = 30


@dataclass(frozen=True, slots=True)
class Search:
    """What a visitor looks for. `max_price` in cents."""

    words: tuple[str, ...] = ()
    city: str = ""
    max_price: int | None = None
    sort: str = "name"


def search_of(query: Mapping[str, str], *, lenient: bool = False) -> Search:
    """The search that a query asks for. Raises `ApiError` (400), unless `lenient`."""
    limit = query.get("max_price", "")
    max_price = cents(limit) if limit else None
    if limit and max_price is None and not lenient:
        raise ApiError(400, "bad_request", "max_price must be a number.", "max_price")
    sort = query.get("sort", "") or "name"
    if sort not in SORTS:
        if not lenient:
            raise ApiError(400, "bad_request", f"sort is one of {', '.join(SORTS)}.", "sort")
        sort = "name"
    words = tuple(query.get("q", "").casefold().split())
    return Search(words, query.get("city", "").casefold(), max_price, sort)


def summary_json(row: sqlite3.Row) -> dict[str, object]:
    """A HotelSummary, without its absolute `url`."""
    return {
        "id": row["id"],
        "slug": row["slug"],
        "name": row["name"],
        "city": row["city"],
        "country": row["country"],
        "stars": row["stars"],
        "rating": row["rating"],
        "reviews": row["reviews"],
        "price": money(row["price"]),
        "amenities": orjson.loads(row["amenities"]),
        "distance_km": row["distance_km"],
        "photo": f"/files/photo-{row['id']}.svg",
    }


def search_key(name: str, city: str, country: str, amenities: list[str]) -> str:
    """The text in which the words of a search are looked for."""
    return " ".join([name, city, country, *amenities]).casefold()


class Hotels:
    """The tables of hotels and rooms."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    def search(self, wanted: Search, page: int, size: int) -> tuple[list[sqlite3.Row], int]:
        """A page of what is found, and how many there are."""
        tests = ["instr(search, ?) > 0"] * len(wanted.words)
        values: list[object] = list(wanted.words)
        if wanted.city:
            tests.append("city_key = ?")
            values.append(wanted.city)
        if wanted.max_price is not None:
            tests.append("price <= ?")
            values.append(wanted.max_price)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        total = self._db.count(f"SELECT count(*) FROM hotels{where}", *values)
        rows = self._db.rows(
            f"SELECT * FROM hotels{where} ORDER BY {SORTS[wanted.sort]} LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        return rows, total

    def all(self) -> list[sqlite3.Row]:
        """Every hotel, by id."""
        return self._db.rows("SELECT * FROM hotels ORDER BY id")

    def cities(self) -> list[str]:
        """Every city, by name."""
        return [row[0] for row in self._db.rows("SELECT DISTINCT city FROM hotels ORDER BY city")]

    def row(self, hotel: int) -> sqlite3.Row:
        """A hotel as stored. Raises `ApiError` (404)."""
        row = self._db.row("SELECT * FROM hotels WHERE id = ?", hotel)
        if row is None:
            raise not_found("hotel")
        return row

    def rooms(self, hotel: int) -> list[sqlite3.Row]:
        """The rooms of a hotel, cheapest first."""
        return self._db.rows("SELECT * FROM rooms WHERE hotel_id = ? ORDER BY price, code", hotel)

    def published(self, hotel: int) -> dict[str, object]:
        """A Hotel without its absolute `url`. Raises `ApiError` (404)."""
        row = self.row(hotel)
        rooms = [
            {
                "code": room["code"],
                "name": room["name"],
                "beds": room["beds"],
                "max_guests": room["max_guests"],
                "board": room["board"],
                "units": room["units"],
                "price": money(room["price"]),
            }
            for room in self.rooms(hotel)
        ]
        return {
            **summary_json(row),
            "description": row["description"],
            "address": orjson.loads(row["address"]),
            "location": {"lat": row["lat"], "lon": row["lon"]},
            "rooms": rooms,
            "policies": orjson.loads(row["policies"]),
            "tags": orjson.loads(row["tags"]),
            "updated_at": row["updated_at"],
            "version": row["version"],
        }

    def left(self, hotel: int, room: sqlite3.Row, first: str, last: str) -> int:
        """How many rooms of a kind are free for a whole stay."""
        taken = self._db.count(
            "SELECT count(*) FROM bookings WHERE hotel_id = ? AND room = ? "
            "AND status <> 'cancelled' AND from_date < ? AND ? < to_date",
            hotel,
            room["code"],
            last,
            first,
        )
        return max(0, int(room["units"]) - taken)

    def availability(self, hotel: int, first: date, last: date) -> dict[str, object]:
        """An Availability. Raises `ApiError` (404)."""
        self.row(hotel)
        begin, end = first.isoformat(), last.isoformat()
        offers = [
            (room, self.left(hotel, room, begin, end), stay(room["price"], first, last))
            for room in self.rooms(hotel)
        ]
        free = [(cost.total, room["code"]) for room, left, cost in offers if left]
        best = min(free, default=None)
        return {
            "hotel_id": hotel,
            "from": begin,
            "to": end,
            "nights": (last - first).days,
            "available": bool(free),
            "rooms": [_offer(room, left, cost) for room, left, cost in offers],
            "cheapest": {"code": best[1], "total": money(best[0])} if best else None,
        }

    def change(self, hotel: int, body: Mapping[str, object], at: str) -> dict[str, object]:
        """The back office: another price, name or description. Raises `ApiError` (404, 422)."""
        row = self.row(hotel)
        fields.only(body, ("price", "name", "description"))
        name = fields.text(body, "name") if "name" in body else row["name"]
        text = fields.text(body, "description", 2000) if "description" in body else None
        if "price" in body:
            price = cents(body["price"])
            if not price:
                raise invalid("price", "price must be a decimal string.")
            cheapest = self.rooms(hotel)[0]["code"]
            self._db.change(
                "UPDATE rooms SET price = ? WHERE hotel_id = ? AND code = ?", price, hotel, cheapest
            )
        key = search_key(name, row["city"], row["country"], orjson.loads(row["amenities"]))
        self._db.change(
            "UPDATE hotels SET name = ?, search = ?, description = coalesce(?, description), "
            "price = (SELECT min(price) FROM rooms WHERE hotel_id = hotels.id), "
            "updated_at = ?, version = version + 1 WHERE id = ?",
            name,
            key,
            text,
            at,
            hotel,
        )
        made = self.published(hotel)
        self._outbox.publish("hotel.updated", made, at)
        return made


def stay_of(query: Mapping[str, str]) -> tuple[date, date]:
    """The days `from` and `to` of a query. Raises `ApiError` (400)."""
    days: list[date] = []
    for name in ("from", "to"):
        try:
            days.append(date.fromisoformat(query.get(name, "")))
        except ValueError as error:
            raise ApiError(400, "bad_request", f"{name} must be YYYY-MM-DD.", name) from error
    first, last = days
    if not 1 <= (last - first).days <= _MAX_NIGHTS:
        raise ApiError(400, "bad_request", f"A stay is 1 to {_MAX_NIGHTS} nights.", "to")
    return first, last


def _offer(room: sqlite3.Row, left: int, cost: Cost) -> dict[str, object]:
    nightly = [{"date": day.isoformat(), "price": money(price)} for day, price in cost.nightly]
    return {
        "code": room["code"],
        "name": room["name"],
        "left": left,
        "nightly": nightly,
        "subtotal": money(cost.subtotal),
        "tax": money(cost.tax),
        "total": money(cost.total),
    }
