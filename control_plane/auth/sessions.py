"""Sessions: an API key, or a one-time link, exchanged for a cookie.

They live in the database, as hashes, so that they outlast a restart and count at every control
plane. A session ends with its time, with a log-out, or with the key that it was made from.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, delete, insert, literal, select, tuple_

from control_plane.audit import store as audit
from control_plane.audit.entry import AuditEntry
from control_plane.auth import store as keys
from control_plane.auth.roles import Role
from control_plane.auth.service import Actor
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE, Database
from control_plane.db.models import SessionRow

SESSION_MS = 12 * 3_600_000
LINK_MS = 15 * 60_000
_FRESH_MS = 1_000  # a session that ended at another control plane dies here within this time
_STALE_MS = 3_600_000  # without the database, a session seen lately stays valid for this long
_ANSWER_S = 0.5  # how long a session seen lately waits for a database that hangs
_FIRST_ANSWER_S = 10.0
_MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Who has logged in."""

    token: str
    name: str
    prefix: str
    role: Role
    expires_ms: int

    @property
    def csrf(self) -> str:
        """What every form of this session carries; no other site can know it."""
        return hmac.new(self.token.encode(), b"csrf", hashlib.sha256).hexdigest()

    def actor(self, address: str) -> Actor:
        """As the API's functions know callers."""
        return Actor(self.name, self.prefix or "console", self.role, address, "console")


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session in a list; nothing of it gives access."""

    id: str
    name: str
    prefix: str
    role: str
    address: str
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class _New:
    kind: str
    name: str
    prefix: str
    role: Role
    lasts_ms: int
    address: str


class Sessions:
    """Makes, finds and ends sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cached: dict[str, tuple[int, Session]] = {}

    async def link(self, name: str, role: Role, prefix: str = "") -> str:
        """A token that logs in once, within a quarter of an hour."""
        return await self._make(
            _New("link", name, prefix, role, LINK_MS, ""), "session.link", f"link for {role.value}"
        )

    async def start(self, actor: Actor) -> str:
        """A session for somebody who has shown a key; its token."""
        new = _New("session", actor.name, actor.prefix, actor.role, SESSION_MS, actor.address)
        return await self._make(new, "session.start", f"key {actor.prefix}")

    async def redeem(self, link: str, address: str = "") -> str | None:
        """A session for a link, whose only use this is; None if it was used or is too old."""
        async with self._database.write() as connection:
            found = await connection.execute(
                delete(SessionRow)
                .where(
                    SessionRow.hash == _hash(link),
                    SessionRow.kind == "link",
                    SessionRow.expires_ms > now_ms(),
                )
                .returning(SessionRow.name, SessionRow.prefix, SessionRow.role)
            )
            row = found.one_or_none()
        if row is None:
            return None
        new = _New("session", row.name, row.prefix, Role(row.role), SESSION_MS, address)
        return await self._make(new, "session.start", "one-time link")

    async def find(self, token: str) -> Session | None:
        """The session of a cookie, while it lasts."""
        if not token:
            return None
        now, hashed = now_ms(), _hash(token)
        at, known = self._cached.get(hashed, (0, None))
        if known is None or now - at > _FRESH_MS:
            patience = _FIRST_ANSWER_S if known is None else _ANSWER_S
            try:
                loaded = self._load(token, hashed, now)
                known = await self._database.within(patience, loaded)
            except UNAVAILABLE:
                if known is None or now - at > _STALE_MS:
                    raise
        if known is None or known.expires_ms <= now:
            self._cached.pop(hashed, None)
            return None
        return known

    async def failed(self, address: str, why: str) -> None:
        """Note an attempt that failed."""
        entry = AuditEntry("somebody", address, "session.failed", "console log-in", why[:500])
        async with self._database.write() as connection:
            await audit.record(connection, entry, now=now_ms())

    async def listed(
        self, before: tuple[int, str] | None = None, limit: int = 1_000
    ) -> list[SessionLine]:
        """Sessions that last, newest first: those behind the one begun at a time, with an id."""
        columns = [SessionRow.__table__.c[entry.name] for entry in fields(SessionLine)]
        query = select(*columns).where(
            SessionRow.kind == "session", SessionRow.expires_ms > now_ms()
        )
        if before is not None:
            at = tuple_(SessionRow.created_ms, SessionRow.id)
            query = query.where(at < tuple_(*map(literal, before)))
        order = (SessionRow.created_ms.desc(), SessionRow.id.desc())
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(*order).limit(limit))
            return [SessionLine(**row._mapping) for row in rows.all()]

    async def end(self, token: str, entry: AuditEntry) -> None:
        """Log out."""
        await self._end(SessionRow.hash == _hash(token), entry)

    async def end_id(self, session_id: str, entry: AuditEntry) -> bool:
        """End somebody's session; False if there is none."""
        if not session_id:
            return False
        return await self._end(SessionRow.id == session_id, entry)

    def forget_key(self, prefix: str) -> None:
        """The key is revoked: its sessions end here at once."""
        for hashed, (_, found) in list(self._cached.items()):
            if found.prefix == prefix:
                del self._cached[hashed]

    async def _end(self, which: ColumnElement[bool], entry: AuditEntry) -> bool:
        async with self._database.write() as connection:
            done = await connection.execute(delete(SessionRow).where(which))
            if done.rowcount:
                await audit.record(connection, entry, now=now_ms())
        self._cached.clear()
        return bool(done.rowcount)

    async def _load(self, token: str, hashed: str, now: int) -> Session | None:
        async with self._database.read() as connection:
            query = select(SessionRow.__table__).where(
                SessionRow.hash == hashed, SessionRow.kind == "session"
            )
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            if row.prefix:
                key = await keys.find(connection, row.prefix)
                if key is None or key.revoked_ms is not None:
                    return None
                if key.expires_ms is not None and key.expires_ms <= now:
                    return None
        found = Session(token, row.name, row.prefix, Role(row.role), row.expires_ms)
        if len(self._cached) >= _MOST_CACHED:
            self._cached.clear()
        self._cached[hashed] = (now, found)
        return found

    async def _make(self, new: _New, action: str, subject: str) -> str:
        token, now = secrets.token_urlsafe(32), now_ms()
        who = f"{new.name} ({new.prefix})" if new.prefix else new.name
        async with self._database.write() as connection:
            await connection.execute(delete(SessionRow).where(SessionRow.expires_ms <= now))
            await connection.execute(
                insert(SessionRow).values(
                    hash=_hash(token),
                    id=_hash(token)[:12],
                    kind=new.kind,
                    name=new.name,
                    prefix=new.prefix,
                    role=new.role.value,
                    created_ms=now,
                    expires_ms=now + new.lasts_ms,
                    address=new.address[:64],
                )
            )
            entry = AuditEntry(who, new.address, action, subject)
            await audit.record(connection, entry, now=now, details={"session": _hash(token)[:12]})
        return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
