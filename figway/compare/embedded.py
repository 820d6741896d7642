"""Documents inside strings: JSON and XML as text, in base64, gzipped in base64, and in JWTs.

Two strings that both hold one are compared by it: `$.payload['json()'].total`.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from figway.compare.canonical.json import NotThisFormat, Value, check_depth, parse_json
from figway.compare.canonical.xml import parse_xml
from figway.compare.limits import Budget, CompareError

MOST_NESTED = 2
_SHORTEST, _LONGEST = 12, 262_144
_DEPTH = 32
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_JWT = re.compile(r"(eyJ[A-Za-z0-9_-]{5,})\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")


def opened(legacy: str, new: str, budget: Budget) -> tuple[str, Value, Value] | None:
    """How two unequal strings hold a document, and the two documents; None where not both do.

    Two JWTs with the same claims are told apart by their signatures, so they are not opened.

    Raises:
        CompareError: the budget's own.
    """
    if min(len(legacy), len(new)) < _SHORTEST or max(len(legacy), len(new)) > _LONGEST:
        return None
    left = _opened(legacy, budget)
    right = None if left is None else _opened(new, budget)
    if left is None or right is None or left[0] != right[0]:
        return None
    return left[0], left[1], right[1]


def _opened(text: str, budget: Budget) -> tuple[str, Value] | None:
    budget.spend(1 + len(text) // 64)
    try:
        if text[0] in "{[" or text.startswith("<?xml"):
            return _document(text, budget)
        if found := _JWT.fullmatch(text):
            parts: list[Value] = [parse_json(_decoded(part).decode()) for part in found.groups()]
            check_depth(parts, _DEPTH)
            return "jwt()", {"header": parts[0], "payload": parts[1]}
        if _BASE64.fullmatch(text):
            plain = _decoded(text)
            if plain[:2] == b"\x1f\x8b":
                plain = zlib.decompressobj(31).decompress(plain, _LONGEST)
            inner = plain.decode()
            if inner[:1] in ("{", "[") or inner.startswith("<"):
                return "base64()", _document(inner, budget)[1]
    except (NotThisFormat, UnicodeDecodeError, binascii.Error, zlib.error, RecursionError):
        return None
    except CompareError as error:
        if error.reason in ("too_deep", "declares_entities"):
            return None
        raise
    return None


def _document(text: str, budget: Budget) -> tuple[str, Value]:
    if text[0] == "<":
        return "xml()", parse_xml(text, budget, _DEPTH)
    tree = parse_json(text)
    check_depth(tree, _DEPTH)
    return "json()", tree


def _decoded(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
