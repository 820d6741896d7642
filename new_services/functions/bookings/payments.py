"""Payments for bookings."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from new_services.functions.bookings import service
from new_services.functions.users.service import timestamp
from new_services.functions.vendor import storage
from new_services.functions.vendor.http import conflict, invalid
from new_services.functions.vendor.money import money, parse

_FEWEST_DIGITS = 12


def pay(booking_id: str, data: dict[str, Any]) -> dict[str, Any]:
    """Pay a part of the balance, or all. Raises ApiError (404, 409, 422)."""
    with storage.writing():
        booking = service.get(booking_id)
        if booking["status"] == "cancelled":
            raise conflict("The booking is cancelled.")
        amount = _amount(booking, data)
        method, last4 = _method(data)
        at = timestamp()
        payment = {
            "id": len(booking["payments"]) + 1,
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


def _amount(booking: dict[str, Any], data: dict[str, Any]) -> Decimal:
    parsed = parse(data.get("amount"))
    if parsed is None or parsed[0] <= 0:
        raise invalid("amount", "amount must be money above zero.")
    amount, currency = parsed
    if currency != booking["balance"]["currency"]:
        raise invalid("amount", "amount must be in the currency of the booking.")
    if amount > Decimal(booking["balance"]["amount"]):
        raise invalid("amount", "amount is above the balance.")
    return amount


def _method(data: dict[str, Any]) -> tuple[str, str | None]:
    method = data.get("method")
    if method == "transfer":
        return method, None
    if method != "card":
        raise invalid("method", "method must be card or transfer.")
    digits = "".join(c for c in str(data.get("card_number", "")) if c in "0123456789")
    if len(digits) < _FEWEST_DIGITS:
        raise invalid("card_number", "card_number needs at least 12 digits.")
    return method, digits[-4:]
