"""The page of one hotel."""

from __future__ import annotations

from html import escape
from typing import Any

from new_services.functions.vendor.http import Request

CONTENT_TYPE = "text/html; charset=utf-8"


def hotel(hotel: dict[str, Any], request: Request) -> bytes:
    return f"<!doctype html><h1>{escape(hotel['name'])}</h1>".encode()


def missing() -> bytes:
    return b"<!doctype html><h1>Not found</h1>"
