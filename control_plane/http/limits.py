"""What a request body may hold, and that it holds what it says.

The nouns of the core are dataclasses that know nothing of schemas. `Limited` gives the fields of a
body the limits of `figway.validate.sizes` (so that the API's description names them) and takes
values as they are: a true is no 1.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from figway.validate.sizes import MAX_LIST, MAX_TEXT, most_of

T = TypeVar("T")

MAX_FIELDS = 200
"""Members of an object that is taken as it comes: a patch, the value of a change."""
Loose = Annotated[dict[str, Any], Field(max_length=MAX_FIELDS)]
"""An object whose members are looked at later."""
# Controls, bidirectional overrides and invisible characters: they act on a terminal, or hide. The
# two joiners show what they join: letters of Persian, parts of emoji.
_ACTS = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
)
_JOINED = f"[^\\x00-\\x7f{_ACTS}]"
PLAIN_TEXT = f"^([^{_ACTS}]|{_JOINED}([\\u200c\\u200d]{_JOINED})+)*$"
"""Text that people write for people: no character that acts instead of showing."""
ReasonField = Annotated[str, Field(min_length=1, max_length=500, pattern=PLAIN_TEXT)]
"""Why; kept in the audit log."""
_KINDS: dict[str, type] = {"str": str, "tuple": tuple}


class _Held:
    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        _hold(schema, handler, set())
        return schema


Limited = Annotated[T, _Held()]
"""A dataclass of the core as a request body."""


def _hold(schema: Any, handler: GetCoreSchemaHandler, seen: set[int]) -> None:
    """Give every field below `schema` its limit."""
    kind = schema["type"]
    if kind == "definition-ref":
        schema = handler.resolve_ref_schema(schema)
        kind = schema["type"]
    if id(schema) in seen:
        return
    seen.add(id(schema))
    if kind == "dataclass":
        for field in schema["schema"]["fields"]:
            _limit(field["schema"], schema["cls"], field["name"])
            _hold(field["schema"], handler, seen)
    elif kind in ("int", "bool", "float"):
        schema["strict"] = True
    elif kind == "str":
        schema.setdefault("max_length", MAX_TEXT)
    elif kind == "union":
        for choice in schema["choices"]:
            _hold(choice[0] if isinstance(choice, tuple) else choice, handler, seen)
    elif kind == "tuple":
        if "variadic_item_index" in schema:
            schema.setdefault("max_length", MAX_LIST)
        for item in schema["items_schema"]:
            _hold(item, handler, seen)
    elif "schema" in schema:  # default, nullable
        _hold(schema["schema"], handler, seen)


def _limit(schema: Any, cls: type, field: str) -> None:
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    if (kind := _KINDS.get(schema["type"])) is not None:
        schema["max_length"] = most_of(cls, field, kind)
