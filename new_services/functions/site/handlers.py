"""Request handlers of the site: the login form and the old addresses."""

from __future__ import annotations

from new_services.differences import enabled
from new_services.functions.site import pages
from new_services.functions.vendor import html
from new_services.functions.vendor.http import Request, Response, handler, not_found

_INTERNAL = "http://functions.wayfarer.internal"


@handler("GET", "HEAD")
def redirects(request: Request) -> Response:
    """GET /old-home, GET /hotel.php?id="""
    if request.path == "/old-home":
        if enabled("old-home-location"):
            return Response(302, headers={"Location": f"{_INTERNAL}/"})
        return Response(302, headers={"Location": request.url("/")})
    number = request.query().get("id", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 12):
        return html.error(request, not_found("hotel"))
    return Response(302, headers={"Location": request.url(f"/hotels/{number}")})


@handler("GET", "HEAD")
def login(request: Request) -> Response:
    """GET /login"""
    response = html.page(request, pages.TITLE, pages.login(html.token()))
    if enabled("login-cookie-httponly"):
        response.cookies = [cookie.replace(" HttpOnly;", "") for cookie in response.cookies]
    return response
