"""Who is at the counter: visitor and session cookies, tokens in forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from legacy_stub.answers import ApiError
from legacy_stub.shop import Shop, shop_of

VISIT, SESSION = "wf_visit", "wf_session"
_FORM_LIMIT = 1 << 16
_SESSION_SECONDS = 28_800


def visit_of(request: Request) -> tuple[str, bool]:
    """The visitor's id, and whether it is new."""
    known = request.cookies.get(VISIT, "")
    if len(known) == 32 and known.isascii() and known.isalnum():
        return known, False
    return secrets.token_hex(16), True


def remember_visit(answer: Response, visit: str) -> None:
    """Set the visitor's cookie."""
    answer.headers.append("set-cookie", f"{VISIT}={visit}; Path=/; HttpOnly; SameSite=Lax")


def form_token(shop: Shop, visit: str) -> str:
    """A token for one rendering of a form, bound to the visitor."""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{_signature(shop, visit, nonce)}"


def _signature(shop: Shop, visit: str, nonce: str) -> str:
    return hmac.new(shop.secret, f"{visit}.{nonce}".encode(), hashlib.sha256).hexdigest()[:32]


async def form_of(request: Request) -> dict[str, str]:
    """A form's fields, its token checked. Raises `ApiError` (403, 413)."""
    body = await request.body()
    if len(body) > _FORM_LIMIT:
        raise ApiError(413, "too_large", "This form is too long.")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    nonce, _, signature = fields.get("csrf_token", "").partition(".")
    expected = _signature(shop_of(request), request.cookies.get(VISIT, ""), nonce)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise ApiError(403, "forbidden", "This form has expired. Please load the page again.")
    return fields


def begin_session(request: Request, fields: dict[str, str]) -> str | None:
    """The cookie of a new session, or None for a wrong e-mail or password."""
    db = shop_of(request).db
    key = fields.get("email", "").strip().casefold()
    row = db.row("SELECT id, password FROM users WHERE email_key = ? AND active = 1", key)
    stored = (row["password"] if row else None) or secrets.token_hex()
    given = fields.get("password", "")
    if not hmac.compare_digest(given.encode(), stored.encode()) or row is None:
        return None
    token = secrets.token_hex(24)
    db.insert("sessions", token=token, user_id=row["id"])
    return f"{SESSION}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={_SESSION_SECONDS}"


def end_session(request: Request) -> str:
    """Forget the session; the cookie that forgets it too."""
    token = request.cookies.get(SESSION, "")
    shop_of(request).db.change("DELETE FROM sessions WHERE token = ?", token)
    return f"{SESSION}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"


def user_of(request: Request) -> sqlite3.Row | None:
    """The user of the session, if there is one."""
    token = request.cookies.get(SESSION)
    if not token:
        return None
    return shop_of(request).db.row(
        "SELECT u.* FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token = ?", token
    )
