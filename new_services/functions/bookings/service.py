"""What can be done with bookings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from new_services.functions.catalogue import availability
from new_services.functions.users import service as users
from new_services.functions.vendor import fields, storage
from new_services.functions.vendor.http import conflict, invalid, not_found
from new_services.functions.vendor.money import money
from new_services.functions.vendor.paging import whole

FIRST_NUMBER = 9_000_001
"""Bookings made here count from far above legacy's, which goes on counting."""

_FIELDS = ("user_id", "hotel_id", "room", "from", "to", "guests", "notes")
_LARGEST_ID = 1 << 40
_LARGEST_USER = 1 << 36


@dataclass(frozen=True)
class Listing:
    """Bookings of one user, or of all."""

    user_id: int | None

    @classmethod
    def parse(cls, user: str | None) -> Listing:
        """From the parameter `user`. Raises ApiError (400)."""
        return cls(None if user is None else whole(user, "user", 0, _LARGEST_USER))

    def total(self) -> int:
        return storage.count(
            "SELECT count(*) FROM bookings WHERE ?1 IS NULL OR user_id = ?1", self.user_id
        )

    def bookings(self, limit: int, offset: int) -> list[dict[str, Any]]:
        found = storage.documents(
            "SELECT document FROM bookings WHERE ?1 IS NULL OR user_id = ?1 "
            "ORDER BY number DESC LIMIT ?2 OFFSET ?3",
            self.user_id,
            limit,
            offset,
        )
        return [_named(booking) for booking in found]


def get(booking_id: str) -> dict[str, Any]:
    """One booking. Raises ApiError (404)."""
    booking = storage.document("SELECT document FROM bookings WHERE id = ?", booking_id)
    if booking is None:
        raise not_found("booking")
    return _named(booking)


def create(data: dict[str, Any]) -> dict[str, Any]:
    """Book a room. Raises ApiError (409 when none is left, 422)."""
    user_id, hotel, room, stay = _checked(data)
    price, currency, at = (
        availability.cost(room, stay),
        room["price"]["currency"],
        users.timestamp(),
    )
    with storage.writing():
        if availability.left(hotel["id"], room, stay) < 1:
            raise conflict("No such room is left.", "room")
        booking = {
            "id": f"WF-{storage.next_number('bookings', FIRST_NUMBER)}",
            "user_id": user_id,
            "hotel_id": hotel["id"],
            "hotel_name": hotel["name"],
            "room": room["code"],
            "from": stay.first.isoformat(),
            "to": stay.last.isoformat(),
            "nights": stay.nights,
            "guests": data["guests"],
            "notes": data.get("notes"),
            "status": "pending",
            "subtotal": money(price.subtotal, currency),
            "tax": money(price.tax, currency),
            "total": money(price.total, currency),
            "paid": money(price.total * 0, currency),
            "balance": money(price.total, currency),
            "payments": [],
            "created_at": at,
            "updated_at": at,
            "version": 1,
        }
        storage.put_booking(booking)
    return booking


def cancel(booking_id: str) -> None:
    """Cancel a booking. Raises ApiError (404, 409)."""
    with storage.writing():
        booking = get(booking_id)
        if booking["status"] == "cancelled":
            raise conflict("This booking is cancelled already.")
        booking.update(
            status="cancelled", updated_at=users.timestamp(), version=booking["version"] + 1
        )
        storage.put_booking(booking)


def _checked(
    data: dict[str, Any],
) -> tuple[int, dict[str, Any], dict[str, Any], availability.Stay]:
    """User, hotel, room and stay, in the order that legacy checks them in."""
    fields.only(data, _FIELDS)
    user_id = fields.whole(data, "user_id", 1, _LARGEST_ID)
    hotel_id = fields.whole(data, "hotel_id", 1, _LARGEST_ID)
    stay = availability.Stay(fields.day(data, "from"), fields.day(data, "to"))
    if not stay.possible:
        raise invalid("to", availability.TOO_LONG)
    guests = fields.whole(data, "guests", 1, 20)
    fields.optional_text(data, "notes")
    if not storage.count("SELECT count(*) FROM users WHERE id = ?", user_id):
        raise invalid("user_id", "No such user.")
    code = fields.text(data, "room", 10)
    hotel = storage.document("SELECT document FROM hotels WHERE id = ?", hotel_id)
    if hotel is None:
        raise invalid("hotel_id", "No such hotel.")
    room = next((room for room in hotel["rooms"] if room["code"] == code), None)
    if room is None:
        raise invalid("room", "This hotel has no such room.")
    if guests > room["max_guests"]:
        raise invalid("guests", f"This room takes {room['max_guests']}.")
    return user_id, hotel, room, stay


def _named(booking: dict[str, Any]) -> dict[str, Any]:
    """With the hotel's name of today: the event holds the name of then."""
    hotel = storage.document("SELECT document FROM hotels WHERE id = ?", booking["hotel_id"])
    if hotel is not None:
        booking["hotel_name"] = hotel["name"]
    return booking
