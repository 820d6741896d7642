"""Payments for bookings."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from new_services.functions.bookings import service
from new_services.functions.users.service import timestamp
from new_services.functions.vendor import fields, storage
from new_services.functions.vendor.http import conflict, invalid
from new_services.functions.vendor.money import decimal, money

FIRST_ID = 1_000_001
"""Far above legacy's, as with users and bookings."""
_FEWEST_DIGITS = 12


def pay(booking_id: str, data: dict[str, Any]) -> dict[str, Any]:
    """Pay a part of the balance, or all. Raises ApiError (404, 409, 422)."""
    with storage.writing():
        booking = service.get(booking_id)
        fields.only(data, ("amount", "method", "card_number"))
        amount = _amount(data)
        method, last4 = _method(data)
        if booking["status"] == "cancelled":
            raise conflict("This booking is cancelled.")
        if amount > Decimal(booking["balance"]["amount"]):
            raise invalid("amount", "This is more than the balance.")
        at = timestamp()
        payment = {
            "id": storage.next_number("payments", FIRST_ID),
            "amount": money(amount, booking["balance"]["currency"]),
            "method": method,
            "card_last4": last4,
            "reference": str(uuid.uuid4()),
            "at": at,
        }
        _book(booking, payment, amount, at)
        storage.put_booking(booking)
    number, *rest = payment.items()
    return dict([number, ("booking_id", booking_id), *rest])


def _book(booking: dict[str, Any], payment: dict[str, Any], amount: Decimal, at: str) -> None:
    currency = booking["balance"]["currency"]
    balance = Decimal(booking["balance"]["amount"]) - amount
    booking["payments"].append(payment)
    booking["paid"] = money(Decimal(booking["paid"]["amount"]) + amount, currency)
    booking["balance"] = money(balance, currency)
    if balance == 0:
        booking["status"] = "paid"
    booking["updated_at"] = at
    booking["version"] += 1


def _amount(data: dict[str, Any]) -> Decimal:
    wanted = fields.mapping(data, "amount")
    amount = decimal(wanted.get("amount"))
    if not amount:
        raise invalid("amount", "amount must be a positive decimal string.")
    if wanted.get("currency") != "EUR":
        raise invalid("amount", "Bookings are paid in EUR.")
    return amount


def _method(data: dict[str, Any]) -> tuple[str, str | None]:
    method = fields.text(data, "method", 20)
    if method not in ("card", "transfer"):
        raise invalid("method", "method is card or transfer.")
    if method == "transfer":
        return method, None
    number = fields.text(data, "card_number", 40).replace(" ", "")
    if not (number.isascii() and number.isdecimal() and len(number) >= _FEWEST_DIGITS):
        raise invalid("card_number", "card_number must have at least 12 digits.")
    return method, number[-4:]
