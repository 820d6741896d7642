"""Methods and paths that a request asks for beside its own: many frameworks go by them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from figway.message.forwarded import folded
from figway.message.http import RequestHead

_METHODS: Final = (b"x-http-method-override", b"x-http-method", b"x-method-override")
_PATHS: Final = (
    b"x-original-url",
    b"x-rewrite-url",
    b"x-original-uri",
    b"x-override-url",
    b"x-http-destinationurl",
)
OVERRIDES: Final = frozenset(_METHODS + _PATHS)
"""Fields by which a request asks for another method or path, in lower case. `known_as` gives the
other spellings of them."""
_OVERRIDE: Final = re.compile(
    rb"x[^a-z0-9](?:http|method|original|rewrite|override)[^a-z0-9][a-z0-9]"
).match
_AUTHORITY: Final = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]*+://[^/?#]*+").match


def known_as(name: bytes) -> bytes:
    """What a field is looked up by, its name in lower case: the name, but one name for all
    spellings that CGI (RFC 3875, 4.1.18) folds onto one of `OVERRIDES`."""
    if name[0] != 0x78 or _OVERRIDE(name) is None:
        return name
    one = folded(name)
    return one if one in OVERRIDES else name


def _letter(letter: str) -> bytes:
    codes = "|".join(f"%{ord(case):02x}" for case in {letter, letter.upper()})
    return f"(?:{letter}|{codes})".encode()


_ASKS: Final = re.compile(
    rb"(?:^|[&;])(?: |%20)*(?:[_.\[]|%5f|%2e|%5b)"
    + b"".join(map(_letter, "method"))
    + rb"(?:%5b|%5d|[\[\]]|%00)*=([^&;]*)",
    re.IGNORECASE,
)
"""`_method` in a query: encoded, or as PHP mends names."""


def asked_methods(head: RequestHead) -> set[str]:
    """The methods that a request asks for beside its own, in upper case: by a field, by `_method`
    in its query, or because its own is not in upper case."""
    asked = set[str]()
    for name in _METHODS:
        value = head.get(name)
        if value:
            asked.update(_upper(item) for item in value.split(b","))
    if head.query:
        found = _ASKS.findall(head.query.replace(b"+", b" "))
        asked.update(_upper(unquote_to_bytes(value)) for value in found)
    method = head.method
    upper = method.upper()
    if upper != method:
        asked.add(upper)
    asked.discard(method)
    asked.discard("")
    return asked


def asked_paths(head: RequestHead) -> list[bytes]:
    """The paths that a request asks for beside its own, by fields that IIS and frameworks behind it
    go by; without scheme, authority and query."""
    asked: list[bytes] = []
    for name in _PATHS:
        field = head.get(name)
        if field:
            asked += [_path(value.strip()) for value in field.split(b",") if value.strip()]
    return asked


def _path(url: bytes) -> bytes:
    authority = _AUTHORITY(url)
    path = (url if authority is None else url[authority.end() :]).partition(b"?")[0]
    return path if path[:1] == b"/" else b"/" + path


def _upper(value: bytes) -> str:
    return value.decode("latin-1").strip().upper()
