"""A proposed rule covers the form that both values have, and hides no other bug at the place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.compare.answer import Context
from figway.compare.differences import Difference
from figway.compare.verdict import compare
from tests.support.answers import answer, compare_json, json_answer

LEGACY = "legacy.internal:8000"
CONTEXT = Context(facade="https://shop.example", backend_hosts=frozenset({LEGACY}))
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

MADE_FROM: list[tuple[str, Any, Any]] = [
    ("id", "3d6f0a5e-1111-4222-8333-44445555666a", "0b1f4c1e-7c1d-4c55-9d3e-0f6f0d2b7c11"),
    ("ref", "urn:3D6F0A5E-1111-4222-8333-44445555666A", "urn:0B1F4C1E-7C1D-4C55-9D3E-0F6F0D2B7C11"),
    ("at", "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"),
    ("at", "2026-01-01T00:00:00.123+01:00", "2026-01-01T00:00:04.567+01:00"),
    ("at", "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:09 GMT"),
    ("created_at", 1767225600, 1767225601),
    ("created_at", 1767225600123, 1767225601456),
    ("auth", JWT, JWT.replace("c2ln", "d2ln")),
    ("csrf_token", "k3j4h5k3j4h5", "z9z8z7z6z9z8"),
    ("link", f"http://{LEGACY}/a", "https://shop.example/a"),
    ("status", "Active", "ACTIVE"),
    ("key", "9f8e7d6c5b4a39281706f5e4", "0c3b8e71aa94d2f6b5e8017c"),
    ("key", "Xk2p9QzLm4Rt7Wv1Yb8N", "a7Qw3Zx9Ce5Rv1Tb8Yn2"),
    ("key", "sess_Xk2p9QzLm4Rt7Wv1Yb8N", "sess_a7Qw3Zx9Ce5Rv1Tb8Yn2"),
    ("price", 10.333333333, 10.333333334),
    ("price", 0.1 + 0.2, 0.3),
]


def _text(change: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, str) else change(str(value))


def _number(by: Callable[[float], Any]) -> Callable[[Any], Any]:
    return lambda value: by(value) if isinstance(value, int | float) else by(float(len(value)))


ABSENT = object()
MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "empty": lambda value: "",
    "null": lambda value: None,
    "absent": lambda value: ABSENT,
    "a word": lambda value: "undefined",
    "an object as text": lambda value: "[object Object]",
    "true": lambda value: True,
    "zero": lambda value: 0,
    "a list of it": lambda value: [value],
    "an object of it": lambda value: {"value": value},
    "half": _text(lambda text: text[: len(text) // 2]),
    "twice": _text(lambda text: text + text),
    "something before": _text(lambda text: "x" + text),
    "something behind": _text(lambda text: text + "!"),
    "a space behind": _text(lambda text: text + " "),
    "in quotes": _text(lambda text: f'"{text}"'),
    "cut by one": _text(lambda text: text[:-1]),
    "letters only": _text(lambda text: re.sub(r"[^a-z]", "q", text.lower())),
    "nil": _text(lambda text: "00000000-0000-0000-0000-000000000000"),
    "another year": _text(lambda text: text.replace("2026", "2025").replace("17672", "17358")),
    "another hour": _text(lambda text: text.replace("T00:", "T01:").replace(" 07:", " 08:")),
    "another offset": _text(lambda text: text.replace("Z", "+02:00").replace("+01:00", "+03:00")),
    "10 % more": _number(lambda number: number * 1.1),
    "a cent more": _number(lambda number: number + 0.01),
    "negative": _number(lambda number: -number),
}
SAME_FORM = {
    # Of hexadecimal digits no letter may be another than a to f; elsewhere letters are the form.
    "letters only": {"csrf_token", "key", "status"},
}


def proposed(name: str, legacy: Any, new: Any) -> Difference:
    (difference,) = compare_json({name: legacy}, {name: new}, context=CONTEXT).differences
    assert difference.proposal is not None
    return difference


@pytest.mark.parametrize(("name", "legacy", "new"), MADE_FROM)
def test_a_proposal_hides_no_other_bug(name: str, legacy: Any, new: Any) -> None:
    """What it was made from is changed in over 20 ways, on either side: all of them still show."""
    rule = proposed(name, legacy, new).proposal
    assert rule is not None
    assert compare_json({name: legacy}, {name: new}, rule, context=CONTEXT).verdict == "match"
    hidden = []
    for title, change in MUTATIONS.items():
        for here, there in ((legacy, change(new)), (change(legacy), new)):
            sides = [{} if side is ABSENT else {name: side} for side in (here, there)]
            if sides[0] == sides[1] or name in SAME_FORM.get(title, ()):
                continue
            left, right = sides
            if (left, right) == ({name: legacy}, {name: new}):
                continue
            if compare_json(left, right, context=CONTEXT).verdict == "match":
                continue
            if compare_json(left, right, rule, context=CONTEXT).verdict == "match":
                hidden.append((title, here, there))
    assert hidden == []


@given(st.text(max_size=40) | st.integers() | st.floats(allow_nan=False) | st.none())
def test_a_proposal_hides_nothing_that_is_drawn(value: object) -> None:
    for name, legacy, new in MADE_FROM:
        rule = proposed(name, legacy, new).proposal
        assert rule is not None
        plain = compare_json({name: legacy}, {name: value}, context=CONTEXT)
        if plain.verdict == "mismatch":
            ruled = compare_json({name: legacy}, {name: value}, rule, context=CONTEXT)
            assert ruled.verdict == "mismatch", (rule, value)


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        ({"a": None}, {}),
        ({"a": 5}, {"a": None}),
        ({"a": [1, 2, 3]}, {"a": [3, 2, 1]}),
        ({"a": [3, 1, 2]}, {"a": [1, 2, 3]}),
        ({"a": [{"id": 1}, {"id": 2}]}, {"a": [{"id": 2}, {"id": 1}]}),
        ({"a": 19.99}, {"a": 19.98}),
        ({"total": 10.005}, {"total": 10.01}),
        ({"version": 3}, {"version": 4}),
        ({"sku": "SHOE-RED-0042-EUR39"}, {"sku": "SHOE-BLU-0042-EUR41"}),
        ({"a": "STRASSE"}, {"a": "straße"}),
        ({"a": "2024-03-01T10:00:00+01:00"}, {"a": "2024-03-01T10:00:00+00:00"}),
        ({"a": "2024-03-01T10:00:00Z"}, {"a": "2024-03-01T12:00:00Z"}),
        ({"a": "on 2024-03-01T10:00:00Z"}, {"a": "on 2025-03-01T10:00:00Z"}),
        ({"a": "Rome"}, {"a": ""}),
        ({"order_id": 1767225600}, {"order_id": 1767225601}),
        ({"etag": "v1"}, {"etag": "v2"}),
    ],
)
def test_no_rule_is_proposed_that_would_hide_what_it_was_made_from(
    legacy: object, new: object
) -> None:
    for difference in compare_json(legacy, new).differences:
        assert difference.proposal is None


def test_no_rule_is_proposed_for_bytes() -> None:
    legacy, new = (answer(body, "application/octet-stream") for body in (b"\0" * 40, b"\1" * 40))
    assert [one.proposal for one in compare(legacy, new).differences] == [None]


def test_a_proposal_says_what_it_would_excuse() -> None:
    difference = proposed("at", "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z")
    assert difference.excuses == (
        "moments at most 5 seconds apart, both written like 2026-01-01T00:00:00Z"
    )
    assert difference.to_dict()["excuses"] == difference.excuses
    token = proposed("key", "9f8e7d6c5b4a39281706f5e4", "0c3b8e71aa94d2f6b5e8017c")
    assert token.excuses == "any text of the form [0-9a-f]{24} in place of another"
    plain = compare(json_answer({"a": 1}), json_answer({"a": 2})).differences[0]
    assert plain.excuses == ""
