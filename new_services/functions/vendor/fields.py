"""Checks of a JSON body, in legacy's words; each raises ApiError (422) naming the field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from new_services.functions.vendor.http import invalid

Body = Mapping[str, Any]


def only(body: Body, known: Collection[str]) -> None:
    """Nothing but known fields."""
    for name in body:
        if name not in known:
            raise invalid(name, f"{name} cannot be written.")


def text(body: Body, name: str, limit: int = 200) -> str:
    """Text that is more than blanks."""
    value = body.get(name)
    if isinstance(value, str) and value.strip() and len(value) <= limit:
        return value
    raise invalid(name, f"{name} must be text of 1 to {limit} characters.")


def optional_text(body: Body, name: str, limit: int = 500) -> str | None:
    """Text, or null, or absent."""
    return text(body, name, limit) if body.get(name) is not None else None


def email(body: Body) -> str:
    """Text with one @ between other characters."""
    value = text(body, "email", 254)
    name, _, domain = value.partition("@")
    if not name or not domain or "@" in domain:
        raise invalid("email", "email must hold one @.")
    return value


def truth(body: Body, name: str, default: bool = False) -> bool:
    value = body.get(name, default)
    if value is True or value is False:
        return bool(value)
    raise invalid(name, f"{name} must be true or false.")


def whole(body: Body, name: str, low: int, high: int) -> int:
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise invalid(name, f"{name} must be a whole number from {low} to {high}.")


def day(body: Body, name: str) -> date:
    try:
        return date.fromisoformat(text(body, name, 10))
    except ValueError:
        raise invalid(name, f"{name} must be a date, YYYY-MM-DD.") from None


def mapping(body: Body, name: str) -> dict[str, Any]:
    """An object; absent or null is an empty one."""
    value = body.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise invalid(name, f"{name} must be an object.")


def texts(body: Body, name: str) -> list[str]:
    """A list of text; absent is empty."""
    value = body.get(name, [])
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return value
    raise invalid(name, f"{name} must be a list of text.")
