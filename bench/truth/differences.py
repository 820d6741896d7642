"""Kinds of real difference: what new answers wrongly, for a share of the requests."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bench.truth.answers import (
    NUMBERS,
    Asking,
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
from bench.truth.noise import NOISE, Answer

Change = Callable[[Said, Side, int], Said]


@dataclass(frozen=True)
class Difference:
    """Both sides answer by `base`; new's answer is changed for a `share` of the requests."""

    base: Answer
    change: Change
    share: float = 1.0
    at_random: bool = False
    """The share is of askings, drawn anew each time; else of numbers."""
    asking: Asking = browser

    def answer(self, name: str) -> Answer:
        """How the sides answer."""
        hit = _numbers(name, self.share)

        def answer(side: Side, number: int) -> Said:
            said = self.base(side, number)
            if not side.new:
                return said
            wrong = side.chance.random() < self.share if self.at_random else number in hit
            side.state["wrong"] = side.state.get("wrong", 0) + wrong
            return self.change(said, side, number) if wrong else said

        return answer


def _numbers(name: str, share: float) -> frozenset[int]:
    order = list(range(NUMBERS))
    fixed(0, name).shuffle(order)
    return frozenset(order[: max(1, round(share * NUMBERS))])


def edited(change: Callable[[dict[str, Any], Side], None]) -> Change:
    """Change the document, as it is told."""
    import json

    def changed(said: Said, side: Side, number: int) -> Said:
        data = copy.deepcopy(json.loads(said.body))
        change(data, side)
        return replace(said, body=json.dumps(data).encode())

    return changed


def _set(path: str, make: Callable[[Any], Any]) -> Change:
    """Change one value; `path` is names and indexes with dots."""
    names = path.split(".")

    def change(data: dict[str, Any], side: Side) -> None:
        here: Any = data
        for name in names[:-1]:
            here = here[int(name)] if name.isdigit() else here[name]
        last: Any = int(names[-1]) if names[-1].isdigit() else names[-1]
        here[last] = make(here[last])

    return edited(change)


def _drop(name: str) -> Change:
    return edited(lambda data, side: data.pop(name, None) and None)


def with_status(status: int) -> Change:
    return lambda said, side, number: replace(said, status=status)


def with_header(name: str, value: str | None) -> Change:
    """Set a header, or drop it."""

    def changed(said: Said, side: Side, number: int) -> Said:
        kept = [pair for pair in said.headers if pair[0].lower() != name.lower()]
        return replace(said, headers=kept if value is None else [*kept, (name, value)])

    return changed


def with_text(*pairs: str) -> Change:
    """Replace texts in the body: old, new, old, new."""

    def changed(said: Said, side: Side, number: int) -> Said:
        body = said.body
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            body = body.replace(old.encode(), new.encode())
        return replace(said, body=body)

    return changed


def plain(side: Side, number: int) -> Said:
    """The order, and nothing that varies."""
    return as_json(document(number))


def headed(side: Side, number: int) -> Said:
    """With the headers of a careful server."""
    return as_json(
        document(number),
        [
            ("Cache-Control", "max-age=60, public"),
            ("Vary", "Accept-Encoding, Origin"),
            ("X-Total-Count", "220"),
            ("Link", f'</orders?page={number + 1}>; rel="next"'),
            ("Access-Control-Allow-Origin", "https://shop.example"),
            ("X-Frame-Options", "DENY"),
        ],
    )


def page(side: Side, number: int) -> Said:
    """A page."""
    order = document(number)
    rows = "".join(f"<tr><td>{i['sku']}</td><td>{i['price']}</td></tr>" for i in order["items"])
    return as_html(
        f"<h1>{order['reference']}</h1><p class='total'>Total: {order['total']} {order['currency']}"
        f"</p><table>{rows}</table><a href='/orders/{number}/pay'>Pay now</a>"
    )


def noisy_page(side: Side, number: int) -> Said:
    """A page with a token and a time in it."""
    order = document(number)
    return as_html(
        f"<h1>{order['reference']}</h1><p>Total: {order['total']}</p><p>{order['status']}</p>"
        f'<form><input name="csrf" value="{side.hexadecimal(40)}"><button>Pay</button></form>'
        f"<p>Made {instant(time.time())}</p>"
    )


def table(side: Side, number: int) -> Said:
    """A CSV."""
    rows = "".join(f"{i['sku']},{i['quantity']},{i['price']}\n" for i in document(number)["items"])
    return as_text(f"sku,quantity,price\n{rows}", "text/csv; charset=utf-8")


def markup(side: Side, number: int) -> Said:
    """XML."""
    order = document(number)
    items = "".join(f"<item sku='{i['sku']}'>{i['price']}</item>" for i in order["items"])
    return as_text(
        f"<order id='{number}'>{items}<total>{order['total']}</total></order>", "application/xml"
    )


def picture(side: Side, number: int) -> Said:
    """Bytes."""
    return Said(fixed(number, "picture").randbytes(600), 200, [("Content-Type", "image/png")])


def busy(side: Side, number: int) -> Said:
    """An order in which much varies at each asking."""
    order = document(number)
    for item in order["items"]:
        item["token"] = side.hexadecimal(24)
    order |= {
        "request_id": side.uuid(),
        "at": instant(time.time()),
        "took": int(side.chance.expovariate(1 / 12)),
        "host": side.chance.choice(["web-1", "web-2", "web-3"]),
        "message": f"Order {number} was read at {instant(time.time())}",
        "load": 100 * (1 + side.chance.uniform(-0.01, 0.01)),
    }
    if side.chance.random() < 0.2:
        order["promotion"] = "10 % off"
    return as_json(order)


def _reordered(data: dict[str, Any], side: Side) -> None:
    data["items"] = data["items"][::-1]


def _offset(hours: int) -> Callable[[Any], Any]:
    return lambda text: text[:11] + f"{(int(text[11:13]) + hours) % 24:02}" + text[13:]


DIFFERENCES: dict[str, Difference] = {
    # values in a document of which nothing varies
    "a price off by a cent": Difference(plain, _set("items.0.price", lambda v: round(v + 0.01, 2))),
    "a price off by a cent, seldom": Difference(
        plain, _set("items.1.price", lambda v: v + 0.01), 0.003
    ),
    "a total without tax": Difference(plain, _set("total", lambda v: round(v / 1.19, 2)), 0.05),
    "another status": Difference(plain, _set("status", lambda v: "new"), 0.1),
    "another status, seldom": Difference(plain, _set("status", lambda v: "new"), 0.01),
    "upper case": Difference(plain, _set("currency", str.lower)),
    "a number as text": Difference(plain, _set("total", str)),
    "null for a value": Difference(plain, _set("status", lambda v: None), 0.02),
    "empty for null": Difference(plain, _set("note", lambda v: "")),
    "false for true": Difference(plain, _set("customer.vip", lambda v: not v), 0.05),
    "a member missing": Difference(plain, _drop("reference"), 0.03),
    "a member missing, always": Difference(plain, _drop("tags")),
    "null missing": Difference(plain, _drop("note")),
    "a member added": Difference(plain, edited(lambda d, s: d.update(debug=True))),
    "a member renamed": Difference(plain, edited(lambda d, s: d.update(ref=d.pop("reference")))),
    "the last item lost": Difference(plain, edited(lambda d, s: d["items"].pop() and None), 0.05),
    "an item twice": Difference(plain, edited(lambda d, s: d["items"].append(d["items"][0])), 0.02),
    "items in another order": Difference(plain, edited(_reordered), 0.1),
    "a list sorted otherwise": Difference(plain, _set("tags", lambda v: v[::-1])),
    "an hour off": Difference(plain, _set("created_at", _offset(1)), 0.2),
    "a day off": Difference(plain, _set("created_at", lambda v: v.replace("-03-", "-04-")), 0.01),
    "milliseconds added to a moment": Difference(
        plain, _set("created_at", lambda v: v[:-1] + ".123Z")
    ),
    "another offset": Difference(plain, _set("created_at", lambda v: v[:-1] + "+02:00")),
    "another user's UUID": Difference(plain, _set("external", lambda v: "0" + v[1:-1] + "7"), 0.1),
    "one UUID for all": Difference(
        plain, _set("external", lambda v: "11111111-2222-4333-a444-555555555555"), 0.02
    ),
    "rounded": Difference(plain, _set("total", round), 0.3),
    "text cut": Difference(plain, _set("customer.name", lambda v: v[:6]), 0.01),
    "broken characters": Difference(plain, _set("customer.name", lambda v: v + "Ã¼"), 0.02),
    "an empty list": Difference(plain, _set("items", lambda v: []), 0.01),
    "an object for a list": Difference(plain, _set("tags", lambda v: {"0": v[0]})),
    "nothing at all": Difference(plain, lambda s, side, n: replace(s, body=b"{}"), 0.005),
    "no JSON": Difference(plain, lambda s, side, n: replace(s, body=b"<b>oops</b>"), 0.01),
    # wrong now and then
    "one wrong answer in ten, at random": Difference(
        plain, _set("total", lambda v: 0.0), 0.1, at_random=True
    ),
    "one wrong answer in thirty, at random": Difference(
        plain, _set("status", lambda v: "unknown"), 0.033, at_random=True
    ),
    "500 for one in ten": Difference(plain, with_status(500), 0.1, at_random=True),
    "503 for one in a hundred": Difference(plain, with_status(503), 0.01, at_random=True),
    "500 for one number": Difference(plain, with_status(500), 0.01),
    # heads
    "404 for 200": Difference(plain, with_status(404), 0.02),
    "201 for 200": Difference(plain, with_status(201)),
    "another media type": Difference(plain, with_header("Content-Type", "text/plain")),
    "a total in a header": Difference(headed, with_header("X-Total-Count", "219"), 0.05),
    "no caching header": Difference(headed, with_header("Cache-Control", None)),
    "shorter caching": Difference(headed, with_header("Cache-Control", "max-age=6, public")),
    "Vary without Origin": Difference(headed, with_header("Vary", "Accept-Encoding")),
    "no CORS header": Difference(headed, with_header("Access-Control-Allow-Origin", None)),
    "CORS for all": Difference(headed, with_header("Access-Control-Allow-Origin", "*")),
    "no next link": Difference(headed, with_header("Link", None), 0.1),
    "no frame options": Difference(headed, with_header("X-Frame-Options", None)),
    # pages, text, bytes
    "a total in a page": Difference(page, with_text("Total: ", "Total: 1"), 0.05),
    "a link in a page": Difference(page, with_text("/pay", "/checkout"), 0.1),
    "a row lost in a page": Difference(
        page,
        with_text(
            "<tr>",
            "",
        ),
        0.02,
    ),
    "a word in a page": Difference(page, with_text("Pay now", "Pay"), 1.0),
    "a column in a CSV": Difference(table, with_text("sku,quantity", "sku,qty")),
    "semicolons in a CSV": Difference(table, with_text(",", ";")),
    "a row in a CSV": Difference(table, with_text("S1", "S2"), 0.05),
    "an attribute in XML": Difference(markup, with_text("sku=", "code=")),
    "a value in XML": Difference(markup, with_text("<total>", "<total>1"), 0.03),
    "bytes of a picture": Difference(
        picture, lambda s, side, n: replace(s, body=s.body[:-1] + b"\0"), 0.05
    ),
    "a picture cut": Difference(picture, lambda s, side, n: replace(s, body=s.body[:300]), 0.01),
    # in fields that vary, or beside them
    "a short token": Difference(busy, _set("request_id", lambda v: v[:8]), 0.02),
    "a word for a token": Difference(busy, _set("items.1.token", lambda v: "none"), 0.01),
    "an empty token": Difference(busy, _set("request_id", lambda v: ""), 0.01),
    "null for a token": Difference(busy, _set("request_id", lambda v: None), 0.02),
    "a clock an hour off": Difference(busy, _set("at", lambda v: instant(time.time() + 3_600))),
    "a clock an hour off, seldom": Difference(
        busy, _set("at", lambda v: instant(time.time() - 3_600)), 0.01
    ),
    "another notation of now": Difference(busy, _set("at", lambda v: v.replace("T", " ")), 0.05),
    "another host": Difference(busy, _set("host", lambda v: "db-1"), 0.02),
    "a load far off": Difference(busy, _set("load", lambda v: v * 3), 0.02),
    "an elapsed time below zero": Difference(busy, _set("took", lambda v: -1), 0.05),
    "seconds for milliseconds": Difference(busy, _set("took", lambda v: v / 1_000), 0.5),
    "an elapsed time that is always zero": Difference(busy, _set("took", lambda v: 0)),
    "no host now and then": Difference(busy, _set("host", lambda v: None), 0.05, at_random=True),
    "a host that is none, now and then": Difference(
        busy, _set("host", lambda v: "db-1"), 0.05, at_random=True
    ),
    "another tag in a list of any order": Difference(
        NOISE["a list in any order"], _set("tags", lambda v: ["z", *v[1:]]), 0.05
    ),
    "a tag lost from a list of any order": Difference(
        NOISE["a list in any order"], _set("tags", lambda v: v[1:]), 0.05
    ),
    "another sentence": Difference(busy, _set("message", lambda v: "Not found"), 0.01),
    "another name in a sentence": Difference(
        busy, _set("message", lambda v: v.replace("Order", "Invoice")), 0.05
    ),
    "another promotion": Difference(
        busy, edited(lambda d, s: d.update(promotion="20 % off") if "promotion" in d else None)
    ),
    "a promotion never": Difference(busy, _drop("promotion")),
    "a token that stands still": Difference(
        busy, _set("request_id", lambda v: "11111111-2222-4333-a444-555555555555")
    ),
    "a host never served": Difference(busy, _set("host", lambda v: "web-1")),
    "a price beside noise": Difference(busy, _set("items.2.price", lambda v: v + 1), 0.003),
    "a member missing beside noise": Difference(busy, _drop("reference"), 0.01),
    "a total beside noise in a page": Difference(
        noisy_page, with_text("Total: ", "Total: 9"), 0.02
    ),
    "a status beside noise in a page": Difference(
        noisy_page, with_text("<p>open</p>", "<p>closed</p>"), 0.5
    ),
    "a button lost in a page": Difference(noisy_page, with_text("<button>Pay</button>", ""), 0.05),
    "a counter that stands still": Difference(
        NOISE["counter of each side"], _set("hits", lambda v: 12)
    ),
    "a counter as text": Difference(NOISE["counter of each side"], _set("hits", str), 0.05),
    "A never served": Difference(NOISE["half A, half B"], _set("variant", lambda v: "B")),
    "C served": Difference(NOISE["half A, half B"], _set("variant", lambda v: "C"), 0.02),
    "an amount ten times as large": Difference(
        NOISE["jitter in the last digits"], _set("rate", lambda v: v * 1.1), 0.05
    ),
    "a signature too short": Difference(
        NOISE["a signed URL"], _set("image", lambda v: v[:-10]), 0.02
    ),
}
"""By name."""
