"""Logging in with a key or a one-time link, and out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from control_plane.auth.roles import Role
from control_plane.auth.sessions import SESSION_MS
from control_plane.console import render
from control_plane.console.access import COOKIE, Leaving, console, own_origin
from control_plane.db.engine import UNAVAILABLE
from control_plane.http.problems import ApiProblem

router = APIRouter()
_HOME = "/console"
_PATIENCE_S = 3.0
_AWAY = (
    "The database does not answer, so that no session can be begun. The kill switch needs neither; "
    "with a key: figway kill on"
)


@router.get("/login")
async def ask(request: Request, next: str = "", token: str = "", expired: str = "") -> Response:
    """The form. A link's token is not used up by looking: only the form that it fills sends it."""
    context = {"next": _inside(next), "token": token[:200], "expired": bool(expired), "wrong": ""}
    return render.page(request, "login.html", context)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Exchange a key or a link for a session."""
    async with request.form() as form:
        given = {name: str(value)[:2_000] for name, value in form.items()}
    there, found = _inside(given.get("next", "")), console(request)
    address = request.client.host if request.client else ""
    try:
        if not own_origin(request):
            raise ApiProblem(403, "csrf", "Not from this console", "open the log-in page itself")
        if given.get("token"):
            session = await found.sessions.redeem(given["token"], address)
            if session is None:
                raise ApiProblem(
                    401,
                    "link_used",
                    "This link does not work",
                    "a link works once, within 15 minutes of the start that printed it. Log in "
                    "with a key",
                )
        else:
            actor = await found.services.auth.authenticate(
                given.get("key", "").strip(), address, "console"
            )
            if actor.role is Role.PROXY:
                raise ApiProblem(403, "forbidden", "Not for people", "this key is a proxy's")
            session = await found.services.database.within(_PATIENCE_S, found.sessions.start(actor))
    except UNAVAILABLE:
        context = {"next": there, "token": "", "expired": False, "wrong": _AWAY}
        return render.page(request, "login.html", context, 503)
    except ApiProblem as error:
        if error.status != 429:  # beyond that it would be a flood
            await found.sessions.failed(address, error.title)
        wrong = f"{error.title}: {error.detail}"
        context = {"next": there, "token": "", "expired": False, "wrong": wrong}
        answer = render.page(request, "login.html", context, error.status)
        if "Retry-After" in error.headers:
            answer.headers["Retry-After"] = error.headers["Retry-After"]
        return answer
    response = RedirectResponse(there, 303)
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_MS // 1_000,
        path=_HOME,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def log_out(visit: Leaving) -> Response:
    """End the session."""
    entry = visit.actor.entry("session.end", "own session")
    await visit.console.sessions.end(visit.session.token, entry)
    response = RedirectResponse(f"{_HOME}/login", 303)
    response.delete_cookie(COOKIE, path=_HOME)
    return response


def _inside(there: str) -> str:
    """`there` if it is a page of the console: nothing leads elsewhere after logging in."""
    inside = there == _HOME or there.startswith((f"{_HOME}/", f"{_HOME}?"))
    if not inside or "\\" in there or "//" in there or not there.isprintable():
        return _HOME
    return there if not there.startswith(f"{_HOME}/login") else _HOME
