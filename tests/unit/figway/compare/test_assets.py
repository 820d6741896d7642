"""Assets under the names of another build: told as what they are, and excused by the rule that is
proposed, in a whole page; another file, or none, is found all the same."""

from __future__ import annotations

import re

import pytest

from figway.compare.answer import Answer
from figway.compare.asset_names import hash_pattern, without_hashes
from figway.compare.rules import ComparisonRule, RuleSet
from figway.compare.verdict import Comparison, compare

PAGE = """<!doctype html><html><head><title>Shop</title>
<link rel="stylesheet" href="/css/app.{one}.css">
<script type="module" src="/js/index-{two}.js"></script></head>
<body><img src="/i/logo-{one}.png" srcset="/i/a.{one}.png 1x, /i/b.{one}.png 2x"
alt="Shop"><p>Hello</p></body></html>"""


def page(one: str, two: str = "BxK3mQ9a", text: str = PAGE) -> Answer:
    body = text.replace("{one}", one).replace("{two}", two).encode()
    return Answer(200, ((b"Content-Type", b"text/html; charset=utf-8"),), body)


def held(legacy: Answer, new: Answer, *rules: ComparisonRule) -> Comparison:
    return compare(legacy, new, RuleSet(rules))


OLD, NEW = page("3f9a1c07"), page("77bb12de", "Zq81LmPe")


def proposed() -> tuple[ComparisonRule, ...]:
    found = held(OLD, NEW).differences
    assert {item.detector for item in found} == {"hashed_asset"}
    return tuple(item.proposal for item in found if item.proposal is not None)


def test_names_of_another_build_are_told_apart_and_one_rule_a_place_excuses_them() -> None:
    """Line 3: hashed assets inside a whole page."""
    rules = proposed()
    assert [rule.target for rule in rules] == [
        "$.html.head[*].link[*]['@href']",
        "$.html.head[*].script[*]['@src']",
        "$.html.body[*].img[*]['@src']",
        "$.html.body[*].img[*]['@srcset']",
    ]
    assert held(OLD, NEW, *rules).verdict == "match"
    assert held(OLD, page("0a1b2c3d", "q7Rs81Tu"), *rules).verdict == "match"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/css/app.{one}.css", "/css/print.{one}.css"),
        ("/js/index-{two}.js", "/v2/index-{two}.js"),
        ("/js/index-{two}.js", "/js/index-{two}.mjs"),
        ("/js/index-{two}.js", "/js/index.js"),
        ("/i/logo-{one}.png", "/i/logo-{one}.svg"),
        ('<script type="module" src="/js/index-{two}.js"></script>', ""),
        ("<p>Hello</p>", "<p>Hallo</p>"),
        ("/css/app.{one}.css", "/css/app.{one}ff.css"),
    ],
)
def test_another_file_is_found_in_spite_of_the_rules(old: str, new: str) -> None:
    """Line 3."""
    changed = page("77bb12de", "Zq81LmPe", PAGE.replace(old, new))
    assert held(OLD, changed, *proposed()).verdict == "mismatch"


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        ("/a/app.3f9a1c07.js", "/a/app.77bb12de.js"),
        ("/a/app.3f9a1c07.min.js", "/a/app.77bb12de.min.js"),
        ("/a/app.3f9a1c07.js?x=1", "/a/app.77bb12de.js?x=1"),
        ("/a/main.20240110.css", "/a/main.20240118.css"),
        ("chunk-5JX7QZ3M.js", "chunk-7QK2XA9B.js"),
        ("/a/app.js?v=3f9a1c07", "/a/app.js?v=77bb12de"),
        ("/a/logo.png?ver=kFh8ktUxH3xXx", "/a/logo.png?ver=Zz8ktUxH3xXxZ"),
        ("a.3f9a1c07.woff2, b.3f9a1c07.woff2", "a.77bb12de.woff2, b.99bb12de.woff2"),
    ],
)
def test_hashes_are_known_by_form_and_place(legacy: str, new: str) -> None:
    pattern = hash_pattern(legacy, new)
    assert pattern
    assert re.sub(pattern, "", legacy) == re.sub(pattern, "", new) != legacy


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        ("/i/product-100200.png", "/i/product-100201.png"),
        ("/i/20240110.jpg", "/i/20240118.jpg"),
        ("/i/icon-00ff00.png", "/i/icon-ff0000.png"),
        ("/a/jquery-3.7.1.min.js", "/a/jquery-3.6.0.min.js"),
        ("/a/app.js?v=2", "/a/app.js?v=3"),
        ("/a/app.js?v=1.2.31", "/a/app.js?v=1.2.32"),
        ("/a/main-settings.js", "/a/main-overview.js"),
        ("/orders/3f9a1c07", "/orders/77bb12de"),
        ("/a/app.3f9a1c07.pdf", "/a/app.77bb12de.pdf"),
        ("/a/one.3f9a1c07.js", "/a/two.77bb12de.js"),
        ("/a/app.3f9a1c07.js", "/a/app.3f9a1c07.js"),
        ("/a/app.3f9a1c07.js", "/a/app.js"),
    ],
)
def test_what_is_no_hash_or_differs_elsewhere(legacy: str, new: str) -> None:
    """A number in the name of a picture is an id, and a version is somebody's word."""
    assert hash_pattern(legacy, new) is None


def test_hashes_of_several_forms_have_no_one_pattern() -> None:
    assert hash_pattern("a-3f9a1c07.js b.3f9a1c07.js", "a-77bb12de.js b.77bb12de.js") == ""
    long = "." * 9_000 + "app.3f9a1c07.js"
    assert without_hashes(long) == long
