"""Money as the old shop keeps it: integer cents inside, decimal strings outside."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)

CURRENCIES = ("EUR", "GBP", "SEK", "USD")

# What a page shows for 100 cents of EUR; fixed, as the shop's accountant once wrote them down.
RATES = {"EUR": 100, "GBP": 85, "SEK": 1140, "USD": 108}


def money(cents: int, currency: str = "EUR") -> dict[str, str]:
    """The one JSON form of an amount."""
    return {"amount": amount(cents), "currency": currency}


def amount(cents: int) -> str:
    """A decimal with exactly two places."""
    return f"{cents // 100}.{cents % 100:02d}"


def cents(text: object) -> int | None:
    """Cents of a decimal string with at most two places; None if it is not one."""
    found = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def shown(cents_of_euro: int, currency: str) -> str:
    """A price for a page, in the visitor's currency, rounded half up."""
    converted = (cents_of_euro * RATES[currency] + 50) // 100
    return f"{currency} {amount(converted)}"
