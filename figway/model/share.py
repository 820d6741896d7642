"""A share as people write it, `25%`, and as the table keeps it, 2 500 basis points; and new's."""

from __future__ import annotations

import re
from decimal import Decimal

from figway.model.table import Stage
from figway.model.words import WEIGHT_SCALE

_SHARE = re.compile(r"\s*(\d{1,3}(?:[.,]\d{1,4})?)\s*%\s*")


def basis_points(text: str) -> int:
    """`25%` as 2 500. Raises ValueError for what is no share from 0% to 100% in steps of
    0.01%, a number without the sign among it: 25 may mean 25% or 0.25%."""
    found = _SHARE.fullmatch(text)
    points = Decimal(found[1].replace(",", ".")) * 100 if found else Decimal(-1)
    if not 0 <= points <= 10_000 or points != int(points):
        raise ValueError(f"{text!r} is not a share: write 25%, or 0.5%, in steps of 0.01%")
    return int(points)


def share(points: int) -> str:
    """2 500 as `25%`."""
    return f"{points / 100:g}%"


def on_new(stage: Stage, weight: int) -> int:
    """Basis points of the sticky keys that new serves; `weight` counts in stage canary alone."""
    if stage is Stage.CANARY:
        return weight
    return WEIGHT_SCALE if stage in (Stage.NEW, Stage.RETIRED) else 0
