"""The login page."""

from __future__ import annotations

CONTENT_TYPE = "text/html; charset=utf-8"


def login(token: str) -> bytes:
    return f'<input type="hidden" name="csrf_token" value="{token}">'.encode()
