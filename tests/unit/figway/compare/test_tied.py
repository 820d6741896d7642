"""Values that legacy repeats at another place of its answer, and new does not."""

from __future__ import annotations

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.verdict import compare


def page(body: str, policy: str = "") -> Answer:
    head = [(b"Content-Type", b"text/html; charset=utf-8")]
    if policy:
        head.append((b"Content-Security-Policy", f"script-src 'nonce-{policy}'".encode()))
    return Answer(200, tuple(head), f"<html><body>{body}</body></html>".encode())


def untied(legacy: Answer, new: Answer) -> list[str]:
    found = compare(legacy, new, (), Context()).differences
    return [item.path for item in found if item.path.endswith("['tied()']")]


def field(label: str, name: str) -> Answer:
    return page(f"<label for='{label}'>City</label><input id='{name}' name='city'>")


def test_a_label_that_names_another_field_is_told() -> None:
    """`a label of another field`: both ids are drawn anew by each side at each answer."""
    legacy = field("f-3a9c1b7e", "f-3a9c1b7e")
    assert untied(legacy, field("f-77d0e2c1", "f-0c1e2d77"))
    assert not untied(legacy, field("f-77d0e2c1", "f-77d0e2c1"))


def script(nonce: str, policy: str) -> Answer:
    return page(f"<script nonce='{nonce}'>a()</script>", policy)


def test_a_policy_with_another_nonce_than_the_page_is_told() -> None:
    """`another nonce in the policy`: the page's scripts do not run."""
    legacy = script("q1Zr8fXw0aPl", "q1Zr8fXw0aPl")
    assert untied(legacy, script("Lm4k2TnB9xQe", "v7Hd3YcJ5uWs"))
    assert not untied(legacy, script("Lm4k2TnB9xQe", "Lm4k2TnB9xQe"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("2026-06-01T10:00:00Z", "2026-06-01T10:00:01Z"), ("12345678", "12345679"), ("open", "paid")],
)
def test_what_is_equal_by_chance_is_not_tied(one: str, other: str) -> None:
    assert not untied(field(one, one), field(other, one + other))
