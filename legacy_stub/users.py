"""Users and their profiles, as stored and as published."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import orjson

from legacy_stub import fields
from legacy_stub.answers import ApiError, invalid, not_found
from legacy_stub.database import Database
from legacy_stub.money import money
from legacy_stub.outbox import Outbox

_WRITABLE = ("email", "first_name", "last_name", "locale", "marketing", "active")
_PROFILE = (
    "display_name",
    "phone",
    "date_of_birth",
    "address",
    "preferences",
    "companions",
    "emergency_contact",
)
_TIERS = ((5_000, "basic"), (10_000, "silver"), (20_000, "gold"))


def user_json(row: sqlite3.Row) -> dict[str, object]:
    """A User as the README shows it."""
    points = row["points"]
    tier = next((name for limit, name in _TIERS if points < limit), "platinum")
    return {
        "id": row["id"],
        "email": row["email"],
        "name": f"{row['first_name']} {row['last_name']}",
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "locale": row["locale"],
        "marketing": bool(row["marketing"]),
        "active": bool(row["active"]),
        "loyalty": {"tier": tier, "points": points},
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "version": row["version"],
    }


def profile_json(row: sqlite3.Row) -> dict[str, object]:
    """A Profile as the README shows it."""
    return {
        "user_id": row["user_id"],
        "display_name": row["display_name"],
        "phone": row["phone"],
        "date_of_birth": row["date_of_birth"],
        "address": _loaded(row["address"]),
        "preferences": _loaded(row["preferences"]),
        "companions": _loaded(row["companions"]),
        "emergency_contact": _loaded(row["emergency_contact"]),
        "credit": money(row["credit"], row["currency"]),
        "avatar": f"/files/avatar-{row['user_id']}.svg",
        "updated_at": row["updated_at"],
        "version": row["version"],
    }


def _loaded(text: str | None) -> object:
    return None if text is None else orjson.loads(text)


def _dumped(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


class Users:
    """The table of users, with every change published."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    def page(self, page: int, size: int) -> tuple[list[dict[str, object]], int]:
        """Users by id, and how many there are."""
        rows = self._db.rows(
            "SELECT * FROM users ORDER BY id LIMIT ? OFFSET ?", size, (page - 1) * size
        )
        return [user_json(row) for row in rows], self._db.count("SELECT count(*) FROM users")

    def get(self, user: int) -> dict[str, object]:
        """A User. Raises `ApiError` (404)."""
        return user_json(self._row(user))

    def profile(self, user: int) -> dict[str, object]:
        """A Profile. Raises `ApiError` (404)."""
        row = self._db.row("SELECT * FROM profiles WHERE user_id = ?", user)
        if row is None:
            raise not_found("user")
        return profile_json(row)

    def add(self, body: Mapping[str, object], at: str) -> dict[str, object]:
        """Sign a user up, with a default profile. Raises `ApiError` (409, 422)."""
        fields.only(body, _WRITABLE)
        values = {
            "email": fields.email(body),
            "first_name": fields.text(body, "first_name"),
            "last_name": fields.text(body, "last_name"),
            "locale": fields.optional_text(body, "locale", 20) or "en-GB",
            "marketing": fields.truth(body, "marketing"),
            "active": fields.truth(body, "active", True),
        }
        return self.insert(values, {}, points=0, password=None, credit=0, at=at)

    def insert(
        self,
        values: Mapping[str, object],
        profile: Mapping[str, object],
        *,
        points: int,
        password: str | None,
        credit: int,
        at: str,
        updated: str | None = None,
    ) -> dict[str, object]:
        """Insert checked values; the caller holds the transaction. Raises `ApiError` (409)."""
        key = self._free_key(str(values["email"]), None)
        stamps = {"created_at": at, "updated_at": updated or at, "version": 1}
        user = self._db.insert(
            "users", **values, email_key=key, points=points, password=password, **stamps
        )
        first, last = str(values["first_name"]), str(values["last_name"])
        chosen = _profile_values({"display_name": f"{first} {last[0]}.", **profile})
        preferences = orjson.loads(str(chosen["preferences"]))
        self._db.insert(
            "profiles",
            user_id=user,
            **chosen,
            credit=credit,
            currency=preferences["currency"],
            updated_at=updated or at,
            version=1,
        )
        made = self.get(user)
        self._outbox.publish("user.created", made, at)
        self._outbox.publish("profile.updated", self.profile(user), at)
        return made

    def change(self, user: int, body: Mapping[str, object], at: str) -> dict[str, object]:
        """Write some fields. Raises `ApiError` (404, 409, 422)."""
        self._row(user)
        fields.only(body, _WRITABLE)
        values: dict[str, object] = {}
        for name in body:
            if name == "email":
                values["email"] = fields.email(body)
                values["email_key"] = self._free_key(str(values["email"]), user)
            elif name in ("marketing", "active"):
                values[name] = fields.truth(body, name)
            else:
                values[name] = fields.text(body, name)
        sets = "".join(f"{name} = ?, " for name in values)
        self._db.change(
            f"UPDATE users SET {sets}updated_at = ?, version = version + 1 WHERE id = ?",
            *values.values(),
            at,
            user,
        )
        made = self.get(user)
        self._outbox.publish("user.updated", made, at)
        return made

    def replace_profile(self, user: int, body: Mapping[str, object], at: str) -> dict[str, object]:
        """Write all writable fields of a profile. Raises `ApiError` (404, 422)."""
        self._row(user)
        fields.only(body, _PROFILE)
        values = _profile_values(body)
        sets = ", ".join(f"{name} = ?" for name in values)
        self._db.change(
            f"UPDATE profiles SET {sets}, updated_at = ?, version = version + 1 WHERE user_id = ?",
            *values.values(),
            at,
            user,
        )
        made = self.profile(user)
        self._outbox.publish("profile.updated", made, at)
        return made

    def _row(self, user: int) -> sqlite3.Row:
        row = self._db.row("SELECT * FROM users WHERE id = ?", user)
        if row is None:
            raise not_found("user")
        return row

    def _free_key(self, email: str, owner: int | None) -> str:
        key = email.casefold()
        holder = self._db.value("SELECT id FROM users WHERE email_key = ?", key)
        if holder is not None and holder != owner:
            raise ApiError(409, "conflict", "This e-mail is taken.", "email")
        return key


def _profile_values(body: Mapping[str, object]) -> dict[str, object]:
    """The columns of a profile, checked and completed."""
    born = fields.day(body, "date_of_birth").isoformat() if body.get("date_of_birth") else None
    companions = body.get("companions") or []
    if not isinstance(companions, list) or not all(isinstance(one, dict) for one in companions):
        raise invalid("companions", "companions must be a list of objects.")
    return {
        "display_name": fields.text(body, "display_name"),
        "phone": fields.optional_text(body, "phone", 40),
        "date_of_birth": born,
        "address": _dumped(fields.mapping(body, "address") or None),
        "preferences": _dumped(_preferences(fields.mapping(body, "preferences"))),
        "companions": _dumped(companions),
        "emergency_contact": _dumped(fields.mapping(body, "emergency_contact") or None),
    }


def _preferences(body: Mapping[str, object]) -> dict[str, object]:
    room = fields.mapping(body, "room")
    return {
        "currency": fields.optional_text(body, "currency", 3) or "EUR",
        "language": fields.optional_text(body, "language", 5) or "en",
        "newsletter": fields.truth(body, "newsletter"),
        "seat": fields.optional_text(body, "seat", 20),
        "dietary": fields.texts(body, "dietary"),
        "room": {
            "bed": fields.optional_text(room, "bed", 20) or "double",
            "floor": fields.optional_text(room, "floor", 20) or "any",
            "smoking": fields.truth(room, "smoking"),
        },
    }
