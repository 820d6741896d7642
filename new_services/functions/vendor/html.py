"""Pages of the shop: its frame, its visitor cookie, prices as visitors chose to see them."""

from __future__ import annotations

import secrets
from functools import cache
from html import escape
from pathlib import Path

from new_services.functions.vendor.http import ApiError, Request, Response

_TYPE = "text/html; charset=utf-8"
_STYLE = Path(__file__).parents[1] / "site" / "style.css"
_VISIT = "wf_visit"
_LANGUAGES = ("en", "de", "fr", "sv")
_RATES = {"EUR": 100, "GBP": 85, "SEK": 1140, "USD": 108}
"""What 100 cents of EUR are shown as; the accountant's table, as legacy has it."""


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8").strip()


def token() -> str:
    """A token for one rendering of a form."""
    return f"{secrets.token_hex(8)}.{secrets.token_hex(16)}"


def page(request: Request, title: str, content: str, status: int = 200) -> Response:
    """A page in the shop's frame; the visitor gets a cookie who has none."""
    language = request.cookies.get("wf_language", "")
    body = _FRAME.format(
        language=language if language in _LANGUAGES else "en",
        title=escape(title),
        style=_style(),
        content=content,
    )
    answer = Response(status, body, _TYPE, {"Cache-Control": "private"})
    visit = request.cookies.get(_VISIT, "")
    if not (len(visit) == 32 and visit.isascii() and visit.isalnum()):
        answer.cookies.append(f"{_VISIT}={secrets.token_hex(16)}; Path=/; HttpOnly; SameSite=Lax")
    return answer


def error(request: Request, fault: ApiError) -> Response:
    """An error, for people."""
    content = (
        f'<h1>Off the map</h1><p class="bad">{fault.status}: {escape(fault.message)}</p>\n'
        '<p><a href="/">Back to the harbour</a></p>'
    )
    return page(request, str(fault.status), content, fault.status)


def price(request: Request, cents: int) -> str:
    """An amount of EUR in the currency that the visitor has chosen."""
    currency = request.cookies.get("wf_currency", "")
    currency = currency if currency in _RATES else "EUR"
    shown = (cents * _RATES[currency] + 50) // 100
    return f"{currency} {shown // 100}.{shown % 100:02d}"


_FRAME = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Wayfarer Travel</title>
<style>{style}</style>
</head>
<body>
<header><div>
<a class="brand" href="/">Wayfarer<small>travel since 2016</small></a>
<a href="/hotels">Hotels</a>
<a href="/login">Log in</a>
</div></header>
<main>
{content}
</main>
<footer><div>Wayfarer Travel Ltd. · <a href="/files/terms.txt">Terms</a> ·
<a href="/files/price-list.csv">Price list</a> ·
<a href="/export/catalogue.xml">Catalogue for agents</a>
· Best viewed at a window seat.</div></footer>
</body>
</html>
"""
