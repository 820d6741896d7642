"""Who asks: as the authoriser before the functions found out."""

from __future__ import annotations

from new_services.functions.vendor.http import ApiError, Request


def user_of(request: Request) -> int:
    """The user's id, from the field X-User that the authoriser sets. Raises ApiError (401)."""
    text = request.headers.get("x-user", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise ApiError(401, "unauthorized", "Nobody is signed in.")
    return int(text)
