"""Views of pages: other markup with the same text, forms and links agrees."""

from __future__ import annotations

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.canonical.html_views import plain_target
from figway.compare.verdict import Comparison, compare
from figway.model.words import HtmlView

TEXT, FORMS, LINKS = HtmlView

OLD = """<!DOCTYPE html><html><head><title>Shop</title>
<link rel=stylesheet href=/s/app.3f9a1c07.css>
<script src="/s/app.9b8a7c6d.js"></script></head><body class=a><table><tr><td><font>Lamp</font>
<b>19.90</b></td></tr></table><form name=buy method=POST action="http://legacy:8000/buy"><input
type=hidden name=csrf_id value=7><input name=count required><input type=submit value=Buy></form>
<a href="/cart">Cart</a></body></html>"""
NEW = """<!doctype html><html><head><title>Shop!</title>
<link rel="stylesheet" href="/s/app.aa11bb22.css">
<script src="/s/app.11223344.js"></script></head><body><main><section><div><span>Lamp</span>
<strong>19.90</strong></div></section><form class="x" action="https://shop.example/buy" name="buy"
method="post"><input value="7" name="csrf_id" type="hidden"><input required name="count">
<input value="Buy" type="submit"></form><nav><a class="l" href="https://shop.example/cart">
Cart</a></nav></main></body></html>"""
AROUND = {"facade": "https://shop.example", "backend_hosts": frozenset({"legacy:8000"})}


def seen(new: str, *views: HtmlView, legacy: str = OLD) -> Comparison:
    headers = ((b"Content-Type", b"text/html; charset=utf-8"),)
    here, there = (Answer(200, headers, page.encode()) for page in (legacy, new))
    context = Context(html=frozenset(views), **AROUND)  # type: ignore[arg-type]
    return compare(here, there, (), context)


def test_other_markup_agrees_in_every_view() -> None:
    assert seen(NEW).verdict == "mismatch"
    assert seen(NEW, *HtmlView).verdict == "match"


@pytest.mark.parametrize(
    ("was", "becomes", "view", "path"),
    [
        ("19.90", "19.91", TEXT, "$.text[*]"),
        ("Lamp", "", TEXT, "$.text[*]"),
        ('value="7"', 'value="8"', FORMS, "$.forms[*].fields.csrf_id[*].value"),
        ('name="count"', 'name="number"', FORMS, "$.forms[*].fields.count"),
        ('method="post"', 'method="get"', FORMS, "$.forms[*].method"),
        ("example/buy", "example/sell", FORMS, "$.forms[*].action"),
        ("example/cart", "example/basket", LINKS, "$.links[*]"),
        ("/s/app.11223344.js", "/s/main.11223344.js", LINKS, "$.links[*]"),
    ],
)
def test_what_a_view_shows_is_found(was: str, becomes: str, view: HtmlView, path: str) -> None:
    changed = NEW.replace(was, becomes)
    assert changed != NEW
    found = seen(changed, view)
    assert found.verdict == "mismatch"
    assert path in {item.path for item in found.differences}
    others = [one for one in HtmlView if one is not view]
    if view is not FORMS or "sell" not in becomes:
        assert seen(changed, *others).verdict == "match"


def test_what_no_reader_sees_is_no_text() -> None:
    noisy = NEW.replace("</main>", "<script>let a = 'Lamp'</script><style>p{}</style></main>")
    assert seen(noisy, TEXT).verdict == "match"
    assert seen("", TEXT).verdict == "mismatch"
    assert seen("<p>" * 50_000, TEXT, legacy="<p>" * 49_000).verdict == "match"


@pytest.mark.parametrize(
    ("target", "plain"),
    [
        ("/s/app.3f9a1c07.js", "/s/app.[hash].js"),
        ("/s/app-BxK29dLq.css?v=2", "/s/app-[hash].css?v=2"),
        ("/s/jquery-3.7.1.min.js", "/s/jquery-3.7.1.min.js"),
        ("/s/bootstrap.min.css", "/s/bootstrap.min.css"),
        ("/orders/3f9a1c07", "/orders/3f9a1c07"),
        ("https://SHOP.example", "/"),
        ("http://legacy:8000/a?b=1", "/a?b=1"),
        ("https://cdn.example/a.js", "https://cdn.example/a.js"),
        ("http://[", "http://["),
    ],
)
def test_targets(target: str, plain: str) -> None:
    assert plain_target(target, Context(**AROUND)) == plain  # type: ignore[arg-type]
