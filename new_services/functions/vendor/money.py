"""Money as legacy writes it, {"amount": "129.90", "currency": "EUR"}, computed in decimals."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)
_CENT = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": str(rounded(amount)), "currency": currency}


def decimal(text: Any) -> Decimal | None:
    """An amount from a decimal string with at most two places; None for anything else."""
    return Decimal(text) if isinstance(text, str) and _AMOUNT.fullmatch(text) else None
