"""Request handlers of the site: the login form and the old addresses."""

from __future__ import annotations

import secrets

from new_services.differences import enabled
from new_services.functions.site import pages
from new_services.functions.vendor.http import Request, Response, handler

_INTERNAL = "http://functions.wayfarer.internal"
_VISIT = "wf_visit"


@handler("GET", "HEAD")
def redirects(request: Request) -> Response:
    """GET /old-home, GET /hotel.php?id="""
    if request.path == "/old-home":
        if enabled("old-home-location"):
            return Response(302, headers={"Location": f"{_INTERNAL}/"})
        return Response(302, headers={"Location": request.url("/")})
    number = request.query().get("id", "")
    return Response(302, headers={"Location": request.url(f"/hotels/{number}")})


@handler("GET", "HEAD")
def login(request: Request) -> Response:
    """GET /login"""
    response = Response(200, pages.login(secrets.token_hex(16)), pages.CONTENT_TYPE)
    if _VISIT not in request.cookies:
        http_only = "" if enabled("login-cookie-httponly") else "HttpOnly; "
        response.cookies.append(
            f"{_VISIT}={secrets.token_hex(16)}; Path=/; {http_only}SameSite=Lax"
        )
    return response
