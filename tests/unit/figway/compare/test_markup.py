"""HTML and XML by what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.compare.canonical.html_tokens import tokens
from figway.compare.verdict import compare
from tests.support.answers import answer, found

PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>Trips</title><meta name="csrf-token" content="aaaa1111bbbb2222"></head>
<body class="wide dark">
  <!-- build 17 -->
  <h1>Trips &amp; more</h1>
  <form action="/login" method="post"><input type="hidden" name="csrf" value="k3j4h5k3j4h5k3j4">
  <input name="user"></form>
  <ul><li>Rome<li>Oslo</ul>
  <script>var a = "<p>";</script>
</body></html>"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!-- build 17 -->", "<!-- build 18 -->"),
        ('class="wide dark"', "CLASS='dark  wide'"),
        ("<li>Rome<li>Oslo</ul>", "<li>Rome</li>\n  <li>Oslo</li>\n</ul>"),
        ('type="hidden" name="csrf"', 'name=csrf type="hidden"'),
        ('<input name="user">', '<INPUT name="user" />'),
        ("Trips &amp; more", "Trips\n   &#38; more"),
    ],
)
def test_what_has_no_meaning_in_html(old: str, new: str) -> None:
    """Trap 30."""
    assert old in PAGE
    other = answer(PAGE.replace(old, new), "text/html")
    comparison = compare(answer(PAGE, "text/html"), other)
    assert (comparison.verdict, found(comparison)) == ("match", [])


@pytest.mark.parametrize(
    ("old", "new", "differences"),
    [
        ("Rome", "Roma", [("$.html.body[*].ul[*].li[*]", "changed")]),
        ("<li>Oslo", "", [("$.html.body[*].ul[*].li[*]", "missing")]),
        (
            "k3j4h5k3j4h5k3j4",
            "z9z8z7z6z9z8z7z6",
            [("$.html.body[*].form[*]['input[name=csrf]'][*]['@value']", "changed")],
        ),
        ("/login", "/signin", [("$.html.body[*].form[*]['@action']", "changed")]),
        ('lang="en"', 'lang="de"', [("$.html['@lang']", "changed")]),
        ("var a", "var b", [("$.html.body[*].script[*]", "changed")]),
        ("Trips</title>", "Tours</title>", [("$.html.head[*].title[*]", "changed")]),
        (
            "<h1>Trips &amp; more</h1>",
            "",
            [("$.html.body[*].h1", "missing")],
        ),
    ],
)
def test_what_differs_in_html(old: str, new: str, differences: list[tuple[str, str]]) -> None:
    assert old in PAGE
    comparison = compare(answer(PAGE, "text/html"), answer(PAGE.replace(old, new), "text/html"))
    assert found(comparison) == differences


def test_a_moved_element_is_a_difference_of_order() -> None:
    legacy, new = (
        answer(f"<div>{inside}</div>", "text/html")
        for inside in ("<b>x</b><i>y</i>", "<i>y</i><b>x</b>")
    )
    assert found(compare(legacy, new)) == [("$.div['order()']", "order")]


@given(st.text(alphabet="<>/!-ab \"'=&;[]?script", max_size=60))
def test_tokens_put_together_are_the_page(page: str) -> None:
    assert "".join(token.raw for token in tokens(page)) == page


@given(st.text(alphabet="<>/!-pb \"'=&#9;li", max_size=60))
def test_any_page_equals_itself(page: str) -> None:
    first, second = answer(page, "text/html"), answer(page + "<!-- x -->", "text/html")
    assert compare(first, first).verdict == "match"
    assert compare(first, second).verdict in ("match", "mismatch")


XML = '<?xml version="1.0"?><a xmlns="urn:x"><b id="1" n="2">text</b><b id="2"/></a>'


@pytest.mark.parametrize(
    ("new", "differences"),
    [
        (
            '<y:a xmlns:y="urn:x"><y:b n="2" id="1">text</y:b>\n'
            ' <y:b id="2"></y:b><!-- c --></y:a>',
            [],
        ),
        (XML.replace("text", "<![CDATA[text]]>"), []),
        (XML.replace("text", "&#116;ext"), []),
        (XML.replace("text", "Text"), [("$['{urn:x}a']['{urn:x}b'][*]['text()']", "changed")]),
        (XML.replace('id="2"', 'id="3"'), [("$['{urn:x}a']['{urn:x}b'][*]['@id']", "changed")]),
        (XML.replace("urn:x", "urn:y"), [("$['{urn:x}a']", "missing"), ("$['{urn:y}a']", "added")]),
        (XML.replace("</a>", ""), [("$", "format")]),
    ],
)
def test_xml(new: str, differences: list[tuple[str, str]]) -> None:
    comparison = compare(answer(XML, "application/xml"), answer(new, "text/xml"))
    assert [pair for pair in found(comparison) if pair[0] != "header:content-type"] == differences


def test_long_runs_of_xml_text_are_one_text() -> None:
    """Expat hands over long runs in pieces; where they are cut must not show."""
    lines = [f"line {n}" for n in range(5000)]
    legacy = "\n".join(lines)
    new = legacy.replace("l", "&#108;")
    pair = [answer(f"<a>{text}</a>", "text/xml") for text in (legacy, new)]
    assert compare(pair[0], pair[1]).verdict == "match"


def test_declared_entities_are_refused() -> None:
    """Trap 36: a billion laughs."""
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
    comparison = compare(answer(bomb, "text/xml"), answer(bomb + " ", "text/xml"))
    assert (comparison.verdict, comparison.reason) == ("compare_error", "declares_entities")
