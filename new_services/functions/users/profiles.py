"""What can be done with profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from new_services.functions.vendor import storage
from new_services.functions.vendor.http import invalid, not_found

_WRITABLE = {
    "display_name",
    "phone",
    "date_of_birth",
    "address",
    "preferences",
    "companions",
    "emergency_contact",
}


def get(user_id: int) -> dict[str, Any]:
    """The profile of a user. Raises ApiError (404)."""
    profile = storage.document("SELECT document FROM profiles WHERE id = ?", user_id)
    if profile is None:
        raise not_found("user")
    return profile


def default_preferences() -> dict[str, Any]:
    return {
        "currency": "EUR",
        "language": "en",
        "newsletter": False,
        "seat": None,
        "dietary": [],
        "room": {"bed": "double", "floor": "any", "smoking": False},
    }


def initial(user: dict[str, Any], at: str) -> dict[str, Any]:
    """The profile that a new user begins with."""
    return {
        "user_id": user["id"],
        "display_name": f"{user['first_name']} {user['last_name'][0]}.",
        "phone": None,
        "date_of_birth": None,
        "address": None,
        "preferences": default_preferences(),
        "companions": [],
        "emergency_contact": None,
        "credit": {"amount": "0.00", "currency": "EUR"},
        "avatar": f"/files/avatar-{user['id']}.svg",
        "updated_at": at,
        "version": 1,
    }


def replace(user_id: int, data: dict[str, Any]) -> dict[str, Any]:
    """Replace every writable field. Raises ApiError (404, 422)."""
    with storage.writing():
        current = get(user_id)
        _check(data)
        profile = {
            "user_id": user_id,
            "display_name": data["display_name"],
            "phone": data.get("phone"),
            "date_of_birth": data.get("date_of_birth"),
            "address": data.get("address"),
            "preferences": {**default_preferences(), **(data.get("preferences") or {})},
            "companions": data.get("companions") or [],
            "emergency_contact": data.get("emergency_contact"),
            "credit": current["credit"],
            "avatar": current["avatar"],
            "updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": current["version"] + 1,
        }
        storage.put_profile(profile)
    return profile


def _check(data: dict[str, Any]) -> None:
    for name in data:
        if name not in _WRITABLE:
            raise invalid(name, f"{name} cannot be written.")
    display_name = data.get("display_name")
    if not isinstance(display_name, str) or not display_name.strip():
        raise invalid("display_name", "display_name is required.")
    for name, kind in (("preferences", dict), ("companions", list)):
        if not isinstance(data.get(name), kind | None):
            raise invalid(name, f"{name} is not of the right kind.")
