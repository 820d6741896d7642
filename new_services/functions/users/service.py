"""What can be done with users. Knows nothing of HTTP but the errors of the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from new_services.functions.users import profiles
from new_services.functions.vendor import storage
from new_services.functions.vendor.http import conflict, invalid, not_found

FIRST_ID = 1_000_001
"""Ids given here begin far above legacy's, which goes on counting: the two must never meet."""

_TEXTS = ("email", "first_name", "last_name")
_OPTIONAL_TEXTS = ("locale",)
_FLAGS = ("marketing", "active")


def total() -> int:
    return storage.count("SELECT count(*) FROM users")


def listed(limit: int, offset: int) -> list[dict[str, Any]]:
    return storage.documents(
        "SELECT document FROM users ORDER BY id LIMIT ? OFFSET ?", limit, offset
    )


def get(user_id: int) -> dict[str, Any]:
    """One user. Raises ApiError (404)."""
    user = storage.document("SELECT document FROM users WHERE id = ?", user_id)
    if user is None:
        raise not_found("user")
    return user


def create(data: dict[str, Any]) -> dict[str, Any]:
    """A new user with an empty profile. Raises ApiError (409, 422)."""
    _check(data, {*_TEXTS, *_OPTIONAL_TEXTS, "marketing"})
    for name in _TEXTS:
        if name not in data:
            raise invalid(name, f"{name} is required.")
    at = timestamp()
    with storage.writing() as connection:
        _check_email_free(data["email"], None)
        highest = connection.execute("SELECT max(id) FROM users").fetchone()[0] or 0
        user = {
            "id": max(highest + 1, FIRST_ID),
            "email": data["email"],
            "name": _name(data),
            "first_name": data["first_name"],
            "last_name": data["last_name"],
            "locale": data.get("locale", "en-GB"),
            "marketing": data.get("marketing", False),
            "active": True,
            "loyalty": {"tier": "basic", "points": 0},
            "created_at": at,
            "updated_at": at,
            "version": 1,
        }
        storage.put_user(user)
        storage.put_profile(profiles.initial(user, at))
    return user


def update(user_id: int, data: dict[str, Any]) -> dict[str, Any]:
    """Change some fields. Raises ApiError (404, 409, 422)."""
    with storage.writing():
        user = get(user_id)
        _check(data, {*_TEXTS, *_OPTIONAL_TEXTS, *_FLAGS})
        if "email" in data:
            _check_email_free(data["email"], user_id)
        user.update(data)
        user["name"] = _name(user)
        user["updated_at"] = timestamp()
        user["version"] += 1
        storage.put_user(user)
    return user


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(data: dict[str, Any]) -> str:
    return f"{data['first_name']} {data['last_name']}"


def _check(data: dict[str, Any], allowed: set[str]) -> None:
    for name, value in data.items():
        if name not in allowed:
            raise invalid(name, f"Unknown field: {name}.")
        if name in _FLAGS:
            if not isinstance(value, bool):
                raise invalid(name, f"{name} must be true or false.")
        elif not isinstance(value, str) or not value.strip():
            raise invalid(name, f"{name} must be a non-empty string.")
    if "email" in data and data["email"].count("@") != 1:
        raise invalid("email", "email must hold one @.")


def _check_email_free(email: str, own: int | None) -> None:
    row = (
        storage.connect()
        .execute("SELECT id FROM users WHERE email = ? AND id IS NOT ?", (email.casefold(), own))
        .fetchone()
    )
    if row is not None:
        raise conflict("This e-mail address is taken.", "email")
