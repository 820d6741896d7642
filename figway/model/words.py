"""What the nouns of the modules beside share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from figway.model.described import describe

WEIGHT_SCALE = 10_000
"""Basis points in the whole: a weight of 10 000 sends every sticky key to new."""


class Side(StrEnum):
    """The two sides of a route."""

    LEGACY = "legacy"
    NEW = "new"

    @property
    def other(self) -> Side:
        return Side.NEW if self is Side.LEGACY else Side.LEGACY


class HtmlView(StrEnum):
    """What of a page is compared where its markup is meant to differ."""

    TEXT = "text"
    """What a reader sees."""
    FORMS = "forms"
    """Forms, their fields, and the values of hidden ones."""
    LINKS = "links"
    """Where it leads and what it loads."""


class Strict:
    """Makes schema libraries refuse unknown fields and take the strings below fields for their
    descriptions."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        made = handler(core)
        describe(cls, handler.resolve_ref_schema(made).get("properties", {}), {})
        return made
