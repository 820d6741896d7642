"""Checks of the fields of a JSON body; each raises `ApiError` (422) that names the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from legacy_stub.answers import invalid


def only(body: Mapping[str, object], known: Iterable[str]) -> None:
    """Nothing but known fields."""
    for name in body:
        if name not in known:
            raise invalid(name, f"{name} cannot be written.")


def text(body: Mapping[str, object], name: str, limit: int = 200) -> str:
    """A non-empty string."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise invalid(name, f"{name} must be text of 1 to {limit} characters.")
    return value


def optional_text(body: Mapping[str, object], name: str, limit: int = 500) -> str | None:
    """A non-empty string, or null."""
    return None if body.get(name) is None else text(body, name, limit)


def email(body: Mapping[str, object]) -> str:
    """A string with one @ inside."""
    value = text(body, "email", 254)
    if value.count("@") != 1 or value.startswith("@") or value.endswith("@"):
        raise invalid("email", "email must hold one @.")
    return value


def truth(body: Mapping[str, object], name: str, default: bool = False) -> bool:
    """true or false."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise invalid(name, f"{name} must be true or false.")
    return value


def whole(body: Mapping[str, object], name: str, low: int, high: int) -> int:
    """A whole number within a range."""
    value = body.get(name)
    if type(value) is not int or not low <= value <= high:
        raise invalid(name, f"{name} must be a whole number from {low} to {high}.")
    return value


def day(body: Mapping[str, object], name: str) -> date:
    """A date."""
    try:
        return date.fromisoformat(text(body, name, 10))
    except ValueError as error:
        raise invalid(name, f"{name} must be a date, YYYY-MM-DD.") from error


def mapping(body: Mapping[str, object], name: str) -> dict[str, object]:
    """An object; absent or null is an empty one."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, f"{name} must be an object.")
    return value


def texts(body: Mapping[str, object], name: str) -> list[str]:
    """A list of strings; absent is empty."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid(name, f"{name} must be a list of text.")
    return value
