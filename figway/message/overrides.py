"""Methods that a request asks for beside its own: many frameworks go by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Final
from urllib.parse import unquote_to_bytes

from figway.message.http import RequestHead

_NAMES: Final = ("x http method override", "x http method", "x method override")


def _spelt(name: str) -> Iterator[bytes]:
    words = name.split()
    for separators in product("-_", repeat=len(words) - 1):
        pairs = zip(("", *separators), words, strict=True)
        yield "".join(separator + word for separator, word in pairs).encode()


OVERRIDES: Final = tuple(spelt for name in _NAMES for spelt in _spelt(name))
"""Fields by which a request asks for another method, in every spelling that CGI (RFC 3875, 4.1.18)
folds onto them; in lower case."""


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
    for name in OVERRIDES:
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


def _upper(value: bytes) -> str:
    return value.decode("latin-1").strip().upper()
