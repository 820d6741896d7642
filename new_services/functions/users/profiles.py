"""What can be done with profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from new_services.functions.vendor import fields, storage
from new_services.functions.vendor.http import invalid, not_found

_WRITABLE = (
    "display_name",
    "phone",
    "date_of_birth",
    "address",
    "preferences",
    "companions",
    "emergency_contact",
)


def get(user_id: int) -> dict[str, Any]:
    """The profile of a user. Raises ApiError (404)."""
    profile = storage.document("SELECT document FROM profiles WHERE id = ?", user_id)
    if profile is None:
        raise not_found("user")
    return profile


def preferences(data: dict[str, Any]) -> dict[str, Any]:
    """Preferences, with defaults for what is absent. Raises ApiError (422)."""
    room = fields.mapping(data, "room")
    return {
        "currency": fields.optional_text(data, "currency", 3) or "EUR",
        "language": fields.optional_text(data, "language", 5) or "en",
        "newsletter": fields.truth(data, "newsletter"),
        "seat": fields.optional_text(data, "seat", 20),
        "dietary": fields.texts(data, "dietary"),
        "room": {
            "bed": fields.optional_text(room, "bed", 20) or "double",
            "floor": fields.optional_text(room, "floor", 20) or "any",
            "smoking": fields.truth(room, "smoking"),
        },
    }


def initial(user: dict[str, Any], at: str) -> dict[str, Any]:
    """The profile that a new user begins with."""
    return {
        "user_id": user["id"],
        "display_name": f"{user['first_name']} {user['last_name'][0]}.",
        "phone": None,
        "date_of_birth": None,
        "address": None,
        "preferences": preferences({}),
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
        fields.only(data, _WRITABLE)
        profile = {
            "user_id": user_id,
            **_checked(data),
            "credit": current["credit"],
            "avatar": current["avatar"],
            "updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": current["version"] + 1,
        }
        storage.put_profile(profile)
    return profile


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """The writable fields, in the order that legacy checks them in."""
    born = fields.day(data, "date_of_birth").isoformat() if data.get("date_of_birth") else None
    companions = data.get("companions") or []
    if not isinstance(companions, list) or not all(isinstance(one, dict) for one in companions):
        raise invalid("companions", "companions must be a list of objects.")
    return {
        "display_name": fields.text(data, "display_name"),
        "phone": fields.optional_text(data, "phone", 40),
        "date_of_birth": born,
        "address": fields.mapping(data, "address") or None,
        "preferences": preferences(fields.mapping(data, "preferences")),
        "companions": companions,
        "emergency_contact": fields.mapping(data, "emergency_contact") or None,
    }
