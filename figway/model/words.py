"""What the nouns of `figway.model.table` and `figway.model.policies` share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class Side(StrEnum):
    """The two sides of a route."""

    LEGACY = "legacy"
    NEW = "new"

    @property
    def other(self) -> Side:
        return Side.NEW if self is Side.LEGACY else Side.LEGACY


class Strict:
    """Makes schema libraries refuse unknown fields and read the docstrings below fields."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {
        "extra": "forbid",
        "use_attribute_docstrings": True,
    }
