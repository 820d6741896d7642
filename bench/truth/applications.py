"""Real differences of the sorts that rewrites of whole applications bring."""

from __future__ import annotations

import csv
import gzip
import io
import json
import unicodedata
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from bench.truth.answers import (
    Asked,
    Document,
    Headers,
    Said,
    Side,
    as_html,
    as_json,
    as_text,
    browser,
    document,
    fixed,
    instant,
)
from bench.truth.differences import Change, Difference, edited, with_header, with_status, with_text
from bench.truth.habits import HABITS
from bench.truth.noise import Answer

CENT = Decimal("0.01")


def _asked(**headers: str) -> Any:
    told = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda number: Asked(headers=(*browser(number).headers, *told))


# -- how the sides answer --------------------------------------------------------------------


def invoice(side: Side, number: int) -> Said:
    """Amounts, dates, names and lists of many sorts."""
    chance = fixed(number, "invoice")
    net = Decimal(chance.randrange(1_000, 90_000)) / 8
    hour = chance.randrange(24)
    return as_json(
        {
            "id": 9_007_199_254_740_993 + 2 * number,
            "net": float(net.quantize(CENT, ROUND_HALF_UP)),
            "refund": -round(chance.uniform(1, 99), 2),
            "issued": f"2025-{1 + number % 12:02}-{28 + number % 3:02}T{hour:02}:15:00+01:00"
            if number % 12 != 1
            else f"2025-02-28T{hour:02}:15:00+01:00",
            "day": f"2025-11-{1 + number % 28:02}",
            "customer": chance.choice(["Müller", "Dupont", "Señor Núñez", "O'Neil & Sons", "山田"]),
            "mood": chance.choice(["🙂", "ok", "-"]),
            "comment": chance.choice(["", "call first ", "<b>fragile</b>"]),
            "state": chance.choice(["PAID", "OPEN", "IN_DUNNING"]),
            "lines": [
                {"id": n, "amount": chance.randrange(4), "text": f"line {n}"} for n in range(6)
            ],
            "labels": chance.choice([[], ["vip"], ["vip", "late"]]),
            "flags": {"paid": chance.random() < 0.5, "open": True},
        }
    )


def listing(side: Side, number: int) -> Said:
    """A list whose length goes from none to 240."""
    size = fixed(number, "size").randrange(240)
    rows = [{"id": n, "name": f"row {n}"} for n in range(size)]
    return as_json({"count": size, "rows": rows}, [("X-Total-Count", str(size))])


def localised(side: Side, number: int) -> Said:
    """A document in the language that the client asks for."""
    language = side.asked.header("accept-language")
    amount = 1_234.5 + number
    text = f"{amount:,.2f}"
    if language in ("de", "fr"):
        text = (
            text.replace(",", "_").replace(".", ",").replace("_", "." if language == "de" else " ")
        )
    told: Headers = [("Content-Language", language), ("Vary", "Accept-Language, Accept-Encoding")]
    return as_json({"amount": text, "greeting": f"{language}: {number}"}, told)


def signed_in(side: Side, number: int) -> Said:
    """What one user of five may see."""
    user = side.asked.header("cookie").partition("=")[2]
    return as_json(
        {"user": user, "email": f"{user}@example.com", "order": document(number)},
        [("Cache-Control", "private, no-cache"), ("Vary", "Cookie")],
    )


def login(side: Side, number: int) -> Said:
    """An answer that sets a cookie."""
    value = f"sid={side.hexadecimal(32)}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600"
    return as_json({"user": number}, [("Set-Cookie", value)])


def secured(side: Side, number: int) -> Said:
    """A page with the headers that keep it safe."""
    order = document(number)
    return as_html(
        f"<h1>{order['reference']}</h1><p>Fish &amp; Chips</p><a href='/orders/{number}/'>More</a>"
        f"<link rel='canonical' href='https://shop.example/orders/{number}'>",
        [
            ("X-Robots-Tag", "noindex, nofollow"),
            ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
            ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
            ("ETag", f'"v{number}"'),
            ("Last-Modified", "Mon, 03 Feb 2025 10:00:00 GMT"),
        ],
    )


def download(side: Side, number: int) -> Said:
    """A file of rows, some with a comma or a quotation mark."""
    into = io.StringIO()
    writer = csv.writer(into, lineterminator="\r\n")
    writer.writerow(["id", "title", "amount"])
    titles = ["plain", "with, comma", 'with "quotes"', "Grüße"]
    for n in range(5):
        writer.writerow([n, fixed(number, f"title {n}").choice(titles), f"{number * n / 4:.2f}"])
    said = as_text(into.getvalue(), "text/csv; charset=utf-8")
    name = f'attachment; filename="orders-{number}.csv"'
    return replace(said, headers=[*said.headers, ("Content-Disposition", name)])


def moved(side: Side, number: int) -> Said:
    """A redirect."""
    return Said(b"", 302, [("Location", f"https://shop.example/orders/{number}?from=old")])


def refused(side: Side, number: int) -> Said:
    """An error with its reasons."""
    error = {"code": "invalid", "fields": {"quantity": ["must be at least 1"]}, "number": number}
    return as_json({"error": error}, [("Retry-After", "30")], 422)


def scripted(side: Side, number: int) -> Said:
    """JSON in a call."""
    return as_text(f"show({json.dumps(document(number))});", "application/javascript")


def ranged(side: Side, number: int) -> Said:
    """A part of a file."""
    data = fixed(number, "file").randbytes(500)
    told = [("Content-Type", "application/octet-stream"), ("Content-Range", "bytes 0-99/500")]
    return Said(data[:100], 206, [*told, ("Accept-Ranges", "bytes")])


def headed(side: Side, number: int) -> Said:
    """To every other request only a head: HEAD after GET agreed."""
    return as_json(document(number), [("X-Total-Count", str(number))])


def filtered(side: Side, number: int) -> Said:
    """A list that the query filters."""
    rows = [document(number + n) for n in range(4)]
    wanted = "paid" if side.asked.query else ""
    return as_json([row["id"] for row in rows if not wanted or row["status"] == wanted])


def envelope(side: Side, number: int) -> Said:
    """SOAP-like XML."""
    text = (
        f'<e:Envelope xmlns:e="urn:e" xmlns:o="urn:orders"><e:Body><o:Order id="{number}">'
        f"<o:Total>{document(number)['total']}</o:Total><o:Note/></o:Order></e:Body></e:Envelope>"
    )
    return as_text(text, "text/xml; charset=utf-8")


# -- what new gets wrong -----------------------------------------------------------------------


def _half_even(data: Document, side: Side) -> None:
    number = (data["id"] - 9_007_199_254_740_993) // 2
    net = Decimal(fixed(number, "invoice").randrange(1_000, 90_000)) / 8
    data["net"] = float(net.quantize(CENT, ROUND_HALF_EVEN))


def _in_utc(data: Document, side: Side) -> None:
    hour = int(data["issued"][11:13])
    if hour == 0:
        data["day"] = "2025-10-31" if data["day"].endswith("-01") else data["day"][:-2] + "00"


def _ties(data: Document, side: Side) -> None:
    data["lines"].sort(key=lambda line: (line["amount"], -line["id"]))


def tied(side: Side, number: int) -> Said:
    """Lines by amount, ties by id."""
    data = json.loads(invoice(side, number).body)
    data["lines"].sort(key=lambda line: (line["amount"], line["id"]))
    return as_json(data)


def _cut(data: Document, side: Side) -> None:
    data["rows"] = data["rows"][:200]


def _shifted(data: Document, side: Side) -> None:
    data["rows"] = [*data["rows"][1:], {"id": len(data["rows"]), "name": "next"}]


def _other_language(said: Said, side: Side, number: int) -> Said:
    """The first language that anybody asked in is kept for all."""
    kept: dict[int, Said] = side.state.setdefault("languages", {})
    return kept.setdefault(number // 4, said)


def _english_numbers(data: Document, side: Side) -> None:
    text = data["amount"]
    if "," in text[-3:]:
        whole, _, cents = text.rpartition(",")
        data["amount"] = f"{whole.replace('.', ',').replace(' ', ',')}.{cents}"


def _only_for(language: str, change: Change) -> Change:
    def changed(said: Said, side: Side, number: int) -> Said:
        hit = side.asked.header("accept-language") == language
        return change(said, side, number) if hit else said

    return changed


def _leaked(said: Said, side: Side, number: int) -> Said:
    """Another user's answer, from a cache that forgets whose it was."""
    before: Said = side.state.get("before", said)
    side.state["before"] = said
    return before


def _kept(said: Said, side: Side, number: int) -> Said:
    """An answer of yesterday, as a cache has it."""
    data = json.loads(said.body)
    data["status"] = "open" if data["status"] != "open" else "draft"
    return replace(said, body=json.dumps(data).encode())


def _normalised(data: Document, side: Side) -> None:
    data["customer"] = unicodedata.normalize("NFD", data["customer"])


def _latin(said: Said, side: Side, number: int) -> Said:
    return replace(said, body=said.body.decode().encode("latin-1", "replace"))


def _labelled(said: Said, side: Side, number: int) -> Said:
    """It says that it is packed, and is not."""
    return with_header("Content-Encoding", "gzip")(said, side, number)


def _packed_twice(said: Said, side: Side, number: int) -> Said:
    packed = replace(said, body=gzip.compress(gzip.compress(said.body)))
    return with_header("Content-Encoding", "gzip")(packed, side, number)


def _quoted(said: Said, side: Side, number: int) -> Said:
    return replace(said, body=json.dumps(said.body.decode()).encode())


def _unquoted(said: Said, side: Side, number: int) -> Said:
    return replace(said, body=said.body.replace(b'"', b""))


def _whole(said: Said, side: Side, number: int) -> Said:
    data = fixed(number, "file").randbytes(500)
    return Said(data, 200, [("Content-Type", "application/octet-stream")])


def _unfiltered(said: Said, side: Side, number: int) -> Said:
    return as_json([document(number + n)["id"] for n in range(4)])


def _no_head(said: Said, side: Side, number: int) -> Said:
    return replace(said, status=405) if side.asked.method == "HEAD" else said


def _cookie(old: str, new: str) -> Change:
    def changed(said: Said, side: Side, number: int) -> Said:
        value = next(value for name, value in said.headers if name == "Set-Cookie")
        return with_header("Set-Cookie", value.replace(old, new))(said, side, number)

    return changed


def _location(old: str, new: str) -> Change:
    def changed(said: Said, side: Side, number: int) -> Said:
        value = next(value for name, value in said.headers if name == "Location")
        return with_header("Location", value.replace(old, new))(said, side, number)

    return changed


def _set(name: str, make: Any) -> Change:
    return edited(lambda data, side: data.update({name: make(data[name])}))


def _json(base: Answer, change: Any, share: float = 1.0) -> Difference:
    return Difference(base, edited(change), share)


def _by_user(number: int) -> Asked:
    return Asked(headers=(*browser(number).headers, ("cookie", f"user=u{number % 5}")))


def _in_turn(number: int) -> Asked:
    return Asked("HEAD" if number % 2 else "GET", headers=browser(number).headers)


def _with_query(number: int) -> Asked:
    return Asked(query="?status=paid" if number % 3 == 0 else "", headers=browser(number).headers)


APPLICATIONS: dict[str, Difference] = {
    # amounts and moments
    "half to even for half up": _json(invoice, _half_even),
    "a sign lost": Difference(invoice, _set("refund", abs), 0.05),
    "the day of another time zone": _json(invoice, _in_utc),
    "a moment in UTC under a local label": Difference(
        invoice, _set("issued", lambda v: v.replace("+01:00", "Z")), 0.3
    ),
    "a moment without its offset": Difference(invoice, _set("issued", lambda v: v[:19])),
    "a date for a moment": Difference(invoice, _set("issued", lambda v: v[:10]), 0.5),
    "an id beyond a double": Difference(invoice, _set("id", lambda v: int(float(v)))),
    "1 for true": _json(invoice, lambda d, s: d["flags"].update(paid=int(d["flags"]["paid"]))),
    # texts
    "another normal form of Unicode": _json(invoice, _normalised),
    "an emoji lost": Difference(invoice, _set("mood", lambda v: v.replace("🙂", "?"))),
    "a space trimmed": Difference(invoice, _set("comment", str.strip)),
    "markup escaped in JSON": Difference(
        invoice, _set("comment", lambda v: v.replace("<", "&lt;").replace(">", "&gt;"))
    ),
    "another case of a state": Difference(
        invoice, _set("state", lambda v: "InDunning" if v == "IN_DUNNING" else v)
    ),
    "numbers as in English": _json(localised, _english_numbers),
    # lists
    "ids as text in one list": _json(
        invoice, lambda d, s: [line.update(id=str(line["id"])) for line in d["lines"]]
    ),
    "null for an empty list": Difference(invoice, _set("labels", lambda v: v or None)),
    "ties in another order": _json(tied, _ties),
    "a list cut at 200": _json(listing, _cut),
    "a page that begins one later": _json(listing, _shifted, 0.04),
    "a filter forgotten": Difference(
        filtered,
        lambda said, side, n: _unfiltered(said, side, n) if side.asked.query else said,
        asking=_with_query,
    ),
    # languages, users, caches
    "no language label in French": Difference(
        localised, _only_for("fr", with_header("Content-Language", None))
    ),
    "Vary without the language": Difference(localised, with_header("Vary", "Accept-Encoding")),
    "the first language for all": Difference(localised, _other_language),
    "another user's answer": Difference(signed_in, _leaked, 0.02, asking=_by_user),
    "public for private": Difference(
        signed_in, with_header("Cache-Control", "public, max-age=60"), asking=_by_user
    ),
    "a stale answer for one in twenty": Difference(
        lambda side, number: as_json(document(number)), _kept, 0.05, at_random=True
    ),
    # cookies and headers
    "a cookie for another path": Difference(login, _cookie("Path=/;", "Path=/api;")),
    "a cookie for every site": Difference(login, _cookie("SameSite=Lax", "SameSite=None")),
    "a cookie that scripts can read": Difference(login, _cookie("HttpOnly; ", "")),
    "a cookie for a minute": Difference(login, _cookie("Max-Age=3600", "Max-Age=60")),
    "a session that is the same for all": Difference(
        login,
        lambda said, side, n: with_header(
            "Set-Cookie",
            f"sid={'0123456789abcdef' * 2}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600",
        )(said, side, n),
    ),
    "robots let in": Difference(secured, with_header("X-Robots-Tag", None)),
    "framed by anybody": Difference(
        secured, with_header("Content-Security-Policy", "default-src 'self'")
    ),
    "a shorter promise of TLS": Difference(
        secured, with_header("Strict-Transport-Security", "max-age=300; includeSubDomains")
    ),
    "no validator": Difference(secured, with_header("ETag", None), 0.2),
    "a weak validator": Difference(secured, with_header("ETag", 'W/"v"')),
    "no Last-Modified": Difference(secured, with_header("Last-Modified", None)),
    # pages and files
    "escaped twice": Difference(secured, with_text("&amp;", "&amp;amp;")),
    "no last slash in a link": Difference(secured, with_text("/'>", "'>")),
    "another canonical host": Difference(secured, with_text("https://shop.", "https://www.shop.")),
    "no charset label": Difference(secured, with_header("Content-Type", "text/html"), 0.1),
    "another encoding than its label": Difference(download, _latin),
    "cells without quotation": Difference(download, _unquoted),
    "another file name": Difference(
        download, with_header("Content-Disposition", 'attachment; filename="export.csv"')
    ),
    "line feeds alone": Difference(download, with_text("\r\n", "\n")),
    "another namespace": Difference(envelope, with_text("urn:orders", "urn:orders:2")),
    "a text for an empty element": Difference(
        envelope, with_text("<o:Note/>", "<o:Note>none</o:Note>"), 0.1
    ),
    # redirects, errors, parts
    "a redirect to another host": Difference(moved, _location("shop.example", "new.example"), 0.03),
    "a redirect without its query": Difference(moved, _location("?from=old", "")),
    "moved for good": Difference(moved, with_status(301)),
    "an error of another shape": Difference(
        refused,
        lambda said, side, n: replace(said, body=b'{"message":"quantity must be at least 1"}'),
    ),
    "an error's number": Difference(refused, with_status(400), 0.2),
    "no time to wait": Difference(refused, with_header("Retry-After", None)),
    "a call forgotten": Difference(scripted, with_text("show(", "", ");", "")),
    "a whole file for a part": Difference(ranged, _whole, 0.3, asking=_asked(range="bytes=0-99")),
    "another part": Difference(
        ranged,
        with_header("Content-Range", "bytes 0-99/499"),
        asking=_asked(range="bytes=0-99"),
    ),
    "no answer to HEAD": Difference(headed, _no_head, asking=_in_turn),
    # broken bodies
    "packed by its label alone": Difference(headed, _labelled, 0.03),
    "packed twice": Difference(headed, _packed_twice, 0.05),
    "JSON in JSON": Difference(headed, _quoted, 0.02),
    # in what applications vary
    "a nonce that stands still": Difference(
        HABITS["a nonce in policy and script"],
        lambda said, side, n: as_html(
            f'<h1>{n}</h1><script nonce="AAAAAAAAAAAAAAAAAAAAAA==">start()</script>',
            [
                (
                    "Content-Security-Policy",
                    "default-src 'self'; script-src 'self' 'nonce-AAAAAAAAAAAAAAAAAAAAAA=='",
                )
            ],
        ),
    ),
    "a variant that is none": Difference(
        HABITS["an experiment's variant in an attribute"],
        with_text('variant="A"', 'variant=""', 'variant="B"', 'variant=""'),
        0.02,
    ),
    "an expiry a day from now": Difference(
        HABITS["expiry an hour from now"],
        with_header("Expires", instant(4_000_000_000, "%a, %d %b %Y %H:%M:%S GMT")),
        0.05,
    ),
    "a price beside a trace": Difference(
        HABITS["a trace in an answer's extensions"],
        edited(lambda d, s: d["data"]["order"].update(total=d["data"]["order"]["total"] + 1)),
        0.01,
    ),
    "a product that is not sold": Difference(
        HABITS["three of twenty recommendations"],
        edited(lambda d, s: d["recommended"][0].update(id=99, name="Product 99")),
        0.05,
    ),
    "a guid beside a build date": Difference(
        HABITS["a feed with its build date"], with_text("<guid>", "<guid>x"), 0.02
    ),
    "another file in an archive": Difference(
        HABITS["times in an archive"],
        lambda said, side, n: HABITS["times in an archive"](side, n + 1),
        0.03,
    ),
}
"""By name."""
