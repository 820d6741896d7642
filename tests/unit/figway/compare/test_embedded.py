"""Documents inside strings are compared as documents."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from figway.compare.rules import ComparisonRule, RuleKind
from figway.compare.verdict import compare
from tests.support.answers import answer, compare_json, found


def packed(text: str) -> str:
    """Gzip in base64, the same each time."""
    return b64(gzip.compress(text.encode(), mtime=0))


def b64(text: str | bytes, *, url: bool = False) -> str:
    data = text.encode() if isinstance(text, str) else text
    return (base64.urlsafe_b64encode if url else base64.b64encode)(data).decode()


def jwt(claims: dict[str, object], signature: str = "c2lnbmF0dXJl") -> str:
    parts = (b64(json.dumps(part), url=True).rstrip("=") for part in ({"alg": "HS256"}, claims))
    return ".".join((*parts, signature))


DOCUMENT, RESPELT = '{"total": 5, "items": [1, 2]}', '{"items":[1,2],"total":5.0}'
CHANGED = '{"total": 6, "items": [1, 2]}'


@pytest.mark.parametrize(
    ("legacy", "new", "expected"),
    [
        (DOCUMENT, RESPELT, []),
        (DOCUMENT, CHANGED, ["$.p['json()'].total"]),
        (b64(DOCUMENT), b64(RESPELT), []),
        (b64(DOCUMENT), b64(CHANGED, url=True), ["$.p['base64()'].total"]),
        (packed(DOCUMENT), packed(CHANGED),
         ["$.p['base64()'].total"]),
        (b64("<a><b>1</b></a>"), b64("<a><b>2</b></a>"), ["$.p['base64()'].a.b[*]"]),
        ('<?xml version="1.0"?><a>1</a>', '<?xml version="1.0"?><a>2</a>', ["$.p['xml()'].a"]),
        (jwt({"sub": "1", "iat": 1}), jwt({"sub": "2", "iat": 1}), ["$.p['jwt()'].payload.sub"]),
        (jwt({"sub": "1"}), jwt({"sub": "1"}, "b3RoZXI"), ["$.p"]),
        (json.dumps({"in": DOCUMENT}), json.dumps({"in": CHANGED}),
         ["$.p['json()'].in['json()'].total"]),
        (DOCUMENT, b64(DOCUMENT), ["$.p"]),
        (DOCUMENT, "{no json at all}", ["$.p"]),
        (b64("plain text, no document"), b64("other text, no document"), ["$.p"]),
        ("[" * 500 + "]" * 500, "[" * 500 + " ]" * 500, ["$.p"]),
        (b64(b"\x1f\x8b broken gzip here"), b64(b"\x1f\x8b broken gzip there"), ["$.p"]),
    ],
)  # fmt: skip
def test_strings_that_hold_a_document(legacy: str, new: str, expected: list[str]) -> None:
    for one, other in ((legacy, new), (new, legacy)):
        comparison = compare_json({"p": one}, {"p": other})
        assert [path for path, _ in found(comparison)] == expected


def test_rules_reach_into_the_string_and_cover_it_whole() -> None:
    for target in ("$.p", "$.p['json()'].total", "$..total"):
        rule = ComparisonRule("r", RuleKind.IGNORE, target)
        assert compare_json({"p": DOCUMENT}, {"p": CHANGED}, rule).verdict == "match"
    rule = ComparisonRule("r", RuleKind.PATTERN, "$.p", pattern="[0-9]")
    assert compare_json({"p": DOCUMENT}, {"p": CHANGED}, rule).verdict == "match"


def test_lines_of_text_are_not_opened() -> None:
    pair = [answer(f"{text}\nx\n") for text in (DOCUMENT, RESPELT)]
    assert compare(pair[0], pair[1]).verdict == "mismatch"
