"""Further noise of applications, and differences that stand in it or beside it."""

from __future__ import annotations

import base64
import json
import random
import time
from dataclasses import replace
from typing import Any

from bench.truth.answers import Said, Side, as_html, as_json, as_text, document
from bench.truth.differences import Difference, edited, with_text
from bench.truth.noise import NOISE, Answer

PODS = ("web-7f9c4b5d8-x2k9p", "web-7f9c4b5d8-qq1zd", "web-7f9c4b5d8-8hw2m")


def _with(name: str, make: Any) -> Answer:
    return lambda side, number: as_json({**document(number), name: make(side, number)})


def _signature(side: Side) -> str:
    text = base64.b64encode(side.chance.randbytes(96)).decode()
    return text.replace("+", "-").replace("=", "_").replace("/", "~")


def _delivered(side: Side, number: int) -> str:
    until = int(time.time()) + 3_600
    return (
        f"https://d111.cdn.example/v/{number}.mp4?Expires={until}&Signature={_signature(side)}"
        "&Key-Pair-Id=K2JCJMDEHXQW5F&Policy=900"
    )


def _cursor(side: Side, number: int) -> str:
    state = {"id": number, "ts": int(time.time() * 1_000), "k": side.hexadecimal(12)}
    return base64.b64encode(json.dumps(state).encode()).decode()


def _metrics(side: Side, number: int) -> Said:
    return as_text(
        f"order_{number} 1\nrequests_total {side.number('requests', 7)}\n"
        f"cpu_seconds_total {side.number('cpu') * 0.0137:.4f}\n"
        f"heap_bytes {int(side.chance.gauss(5e7, 3e6))}\n"
    )


def _ties(side: Side, number: int) -> list[dict[str, int]]:
    """By score; those of one score in any order."""
    scores = [9, 9, 7, 7, 7, 4, 4, 1]
    order = side.chance.sample(range(8), 8)
    return sorted(({"n": n, "score": scores[n]} for n in order), key=lambda one: -one["score"])


def _form(side: Side, number: int) -> Said:
    token = side.hexadecimal(40)
    order = document(number)
    return as_html(
        f"<h1>{order['reference']}</h1><form action='/pay'><input type=hidden name=csrf "
        f"value='{token}'><input name=step value={number % 3}></form>"
        f"<script>window.csrf = '{token}';</script>"
    )


def _related(side: Side, number: int) -> Said:
    chosen = side.chance.sample(range(40), 3)
    links = "".join(f"<li><a href='/p/{n}'>Product {n}</a></li>" for n in chosen)
    return as_html(f"<h1>{document(number)['reference']}</h1><ul>{links}</ul>")


def _visitors(side: Side, number: int) -> Said:
    return as_html(f"<p>Order {number}</p><p>You are visitor {side.number('visitor'):,}.</p>")


def _kept_for(seconds: float, make: Any) -> Any:
    return lambda side, number: side.kept("kept", seconds, lambda: make(side))


def _price(side: Side) -> float:
    return round(100 + side.chance.gauss(0, 2), 2)


FURTHER_NOISE: dict[str, Answer] = {
    "one of three pods": _with("pod", lambda side, number: side.chance.choice(PODS)),
    "a signed URL of a CDN": _with("url", _delivered),
    "a cursor with a moment": _with("cursor", _cursor),
    "a member named by a moment": _with(
        "series", lambda side, number: {f"2026-06-01T10:00:00.{side.chance.randrange(10**6):06}": 1}
    ),
    "metrics of each process": _metrics,
    "two counts in a header": lambda side, number: as_json(
        document(number),
        [("X-Cache-Hits", f"{side.chance.randrange(3)}, {side.chance.randrange(60)}")],
    ),
    "a count in a header": lambda side, number: as_json(
        document(number), [("X-Workers-Idle", str(side.chance.randrange(20, 60)))]
    ),
    "ties in any order": _with("ranked", _ties),
    "related products in a page": _related,
    "a visitor's number with thousands": _visitors,
    "a token kept for five seconds": _with("token", _kept_for(5.0, lambda s: s.hexadecimal(32))),
    "a price kept for a second": _with("price", _kept_for(1.0, _price)),
}
"""By name, how a side answers."""


def _edit(base: str, share: float, change: Any) -> Difference:
    known = {**NOISE, **FURTHER_NOISE}
    return Difference(known[base], edited(lambda data, side: change(data) and None), share)


def _no_token(said: Said, side: Side, number: int) -> Said:
    head, _, rest = said.body.partition(b"<input type=hidden")
    return replace(said, body=head + rest.partition(b">")[2])


AMID_NOISE: dict[str, Difference] = {
    "a pod of another service": _edit(
        "one of three pods", 0.03, lambda d: d.update(pod="api-5c6d7e8f9-zzzzz")
    ),
    "another policy in a signed URL": _edit(
        "a signed URL of a CDN", 0.05, lambda d: d.update(url=d["url"] + "0")
    ),
    "a signed URL for a day": _edit(
        "a signed URL of a CDN",
        1.0,
        lambda d: d.update(url=d["url"].replace("Expires=1", "Expires=2")),
    ),
    "null for a cursor": _edit("a cursor with a moment", 0.05, lambda d: d.update(cursor=None)),
    "an item lost among tokens": _edit("a token in each item", 0.03, lambda d: d["items"].pop()),
    "a name in a list of any order": _edit(
        "objects in any order", 0.03, lambda d: d["items"][0].update(name="another")
    ),
    "sorted the other way round": _edit("ties in any order", 1.0, lambda d: d["ranked"].reverse()),
    "a token lost from a form": Difference(_form, _no_token, 0.04),
    "a metric renamed": Difference(_metrics, with_text("heap_bytes", "heap"), 0.05),
    "an uptime of nothing": Difference(
        _with("up", lambda side, number: int(time.time() - random.Random(7).randrange(9**8))),
        edited(lambda data, side: data.update(up=0)),
    ),
}
"""By name."""
