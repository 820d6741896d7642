"""What is free in a hotel, and what a stay costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from new_services.differences import enabled
from new_services.functions.vendor import storage
from new_services.functions.vendor.http import bad_request
from new_services.functions.vendor.money import money, rounded

_MOST_NIGHTS = 30
TOO_LONG = f"A stay is 1 to {_MOST_NIGHTS} nights."
_TAX = Decimal("0.075")
_WEEKEND = Decimal("1.15")
_SEASONS = {month: Decimal("1.25") for month in (7, 8)} | {
    month: Decimal("0.90") for month in (1, 2, 11)
}


@dataclass(frozen=True)
class Stay:
    """The nights from one date to another."""

    first: date
    last: date
    """The day of departure."""

    @classmethod
    def parse(cls, first: str | None, last: str | None) -> Stay:
        """From two dates. Raises ApiError (400)."""
        stay = cls(_date("from", first), _date("to", last))
        if not stay.possible:
            raise bad_request(TOO_LONG, "to")
        return stay

    @property
    def possible(self) -> bool:
        return 0 < self.nights <= _MOST_NIGHTS

    @property
    def nights(self) -> int:
        return (self.last - self.first).days

    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range(self.nights)]


@dataclass(frozen=True)
class Cost:
    """What one room costs for a stay, with the tax that legacy adds."""

    subtotal: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax


def of(hotel: dict[str, Any], stay: Stay) -> dict[str, Any]:
    """The availability of every room of a hotel."""
    rooms = [_room(hotel, room, stay) for room in hotel["rooms"]]
    free = [room for room in rooms if room["left"] > 0]
    cheapest = min(free, key=lambda room: Decimal(room["total"]["amount"]), default=None)
    return {
        "hotel_id": hotel["id"],
        "from": stay.first.isoformat(),
        "to": stay.last.isoformat(),
        "nights": stay.nights,
        "available": bool(free),
        "rooms": rooms,
        "cheapest": {"code": cheapest["code"], "total": cheapest["total"]} if cheapest else None,
    }


def left(hotel_id: int, room: dict[str, Any], stay: Stay) -> int:
    """How many rooms of a kind are free for all of the stay."""
    taken = storage.count(
        "SELECT count(*) FROM bookings WHERE hotel_id = ? AND room = ? AND active "
        "AND first < ? AND ? < last",
        hotel_id,
        room["code"],
        stay.last.isoformat(),
        stay.first.isoformat(),
    )
    return max(0, int(room["units"]) - taken)


def nightly(room: dict[str, Any], day: date) -> Decimal:
    price = Decimal(room["price"]["amount"])
    if day.weekday() in (4, 5):
        price *= _WEEKEND
    return rounded(price * _SEASONS.get(day.month, Decimal(1)))


def cost(room: dict[str, Any], stay: Stay) -> Cost:
    subtotal = sum((nightly(room, day) for day in stay.days()), Decimal(0))
    if enabled("availability-tax-rounding"):
        # The fault: cents are cut off where legacy rounds half up.
        return Cost(subtotal, Decimal(int(subtotal * _TAX * 100)) / 100)
    return Cost(subtotal, rounded(subtotal * _TAX))


def _room(hotel: dict[str, Any], room: dict[str, Any], stay: Stay) -> dict[str, Any]:
    currency, price = room["price"]["currency"], cost(room, stay)
    return {
        "code": room["code"],
        "name": room["name"],
        "left": left(hotel["id"], room, stay),
        "nightly": [
            {"date": day.isoformat(), "price": money(nightly(room, day), currency)}
            for day in stay.days()
        ],
        "subtotal": money(price.subtotal, currency),
        "tax": money(price.tax, currency),
        "total": money(price.total, currency),
    }


def _date(name: str, text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        raise bad_request(f"{name} must be YYYY-MM-DD.", name) from None
