"""Kinds of noise of whole applications: what frameworks, caches and balancers vary."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
import zipfile
from typing import Any

from bench.truth.answers import Said, Side, as_html, as_json, as_text, document, fixed, instant
from bench.truth.noise import Answer

PRODUCTS = [{"id": n, "name": f"Product {n}", "price": 5 + n} for n in range(20)]


def _headed(name: str, make: Any) -> Answer:
    return lambda side, number: as_json(document(number), [(name, make(side))])


def _page(body: Any) -> Answer:
    return lambda side, number: as_html(
        f"<h1>{document(number)['reference']}</h1>{body(side, number)}"
    )


def _packed(side: Side, number: int) -> Said:
    said = as_json(document(number))
    if side.new:
        said.body = gzip.compress(said.body)
        said.headers.append(("Content-Encoding", "gzip"))
    return said


def _spelt(side: Side, number: int) -> Said:
    order = {**document(number), "title": "Grüße / 東京"}
    if not side.new:
        return as_json(order)
    said = as_json(order)
    said.body = json.dumps(
        order, indent=2, sort_keys=True, ensure_ascii=False, separators=(" ,", ": ")
    ).encode()
    return said


def _session(side: Side, number: int) -> Said:
    value = f"sid={side.hexadecimal(32)}; Path=/; HttpOnly; SameSite=Lax"
    return as_json(document(number), [("Set-Cookie", value)])


def _cursor(side: Side, number: int) -> Said:
    claims = {"after": number, "iat": int(time.time())}
    head, body = (_base64(json.dumps(part)) for part in ({"alg": "HS256"}, claims))
    signature = _base64(side.hexadecimal(32))
    return as_json({**document(number), "next": f"{head}.{body}.{signature}"})


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _presigned(side: Side, number: int) -> str:
    at = instant(time.time(), "%Y%m%dT%H%M%SZ")
    query = f"X-Amz-Date={at}&amp;X-Amz-Expires=900&amp;X-Amz-Signature={side.hexadecimal(64)}"
    return f'<img src="https://files.example/{number}.jpg?{query}" alt="">'


def _view_state(side: Side, number: int) -> str:
    state = base64.b64encode(side.chance.randbytes(180)).decode()
    return f'<form><input type="hidden" name="__VIEWSTATE" value="{state}"></form>'


def _assets(side: Side, number: int) -> str:
    return f'<link rel="stylesheet" href="/css/app.{side.chance.choice(["3f9a", "b207"])}.css">'


def _ages(side: Side, number: int) -> str:
    ago = int(time.time() - side.kept("start", 9_999, time.time)) + 5
    return f"<p>updated {ago} seconds ago</p>"


def _generated_ids(side: Side, number: int) -> str:
    first = side.number("dom", 3)
    return "".join(f'<div id="ember{first + n}">Row {n}</div>' for n in range(3))


def _comment(side: Side, number: int) -> str:
    host, took = side.chance.choice("abc"), side.chance.randrange(100)
    return f"<!-- web-{host} rendered this in {took} ms --><p>Thank you</p>"


def _variant(side: Side, number: int) -> str:
    return f'<div data-variant="{side.chance.choice("AB")}">Book now</div>'


def _limits(side: Side, number: int) -> Said:
    left = 5_000 - side.number("calls") % 4_000
    reset = int(time.time()) // 60 * 60 + 60
    return as_json(
        document(number),
        [("X-RateLimit-Remaining", str(left)), ("X-RateLimit-Reset", str(reset))],
    )


def _nonce(side: Side, number: int) -> Said:
    nonce = base64.b64encode(side.chance.randbytes(16)).decode()
    policy = f"default-src 'self'; script-src 'self' 'nonce-{nonce}'"
    page = f'<h1>{number}</h1><script nonce="{nonce}">start()</script>'
    return as_html(page, [("Content-Security-Policy", policy)])


def _multipart(side: Side, number: int) -> Said:
    boundary = side.hexadecimal(24)
    part = json.dumps(document(number))
    text = (
        f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{part}\r\n"
        f"--{boundary}\r\nContent-Type: text/plain\r\n\r\nthe end\r\n--{boundary}--\r\n"
    )
    return as_text(text, f"multipart/mixed; boundary={boundary}")


def _traced(side: Side, number: int) -> Said:
    began = time.time()
    tracing = {
        "version": 1,
        "startTime": instant(began, "%Y-%m-%dT%H:%M:%S.000Z"),
        "duration": side.chance.randrange(1_000_000, 90_000_000),
        "resolvers": [
            {"path": name, "duration": side.chance.randrange(10_000, 900_000)}
            for name in ("order", "items", "customer")
        ],
    }
    return as_json({"data": {"order": document(number)}, "extensions": {"tracing": tracing}})


def _quote(side: Side, number: int) -> Said:
    """A price that both sides read from one market, five times a second."""
    tick = int(time.time() * 5)
    price = round(100 + fixed(tick, "market").gauss(0, 2), 2)
    return as_json({"symbol": f"S{number}", "last": price, "bid": round(price - 0.02, 2)})


def _feed(side: Side, number: int) -> Said:
    built = instant(time.time(), "%a, %d %b %Y %H:%M:%S GMT")
    text = (
        f"<rss><channel><title>Order {number}</title><lastBuildDate>{built}</lastBuildDate>"
        f"<item><guid>{number}</guid></item></channel></rss>"
    )
    return as_text(text, "application/rss+xml")


def _archive(side: Side, number: int) -> Said:
    into = io.BytesIO()
    now = time.gmtime()[:6]
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("order.json", now), json.dumps(document(number)))
    return Said(into.getvalue(), 200, [("Content-Type", "application/zip")])


def _lines(side: Side, number: int) -> Said:
    rows = [{"n": n, "event": "read", "trace": side.hexadecimal(16)} for n in range(4)]
    text = "".join(json.dumps({**row, "order": number}) + "\n" for row in rows)
    return as_text(text, "application/x-ndjson")


def _recommended(side: Side, number: int) -> Said:
    return as_json({**document(number), "recommended": side.chance.sample(PRODUCTS, 3)})


def _sampled(side: Side, number: int) -> Said:
    words = [f"topic-{n}" for n in range(12)]
    return as_json({**document(number), "topics": side.chance.sample(words, 4)})


def _short_sha(side: Side, number: int) -> Said:
    return as_json({**document(number), "version": side.chance.choice(["9f3c2d1", "07ab4e8"])})


HABITS: dict[str, Answer] = {
    "gzip on one side alone": _packed,
    "JSON in another spelling": _spelt,
    "a session cookie of each answer": _session,
    "a signed cursor with its own moment": _cursor,
    "a presigned link in a page": _page(_presigned),
    "a view state in a form": _page(_view_state),
    "one of two builds of a style sheet": _page(_assets),
    "seconds ago, in words": _page(_ages),
    "generated ids of elements": _page(_generated_ids),
    "a comment on how it was rendered": _page(_comment),
    "an experiment's variant in an attribute": _page(_variant),
    "limits of a client in headers": _limits,
    "a hit or a miss of a cache": _headed("X-Cache", lambda s: s.chance.choice(["HIT", "MISS"])),
    "expiry an hour from now": _headed(
        "Expires", lambda s: instant(time.time() + 3_600, "%a, %d %b %Y %H:%M:%S GMT")
    ),
    "a nonce in policy and script": _nonce,
    "another boundary of parts": _multipart,
    "a trace in an answer's extensions": _traced,
    "a price of a live market": _quote,
    "a feed with its build date": _feed,
    "times in an archive": _archive,
    "traces in lines of JSON": _lines,
    "three of twenty recommendations": _recommended,
    "four of twelve topics": _sampled,
    "one of two releases at once": _short_sha,
}
"""By name, how a side answers."""
