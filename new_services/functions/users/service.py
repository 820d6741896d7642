"""What can be done with users. Knows nothing of HTTP but the errors of the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from new_services.functions.users import profiles
from new_services.functions.vendor import fields, storage
from new_services.functions.vendor.http import conflict, not_found

FIRST_ID = 1_000_001
"""Ids given here begin far above legacy's, which goes on counting: the two must never meet."""

_FLAGS = ("marketing", "active")
_WRITABLE = ("email", "first_name", "last_name", "locale", *_FLAGS)


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
    fields.only(data, _WRITABLE)
    email = fields.email(data)
    values: dict[str, Any] = {
        "email": email,
        "first_name": fields.text(data, "first_name"),
        "last_name": fields.text(data, "last_name"),
        "locale": fields.optional_text(data, "locale", 20) or "en-GB",
        "marketing": fields.truth(data, "marketing"),
        "active": fields.truth(data, "active", True),
    }
    at = timestamp()
    with storage.writing():
        _check_email_free(email, None)
        user = {
            "id": storage.next_number("users", FIRST_ID),
            "email": email,
            "name": _name(values),
            **values,
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
        fields.only(data, _WRITABLE)
        for name in data:
            if name == "email":
                _check_email_free(fields.email(data), user_id)
            elif name in _FLAGS:
                fields.truth(data, name)
            else:
                fields.text(data, name)
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


def _check_email_free(email: str, own: int | None) -> None:
    row = (
        storage.connect()
        .execute("SELECT id FROM users WHERE email = ? AND id IS NOT ?", (email.casefold(), own))
        .fetchone()
    )
    if row is not None:
        raise conflict("This e-mail is taken.", "email")
