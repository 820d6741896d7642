"""What can be done with bookings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from new_services.functions.catalogue import availability, search
from new_services.functions.users import service as users
from new_services.functions.vendor import storage
from new_services.functions.vendor.http import ApiError, bad_request, conflict, invalid, not_found
from new_services.functions.vendor.money import money

FIRST_NUMBER = 9_000_001
"""Bookings made here count from far above legacy's, which goes on counting."""

_FIELDS = {"user_id", "hotel_id", "room", "from", "to", "guests", "notes"}


@dataclass(frozen=True)
class Listing:
    """Bookings of one user, or of all."""

    user_id: int | None

    @classmethod
    def parse(cls, user: str | None) -> Listing:
        """From the parameter `user`. Raises ApiError (400)."""
        if user is None:
            return cls(None)
        if not user.isascii() or not user.isdecimal() or len(user) > 15:
            raise bad_request("user must be a whole number.", "user")
        return cls(int(user))

    def total(self) -> int:
        return storage.count(
            "SELECT count(*) FROM bookings WHERE ?1 IS NULL OR user_id = ?1", self.user_id
        )

    def bookings(self, limit: int, offset: int) -> list[dict[str, Any]]:
        return storage.documents(
            "SELECT document FROM bookings WHERE ?1 IS NULL OR user_id = ?1 "
            "ORDER BY number DESC LIMIT ?2 OFFSET ?3",
            self.user_id,
            limit,
            offset,
        )


def get(booking_id: str) -> dict[str, Any]:
    """One booking. Raises ApiError (404)."""
    booking = storage.document("SELECT document FROM bookings WHERE id = ?", booking_id)
    if booking is None:
        raise not_found("booking")
    return booking


def create(data: dict[str, Any]) -> dict[str, Any]:
    """Book a room. Raises ApiError (409 when none is left, 422)."""
    user, hotel, room, stay = _checked(data)
    price, currency, at = (
        availability.cost(room, stay),
        room["price"]["currency"],
        users.timestamp(),
    )
    with storage.writing() as connection:
        if availability.left(hotel["id"], room, stay) < 1:
            raise conflict("No such room is left for these nights.")
        highest = connection.execute("SELECT max(number) FROM bookings").fetchone()[0] or 0
        booking = {
            "id": f"WF-{max(highest + 1, FIRST_NUMBER)}",
            "user_id": user["id"],
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
            raise conflict("The booking is cancelled already.")
        booking.update(
            status="cancelled", updated_at=users.timestamp(), version=booking["version"] + 1
        )
        storage.put_booking(booking)


def _checked(
    data: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], availability.Stay]:
    for name in data:
        if name not in _FIELDS:
            raise invalid(name, f"Unknown field: {name}.")
    user = _existing("user_id", data, users.get)
    hotel = _existing("hotel_id", data, search.get)
    room = next((room for room in hotel["rooms"] if room["code"] == data.get("room")), None)
    if room is None:
        raise invalid("room", "The hotel has no such room.")
    try:
        stay = availability.Stay.parse(_text(data, "from"), _text(data, "to"))
    except ApiError as error:
        raise invalid(error.field or "from", error.message) from None
    guests = data.get("guests")
    if not isinstance(guests, int) or isinstance(guests, bool) or guests < 1:
        raise invalid("guests", "guests must be a whole number from 1.")
    if guests > room["max_guests"]:
        raise invalid("guests", "Too many guests for this room.")
    if not isinstance(data.get("notes"), str | None):
        raise invalid("notes", "notes must be a string.")
    return user, hotel, room, stay


def _existing(name: str, data: dict[str, Any], find: Any) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(name, f"{name} must be a whole number.")
    try:
        found: dict[str, Any] = find(value)
    except ApiError as error:
        raise invalid(name, error.message) from None
    return found


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise invalid(name, f"{name} must be a date, YYYY-MM-DD.")
    return value
