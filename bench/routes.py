"""The routes that every server is given: as templates, and as regular expressions."""

from __future__ import annotations

SHAPES = ("/{id}", "/{id}/items", "/{id}/items/{item}", "/{rest=**}")
_REGEX = ("/[^/]+", "/[^/]+/items", "/[^/]+/items/[^/]+", "/.+")


def template(number: int) -> str:
    """The path template of route `number`."""
    return f"/api/v1/resource-{number}{SHAPES[number % 4]}"


def regex(number: int) -> str:
    """The same as a regular expression over the whole path."""
    return f"^/api/v1/resource-{number}{_REGEX[number % 4]}$"
