"""What the strings below fields say reaches the published schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from figway.model.described import descriptions
from figway.model.words import Strict


@dataclass
class Base(Strict):
    inherited: int = 0
    """Said by the base."""
    silent: int = 0


@dataclass
class Room(Base):
    beds: int = 1
    """How many sleep
    in it."""

    def free(self) -> bool:
        """Not a field."""
        return self.beds > 0


def schema() -> dict[str, Any]:
    return TypeAdapter(Room).json_schema()


def test_the_string_below_a_field_describes_it() -> None:
    assert descriptions(Room) == {
        "inherited": "Said by the base.",
        "beds": "How many sleep\nin it.",
    }
    properties = schema()["properties"]
    assert properties["beds"]["description"] == "How many sleep\nin it."
    assert properties["inherited"]["description"] == "Said by the base."
    assert "description" not in properties["silent"]


def test_a_class_without_source_has_no_descriptions() -> None:
    made = type("Made", (), {"__module__": "nowhere"})
    assert descriptions(made) == {}
