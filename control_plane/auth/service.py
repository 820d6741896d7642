"""Checking keys, and the first ones."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Row

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.auth import store
from control_plane.auth.keys import ApiKey, generate, parse
from control_plane.auth.limiter import FailureLimiter
from control_plane.auth.roles import Role
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database
from control_plane.db.models import KeyRow
from control_plane.http.problems import ApiProblem, conflict, not_found
from control_plane.settings import Settings, SettingsError

_FRESH_MS = 5_000  # a revoked key dies within this time at the other control planes
_STALE_MS = 3_600_000  # without the database, a key that was valid lately stays so for this long
_TOUCH_MS = 60_000
_ANSWER_S = 0.5  # how long a key that was valid lately waits for a database that hangs
_FIRST_ANSWER_S = 2.0
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: a key, its role, and where from."""

    name: str
    prefix: str
    role: Role
    address: str
    source: str = "api"

    def entry(self, action: str, subject: str, reason: str = "") -> AuditEntry:
        """What is written into the audit log."""
        return AuditEntry(f"{self.name} ({self.prefix})", self.address, action, subject, reason)


@dataclass(slots=True)
class _Checked:
    hash: str
    name: str
    role: Role
    expires_ms: int | None
    at_ms: int
    touched_ms: int


class AuthService:
    """Turns a bearer token into an actor."""

    def __init__(self, database: Database, *, failures: int) -> None:
        self._database = database
        self._limiter = FailureLimiter(failures)
        self._checked: dict[str, _Checked] = {}

    async def authenticate(self, token: str, address: str, source: str) -> Actor:
        """The actor of a token. Raises `ApiProblem` (401, or 429 after too many failures)."""
        key = parse(token)
        checked = None if key is None else await self._check(key)
        if key is None or checked is None:
            raise self._failure(address, given=bool(token))
        return Actor(checked.name, key.prefix, checked.role, address, source)

    async def stands(self, prefix: str) -> bool:
        """Whether a key that was accepted may still be used. True where the database does not say,
        as a proxy must not lose its stream to that."""
        try:
            row = await self._database.within(_ANSWER_S, self._find(prefix))
        except UNAVAILABLE:
            return True
        expired = row is not None and row.expires_ms is not None and row.expires_ms <= now_ms()
        return row is not None and row.revoked_ms is None and not expired

    async def learn(self) -> None:
        """Know every key before it is used: an operator whose key comes for the first time while
        the database is away must be able to press the kill switch."""
        now = now_ms()
        async with self._database.read() as connection:
            rows = await store.usable(connection, _MOST)
        found = {row.prefix: _checked(row, now) for row in rows}
        self._checked.clear()
        self._checked.update(found)

    def forget(self, prefix: str) -> None:
        """Check a key anew at its next use."""
        self._checked.pop(prefix, None)

    async def _check(self, key: ApiKey) -> _Checked | None:
        now = now_ms()
        known = self._checked.get(key.prefix)
        if known is None or now - known.at_ms > _FRESH_MS:
            known = await self._load(key, known, now)
        if known is None or not hmac.compare_digest(known.hash, key.hash):
            return None
        if known.expires_ms is not None and known.expires_ms <= now:
            return None
        return known

    async def _load(self, key: ApiKey, known: _Checked | None, now: int) -> _Checked | None:
        patience = _FIRST_ANSWER_S if known is None else _ANSWER_S
        try:
            row = await self._database.within(patience, self._find(key.prefix))
        except UNAVAILABLE:
            if known is not None and now - known.at_ms <= _STALE_MS:
                return known
            raise
        if row is None or row.revoked_ms is not None:
            self.forget(key.prefix)
            return None
        found = _checked(row, now)
        if not hmac.compare_digest(found.hash, key.hash):
            return None
        if now - found.touched_ms >= _TOUCH_MS:
            found.touched_ms = now
            # A disk that is full, or a replica that takes no writes, must not lock anybody out:
            # the kill switch works without either.
            with suppress(*UNAVAILABLE):
                await self._database.within(_ANSWER_S, self._touch(key.prefix, now))
        if len(self._checked) > _MOST:
            self._checked.clear()
        self._checked[key.prefix] = found
        return found

    async def _find(self, prefix: str) -> Row[tuple[KeyRow]] | None:
        async with self._database.read() as connection:
            return await store.find(connection, prefix)

    async def _touch(self, prefix: str, now: int) -> None:
        async with self._database.write() as connection:
            await store.touch(connection, prefix, now)

    def _failure(self, address: str, *, given: bool) -> ApiProblem:
        wait = self._limiter.failed(address, now_ms())
        if wait:
            return ApiProblem(
                429,
                "too_many_failures",
                "Too many failed attempts",
                f"wait {wait} s, and give a valid key",
                headers={"Retry-After": str(wait)},
            )
        detail = (
            "this key is unknown, expired or revoked"
            if given
            else "send an API key: Authorization: Bearer fgw_..."
        )
        challenge = 'Bearer realm="figway"' + (', error="invalid_token"' if given else "")
        return ApiProblem(
            401, "unauthenticated", "Not authenticated", detail,
            headers={"WWW-Authenticate": challenge},
        )  # fmt: skip


def _checked(row: Row[tuple[KeyRow]], now: int) -> _Checked:
    touched = row.last_used_ms or 0
    return _Checked(row.hash, row.name, Role(row.role), row.expires_ms, now, touched)


async def create_key(
    database: Database, *, name: str, role: Role, entry: AuditEntry, expires_ms: int | None = None
) -> ApiKey:
    """Make a key; the only time that its secret is seen."""
    key = generate()
    now = now_ms()
    async with database.write() as connection:
        await store.add(
            database, connection, key,
            name=name, role=role, by=entry.actor, now=now, expires_ms=expires_ms,
        )  # fmt: skip
        await audit.record(
            connection, entry, now=now,
            details={"prefix": key.prefix, "role": role.value, "expires_ms": expires_ms},
        )  # fmt: skip
    return key


async def revoke_key(database: Database, prefix: str, entry: AuditEntry) -> None:
    """Revoke a key. Raises `ApiProblem`: 404, or 409 for the last admin key."""
    now = now_ms()
    async with database.write() as connection:
        if not await store.revoke(connection, prefix, now):
            raise not_found("key", prefix)
        if await store.count(connection, Role.ADMIN, now) == 0:
            raise conflict("this is the last admin key; make another one first", "last_admin_key")
        await store.end_sessions(connection, prefix)
        await audit.record(connection, entry, now=now, details={"prefix": prefix})


async def first_keys(database: Database, settings: Settings) -> ApiKey | None:
    """Accept the keys given at start; make an admin key if there is none at all, and return it.

    Raises `SettingsError`.
    """
    now = now_ms()
    given = {role: settings.given_key(role.value) for role in (Role.ADMIN, Role.PROXY)}
    async with database.write() as connection:
        for role, text in given.items():
            if not text:
                continue
            key = parse(text)
            if key is None:
                raise SettingsError(
                    f"FIGWAY_BOOTSTRAP_{role.value.upper()}_KEY is not an API key. "
                    "`python -m control_plane new-key` prints one"
                )
            await store.add(
                database, connection, key,
                name=f"bootstrap-{role.value}", role=role, by="environment", now=now,
            )  # fmt: skip
        if given[Role.ADMIN] or await store.count(connection, None, now):
            return None
        first = generate()
        await store.add(
            database, connection, first, name="first", role=Role.ADMIN, by="first start", now=now
        )
        await audit.record(
            connection, AuditEntry("system", "", "key.create", f"key {first.prefix}"), now=now
        )
        return first
