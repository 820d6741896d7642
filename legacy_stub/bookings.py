"""Bookings and their payments."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date

from legacy_stub import fields
from legacy_stub.answers import ApiError, invalid, not_found
from legacy_stub.database import Database
from legacy_stub.hotels import Hotels
from legacy_stub.money import cents, money
from legacy_stub.outbox import Outbox
from legacy_stub.pricing import stay

_PREFIX = "WF-"
_FIRST = 100_000
_MAX_NIGHTS = 30
_SELECT = "SELECT b.*, h.name AS hotel_name FROM bookings b JOIN hotels h ON h.id = b.hotel_id"


class Bookings:
    """The tables of bookings and payments; the caller of a change holds the transaction."""

    def __init__(self, db: Database, outbox: Outbox, hotels: Hotels) -> None:
        self._db = db
        self._outbox = outbox
        self._hotels = hotels

    def page(self, user: int | None, page: int, size: int) -> tuple[list[dict[str, object]], int]:
        """Bookings, newest first, of one user or of all; and how many there are."""
        where = "" if user is None else " WHERE b.user_id = ?"
        values = () if user is None else (user,)
        total = self._db.count(f"SELECT count(*) FROM bookings b{where}", *values)
        rows = self._db.rows(
            f"{_SELECT}{where} ORDER BY b.id DESC LIMIT ? OFFSET ?",
            *values,
            size,
            (page - 1) * size,
        )
        return [self._json(row) for row in rows], total

    def get(self, booking: int) -> dict[str, object]:
        """A Booking. Raises `ApiError` (404)."""
        return self._json(self._row(booking))

    def add(self, body: Mapping[str, object], at: str) -> dict[str, object]:
        """Book a room. Raises `ApiError` (409, 422)."""
        fields.only(body, ("user_id", "hotel_id", "room", "from", "to", "guests", "notes"))
        user = fields.whole(body, "user_id", 1, 1 << 40)
        hotel = fields.whole(body, "hotel_id", 1, 1 << 40)
        first, last = _days(body)
        guests = fields.whole(body, "guests", 1, 20)
        notes = fields.optional_text(body, "notes")
        if self._db.row("SELECT 1 FROM users WHERE id = ?", user) is None:
            raise invalid("user_id", "No such user.")
        room = self._room(hotel, fields.text(body, "room", 10))
        if guests > room["max_guests"]:
            raise invalid("guests", f"This room takes {room['max_guests']}.")
        if not self._hotels.left(hotel, room, first.isoformat(), last.isoformat()):
            raise ApiError(409, "conflict", "No such room is left.", "room")
        cost = stay(room["price"], first, last)
        values: dict[str, object] = {
            "user_id": user,
            "hotel_id": hotel,
            "room": room["code"],
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "guests": guests,
            "notes": notes,
            "status": "pending",
            "subtotal": cost.subtotal,
            "tax": cost.tax,
            "paid": 0,
            "created_at": at,
            "updated_at": at,
            "version": 1,
        }
        if self._db.row("SELECT 1 FROM bookings LIMIT 1") is None:
            values["id"] = _FIRST + 1
        made = self.get(self._db.insert("bookings", **values))
        self._outbox.publish("booking.created", made, at)
        return made

    def pay(
        self, booking: int, body: Mapping[str, object], reference: str, at: str
    ) -> dict[str, object]:
        """Take a payment. Raises `ApiError` (404, 409, 422)."""
        row = self._row(booking)
        fields.only(body, ("amount", "method", "card_number"))
        paid = _amount(body)
        method = fields.text(body, "method", 20)
        last4 = _last4(body, method)
        if row["status"] == "cancelled":
            raise ApiError(409, "conflict", "This booking is cancelled.")
        balance = row["subtotal"] + row["tax"] - row["paid"]
        if paid > balance:
            raise invalid("amount", "This is more than the balance.")
        payment = self._db.insert(
            "payments",
            booking_id=booking,
            amount=paid,
            method=method,
            card_last4=last4,
            reference=reference,
            at=at,
        )
        self._db.change(
            "UPDATE bookings SET paid = paid + ?, status = ?, updated_at = ?, "
            "version = version + 1 WHERE id = ?",
            paid,
            "paid" if paid == balance else "pending",
            at,
            booking,
        )
        self._outbox.publish("booking.paid", self.get(booking), at)
        made = self._db.row("SELECT * FROM payments WHERE id = ?", payment)
        assert made is not None
        shown = _payment_json(made)
        return {"id": shown.pop("id"), "booking_id": f"{_PREFIX}{booking}", **shown}

    def cancel(self, booking: int, at: str) -> None:
        """Cancel. Raises `ApiError` (404, 409)."""
        if self._row(booking)["status"] == "cancelled":
            raise ApiError(409, "conflict", "This booking is cancelled already.")
        self._db.change(
            "UPDATE bookings SET status = 'cancelled', updated_at = ?, version = version + 1 "
            "WHERE id = ?",
            at,
            booking,
        )
        self._outbox.publish("booking.cancelled", self.get(booking), at)

    def _row(self, booking: int) -> sqlite3.Row:
        row = self._db.row(f"{_SELECT} WHERE b.id = ?", booking)
        if row is None:
            raise not_found("booking")
        return row

    def _room(self, hotel: int, code: str) -> sqlite3.Row:
        rooms = self._hotels.rooms(hotel)
        if not rooms:
            raise invalid("hotel_id", "No such hotel.")
        found = next((room for room in rooms if room["code"] == code), None)
        if found is None:
            raise invalid("room", "This hotel has no such room.")
        return found

    def _json(self, row: sqlite3.Row) -> dict[str, object]:
        payments = self._db.rows(
            "SELECT * FROM payments WHERE booking_id = ? ORDER BY id", row["id"]
        )
        total = row["subtotal"] + row["tax"]
        nights = date.fromisoformat(row["to_date"]) - date.fromisoformat(row["from_date"])
        return {
            "id": f"{_PREFIX}{row['id']}",
            "user_id": row["user_id"],
            "hotel_id": row["hotel_id"],
            "hotel_name": row["hotel_name"],
            "room": row["room"],
            "from": row["from_date"],
            "to": row["to_date"],
            "nights": nights.days,
            "guests": row["guests"],
            "notes": row["notes"],
            "status": row["status"],
            "subtotal": money(row["subtotal"]),
            "tax": money(row["tax"]),
            "total": money(total),
            "paid": money(row["paid"]),
            "balance": money(total - row["paid"]),
            "payments": [_payment_json(payment) for payment in payments],
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "version": row["version"],
        }


def booking_number(name: str) -> int:
    """The number in `WF-100001`. Raises `ApiError` (404)."""
    digits = name.removeprefix(_PREFIX)
    if digits == name or not (digits.isascii() and digits.isdigit() and len(digits) < 12):
        raise not_found("booking")
    return int(digits)


def _payment_json(row: sqlite3.Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "amount": money(row["amount"]),
        "method": row["method"],
        "card_last4": row["card_last4"],
        "reference": row["reference"],
        "at": row["at"],
    }


def _days(body: Mapping[str, object]) -> tuple[date, date]:
    first, last = fields.day(body, "from"), fields.day(body, "to")
    if not 1 <= (last - first).days <= _MAX_NIGHTS:
        raise invalid("to", f"A stay is 1 to {_MAX_NIGHTS} nights.")
    return first, last


def _amount(body: Mapping[str, object]) -> int:
    wanted = fields.mapping(body, "amount")
    paid = cents(wanted.get("amount"))
    if not paid:
        raise invalid("amount", "amount must be a positive decimal string.")
    if wanted.get("currency") != "EUR":
        raise invalid("amount", "Bookings are paid in EUR.")
    return paid


def _last4(body: Mapping[str, object], method: str) -> str | None:
    if method not in ("card", "transfer"):
        raise invalid("method", "method is card or transfer.")
    if method == "transfer":
        return None
    number = fields.text(body, "card_number", 40).replace(" ", "")
    if not (number.isascii() and number.isdigit() and len(number) >= 12):
        raise invalid("card_number", "card_number must have at least 12 digits.")
    return number[-4:]
