"""Detectors: what a difference looks like, and a rule that covers it and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from figway.compare.answer import Context
from figway.compare.verdict import compare
from tests.support.answers import answer, compare_json

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
UUID = "3d6f0a5e-1111-4222-8333-44445555666"
NEW_YEAR = "2026-01-01T00:00:00Z"
DATE = "Wed, 21 Oct 2026 07:28:{} GMT"
LEGACY = "legacy.internal:8000"
CONTEXT = Context(facade="https://shop.example", backend_hosts=frozenset({LEGACY}))


@pytest.mark.parametrize(
    ("name", "legacy", "new", "detector", "kind"),
    [
        ("id", f"{UUID}a", f"{UUID.upper()}B", "uuid", "pattern"),
        ("ref", f"urn:{UUID}a", f"urn:{UUID}b", "uuid", "pattern"),
        ("at", NEW_YEAR, "2026-01-01T00:00:02Z", "iso_timestamp", "time_tolerance"),
        ("at", DATE.format("00"), DATE.format("09"), "http_date", "time_tolerance"),
        ("at", 1767225600, 1767225601, "epoch_s", "time_tolerance"),
        ("at", 1767225600123, 1767225601456, "epoch_ms", "time_tolerance"),
        ("at", "1767225600", "1767225601", "epoch_s", "time_tolerance"),
        ("auth", JWT, JWT.replace("c2ln", "d2ln"), "jwt", "pattern"),
        ("csrf_token", "abcdefghijkl", "lkjihgfedcba", "csrf_token", "pattern"),
        ("link", f"http://{LEGACY}/a", "https://shop.example/a", "backend_url", "pattern"),
        ("status", "Active", "ACTIVE", "case", "case"),
        ("key", "9f8e7d6c5b4a39281706f5e4", "00a1b2c3d4e5f60718293a4b", "random_token", "pattern"),
        ("price", 10.333333333, 10.333333334, "rounding", "number_tolerance"),
    ],
)
def test_a_detector_names_the_difference_and_its_rule_covers_it(
    name: str, legacy: Any, new: Any, detector: str, kind: str
) -> None:
    comparison = compare_json({name: legacy}, {name: new}, context=CONTEXT)
    (difference,) = comparison.differences
    assert difference.detector == detector
    assert difference.proposal is not None
    assert (difference.proposal.kind, difference.proposal.target) == (kind, f"$.{name}")
    covered = compare_json({name: legacy}, {name: new}, difference.proposal, context=CONTEXT)
    assert covered.verdict == "match"
    if kind != "ignore":
        # The rule covers values of that look, not whatever else comes to stand there.
        other = compare_json({name: legacy}, {name: "!"}, difference.proposal, context=CONTEXT)
        assert other.verdict == "mismatch"


@pytest.mark.parametrize(
    ("name", "legacy", "new"),
    [
        ("price", 5, 6),
        ("price", 5.0, 6.5),
        ("city", "Rome", "Oslo"),
        ("title", "international-standards", "international-cuisine-x"),
        ("at", "2026-01-01T00:00:00Z", "yesterday"),
        ("id", "3d6f0a5e-1111-4222-8333-444455556666", "none"),
        ("link", "http://legacy.internal:8000/a", "http://other.internal/a"),
        ("active", True, False),
    ],
)
def test_a_real_difference_looks_like_nothing(name: str, legacy: Any, new: Any) -> None:
    (difference,) = compare_json({name: legacy}, {name: new}, context=CONTEXT).differences
    assert (difference.detector, difference.proposal) == ("", None)


@pytest.mark.parametrize(
    ("name", "legacy", "new", "detector"),
    [
        ("at", NEW_YEAR, "2026-01-01T00:00:02.5+00:00", "iso_timestamp"),
        ("at", NEW_YEAR, "2020-01-01T00:00:00Z", "iso_timestamp"),
        ("at", NEW_YEAR, "2026-01-01T01:00:00Z", "iso_timestamp"),
        ("note", "made 2026-01-01T00:00:00Z", "made 2026-01-02 00:00", "iso_timestamp"),
        ("etag", "v1", "v2", "etag"),
        ("hits", 41, 42, "counter"),
        ("order_id", 1767225600, 1767225601, "epoch_s"),
        ("price", 10.1, 10.11, "rounding"),
        ("total", 19.99, 19.98, "rounding"),
    ],
)
def test_what_a_pair_alone_cannot_excuse_is_named_and_no_rule_is_proposed(
    name: str, legacy: Any, new: Any, detector: str
) -> None:
    (difference,) = compare_json({name: legacy}, {name: new}, context=CONTEXT).differences
    assert (difference.detector, difference.proposal) == (detector, None)


def test_a_number_as_text_and_a_null_left_out_are_named() -> None:
    assert compare_json({"a": 5}, {"a": "5.0"}).differences[0].detector == "number_as_text"
    assert compare_json({"a": None}, {}).differences[0].detector == "null_or_missing"


def test_a_csrf_token_in_a_form_is_named() -> None:
    legacy, new = (
        answer(f'<form><input name="csrf" value="{token}"></form>', "text/html")
        for token in ("k3j4h5k3j4h5", "z9z8z7z6z9z8")
    )
    (difference,) = compare(legacy, new).differences
    assert difference.detector == "csrf_token"


def test_a_long_text_costs_no_detection() -> None:
    legacy = {"a": "x" * 200_000}
    comparison = compare_json(legacy, {"a": legacy["a"] + json.dumps(1)})
    assert comparison.differences[0].detector == ""
