"""For what the API takes and gives: fields are described by the strings below them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from figway.model.described import describe


class Described:
    """Beside a model's base: its schema says of each field what the string below it says. The
    strings are read when the API's description is made, not when a process starts
    (`figway.model.described`)."""

    model_fields: ClassVar[dict[str, FieldInfo]]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(core)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        aliases = {name: field.alias for name, field in cls.model_fields.items() if field.alias}
        describe(cls, properties, aliases)
        return made
