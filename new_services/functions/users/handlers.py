"""Request handlers of the user profile service."""

from __future__ import annotations

from new_services.differences import enabled
from new_services.functions.users import profiles, service
from new_services.functions.vendor import paging
from new_services.functions.vendor.http import Request, Response, handler, single


@handler("GET", "HEAD")
def list_users(request: Request) -> Response:
    """GET /api/users"""
    bounds = paging.bounds(request)
    return paging.page(request, service.total(), service.listed, bounds)


@handler("GET", "HEAD")
def get_user(request: Request) -> Response:
    """GET /api/users/{id}"""
    user = service.get(request.number(2, "user"))
    if enabled("user-points-type"):
        user["loyalty"]["points"] = str(user["loyalty"]["points"])
    if enabled("user-updated-at-format"):
        user["updated_at"] = user["updated_at"].replace("T", " ").rstrip("Z")
    return single(request, user)


@handler("POST")
def create_user(request: Request) -> Response:
    """POST /api/users"""
    user = service.create(request.json())
    return single(request, user, 201, Location=request.url(f"/api/users/{user['id']}"))


@handler("PATCH")
def update_user(request: Request) -> Response:
    """PATCH /api/users/{id}"""
    return single(request, service.update(request.number(2, "user"), request.json()))


@handler("GET", "HEAD")
def get_profile(request: Request) -> Response:
    """GET /api/users/{id}/profile"""
    profile = profiles.get(request.number(2, "user"))
    if enabled("profile-emergency-contact-missing"):
        del profile["emergency_contact"]
    if enabled("profile-dietary-null"):
        profile["preferences"]["dietary"] = profile["preferences"]["dietary"] or None
    return single(request, profile)


@handler("PUT")
def put_profile(request: Request) -> Response:
    """PUT /api/users/{id}/profile"""
    return single(request, profiles.replace(request.number(2, "user"), request.json()))
