"""Money as legacy writes it, {"amount": "129.90", "currency": "EUR"}, computed in decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

_CENT = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": str(rounded(amount)), "currency": currency}


def parse(data: Any) -> tuple[Decimal, str] | None:
    """Amount and currency, or None for what is no money."""
    if not isinstance(data, dict) or not isinstance(data.get("amount"), str):
        return None
    try:
        amount = Decimal(data["amount"])
    except InvalidOperation:
        return None
    return (amount, str(data.get("currency"))) if amount.is_finite() else None
