"""The console as an application of its own, mounted under `/console`."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from control_plane.console import render
from control_plane.console.access import Console, LoggedOut, visit
from control_plane.console.burn_up import BurnUp
from control_plane.console.fragment_cache import FragmentCache
from control_plane.console.live_state import LiveState
from control_plane.console.pages import (
    audit,
    breaker,
    explain,
    fleet,
    flips,
    home,
    items,
    keys,
    kill,
    live,
    login,
    operations,
    revisions,
    rollouts,
    route,
    routes,
    shadow,
    shadow_rules,
)
from control_plane.db.engine import UNAVAILABLE
from control_plane.http.problems import KNOWN, ApiProblem, meant, wrong_fields
from control_plane.services import Services

ROOT = "/console"
_MOST_BODY = 1_048_576
SCREENS = (
    login,
    home,
    routes,
    operations,
    items,
    flips,
    route,
    breaker,
    revisions,
    kill,
    live,
    explain,
    fleet,
    rollouts,
    audit,
    keys,
    shadow,
    shadow_rules,
)
"""The modules of the pages, each with its router."""


class _Static(StaticFiles):
    """Static files, whose addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Content-Security-Policy"] = render.CSP
        return response


def install(app: FastAPI, services: Services) -> None:
    """Mount the console into the control plane's application."""

    async def to_console(_: Request) -> Response:
        return RedirectResponse(f"{ROOT}/", 303)

    app.add_route("/", to_console, include_in_schema=False)
    app.add_route(ROOT, to_console, include_in_schema=False)
    app.mount(ROOT, create(services))


def create(services: Services) -> FastAPI:
    """The console over the services of a control plane."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        max_body_size=_MOST_BODY,
    )
    app.state.console = Console(
        services,
        services.sessions,
        LiveState(services),
        BurnUp(services),
        FragmentCache(),
    )
    app.state.services = services
    for screen in SCREENS:
        app.include_router(screen.router)
    app.mount("/static", _Static(directory=render.STATIC))
    _handle_errors(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(LoggedOut)
    async def logged_out(request: Request, error: LoggedOut) -> Response:
        if not render.is_fragment(request) and request.method == "GET":
            query = f"?{request.url.query}" if request.url.query else ""
            there = quote(f"{request.url.path}{query}", safe="")
            state = "&expired=1" if error.expired else ""
            return RedirectResponse(f"{ROOT}/login?next={there}{state}", 303)
        return _shown(
            request,
            ApiProblem(
                401,
                "session_expired",
                "Your session has expired",
                "Nothing was changed. Log in again; this page will be here",
            ),
        )

    async def known(request: Request, error: Exception) -> Response:
        problem = meant(error)
        if problem.status == 503 and request.method == "GET" and not render.is_fragment(request):
            return await _in_frame(request, problem)
        return _shown(request, problem)

    @app.exception_handler(ValidationError)
    async def form(request: Request, error: ValidationError) -> Response:
        # What a form describes is made here, and no request of the framework's.
        typed = request.method == "POST"
        return _shown(request, wrong_fields(error) if typed else meant(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        title = "There is no such page" if error.status_code == 404 else str(error.detail)
        return _shown(request, ApiProblem(error.status_code, "http", title))

    for kind in (*KNOWN, Exception):
        if kind is not HTTPException:
            app.add_exception_handler(kind, known)


async def _in_frame(request: Request, problem: ApiProblem) -> Response:
    """A page that cannot be made, with the head of every page around the reason: the kill switch,
    and what is known of the proxies, need no database."""
    try:
        found = await visit(request)
    except (LoggedOut, ApiProblem, *UNAVAILABLE):
        return _shown(request, problem)
    return await found.page("problem.html", problem.status, problem=problem)


def _shown(request: Request, problem: ApiProblem) -> HTMLResponse:
    """A problem as a page, or as a note: in the dialog that asked, else above the page."""
    response = render.page(request, "problem.html", {"problem": problem}, problem.status)
    response.headers.update(problem.headers)
    if render.is_fragment(request) and request.headers.get("hx-target") != "dialog":
        response.headers["HX-Retarget"] = "#notice"
        response.headers["HX-Reswap"] = "innerHTML"
    return response
