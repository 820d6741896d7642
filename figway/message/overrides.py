"""Methods that a request asks for beside its own: many frameworks go by them."""

from __future__ import annotations

from typing import Final

from figway.message.http import RequestHead

OVERRIDES: Final = (b"x-http-method-override", b"x-http-method", b"x-method-override")
"""Fields by which a request asks for another method."""


def overriding(head: RequestHead) -> str:
    """The method that a request asks for beside its own; empty if none."""
    for name in OVERRIDES:
        value = head.get(name)
        if value:
            return value.decode("latin-1").strip().upper()
    for pair in head.query.split(b"&") if b"_method" in head.query else ():
        key, _, value = pair.partition(b"=")
        if key == b"_method":
            return value.decode("latin-1").upper()
    if head.method != head.method.upper():
        return head.method.upper()
    return ""
