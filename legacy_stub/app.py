"""The application: which request goes to which function, counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from legacy_stub import api, export, files, internal, live, pages, partners
from legacy_stub.answers import JSON_TYPE, ApiError, error_body, packed
from legacy_stub.counters import Counters
from legacy_stub.edge import Edge
from legacy_stub.operations import graph, rpc, soap
from legacy_stub.shop import Shop

_Handler = Callable[[Request], Awaitable[Response]]

_ROUTES: tuple[tuple[str, str, _Handler], ...] = (
    ("GET", "/api/users/{id}", api.get_user),
    ("GET", "/api/users/{id}/profile", api.get_profile),
    ("GET", "/api/catalogue", api.search_catalogue),
    ("POST", "/api/catalogue/search", api.find_in_catalogue),
    ("GET", "/api/catalogue/{id}", api.get_hotel),
    ("GET", "/api/catalogue/{id}/availability", api.availability),
    ("GET", "/api/bookings", api.list_bookings),
    ("GET", "/api/bookings/{id}", api.get_booking),
    ("GET", "/api/users", api.list_users),
    ("POST", "/api/users", api.add_user),
    ("PATCH", "/api/users/{id}", api.change_user),
    ("PUT", "/api/users/{id}/profile", api.replace_profile),
    ("POST", "/api/bookings", api.add_booking),
    ("POST", "/api/bookings/{id}/payments", api.add_payment),
    ("DELETE", "/api/bookings/{id}", api.cancel_booking),
    ("GET", "/", pages.home),
    ("GET", "/hotels", pages.list_hotels),
    ("GET", "/hotels/{id}", pages.show_hotel),
    ("GET", "/login", pages.login_form),
    ("POST", "/login", pages.login),
    ("POST", "/logout", pages.logout),
    ("GET", "/account", pages.account),
    ("POST", "/preferences", pages.preferences),
    ("GET", "/old-home", pages.old_home),
    ("GET", "/hotel.php", pages.old_hotel),
    ("GET", "/export/catalogue.xml", export.catalogue_xml),
    ("GET", "/files/uploads/{id}", files.uploaded),
    ("GET", "/files/{name}", files.download),
    ("POST", "/files", files.upload),
    ("GET", "/live/prices", live.prices),
    ("GET", soap.PATH, soap.describe),
    ("POST", soap.PATH, soap.call),
    ("GET", "/graphql", graph.get),
    ("POST", "/graphql", graph.post),
    ("POST", "/rpc", rpc.call),
    ("GET", "/supplier/prices", partners.supplier_prices),
    ("GET", "/brochures/{name}", partners.brochure),
    ("GET", "/slow", live.slow),
    ("GET", "/flaky", live.flaky),
    ("GET", "/internal/events", internal.events),
    ("PATCH", "/internal/hotels/{id}", internal.change_hotel),
    ("PUT", "/internal/webhooks", partners.subscribe),
    ("POST", "/internal/webhooks/again", partners.send_again),
    ("GET", "/internal/stats", internal.stats),
    ("DELETE", "/internal/stats", internal.clear_stats),
    ("GET", "/internal/faults", internal.list_faults),
    ("POST", "/internal/faults", internal.add_fault),
    ("DELETE", "/internal/faults", internal.clear_faults),
)


def build(shop: Shop) -> ASGIApp:
    """The whole application."""
    routes: list[BaseRoute] = [
        Route(path, _counted(shop.counters, path, handler), methods=[method])
        for method, path, handler in [*_ROUTES, *_preflights()]
    ]
    routes.append(WebSocketRoute("/ws/support", _counted_socket(shop.counters, "/ws/support")))
    app = Starlette(
        routes=routes,
        exception_handlers={ApiError: _on_api_error, HTTPException: _on_http_error},
    )
    app.router.redirect_slashes = False
    app.state.shop = shop
    return Edge(app, shop)


def _preflights() -> list[tuple[str, str, _Handler]]:
    paths = sorted({path for _, path, _ in _ROUTES if path.startswith("/api/")})
    return [("OPTIONS", path, api.preflight) for path in paths]


def _counted(counters: Counters, path: str, handler: _Handler) -> _Handler:
    internal_path = path.startswith("/internal/")

    async def run(request: Request) -> Response:
        if not internal_path:
            counters.executed[f"{request.method} {path}"] += 1
        answer = await handler(request)
        if path.startswith("/api/") and "origin" in request.headers:
            answer.headers["access-control-allow-origin"] = request.headers["origin"]
            answer.headers.add_vary_header("Origin")
        return answer

    return run


def _counted_socket(counters: Counters, path: str) -> Callable[[WebSocket], Awaitable[None]]:
    async def run(socket: WebSocket) -> None:
        counters.executed[f"WEBSOCKET {path}"] += 1
        await live.support(socket)

    return run


def _wants_json(request: Request) -> bool:
    """The API and what programs use; the rest is for people."""
    programs = (
        *("/api/", "/internal/", "/files", "/slow", "/flaky", "/live/", "/export/"),
        *("/ws/", "/graphql", "/rpc", "/supplier/", "/brochures/"),
    )
    return request.url.path.startswith(programs)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if not _wants_json(request):
        return pages.error_page(request, error.status, error.message, {})
    body = error_body(error, request.scope["request_id"])
    return packed(request, body, JSON_TYPE, error.status)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    codes = {404: "not_found", 405: "method_not_allowed"}
    known = codes.get(error.status_code, "bad_request")
    message = "Nothing is here." if error.status_code == 404 else str(error.detail)
    if not _wants_json(request):
        return pages.error_page(request, error.status_code, message, headers)
    body = error_body(ApiError(error.status_code, known, message), request.scope["request_id"])
    return packed(request, body, JSON_TYPE, error.status_code, headers)
