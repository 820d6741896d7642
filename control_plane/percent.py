"""Bounds as per cent: a lower bound is never rounded up, so that it promises no more than it is."""

from __future__ import annotations

import math

_DUST = 1e-9
"""What binary fractions add to a decimal one."""


def lower(share: float, digits: int = 2) -> float:
    """A lower bound, cut to so many decimals of a per cent: 0.98999 as 0.9899."""
    steps: int = 10 ** (digits + 2)
    return math.floor(share * steps + _DUST * steps) / steps
