"""Kinds of noise: both sides vary alike, and nothing of it is a difference."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from bench.truth.answers import Said, Side, as_html, as_json, as_text, document, instant

Answer = Callable[[Side, int], Said]


def _with(**fields: Callable[[Side, int], Any]) -> Answer:
    def answer(side: Side, number: int) -> Said:
        return as_json(
            {**document(number), **{k: make(side, number) for k, make in fields.items()}}
        )

    return answer


def _changed(change: Callable[[dict[str, Any], Side], None]) -> Answer:
    def answer(side: Side, number: int) -> Said:
        data = document(number)
        change(data, side)
        return as_json(data)

    return answer


def _headed(name: str, make: Callable[[Side], str]) -> Answer:
    return lambda side, number: as_json(document(number), [(name, make(side))])


def _page(text: Callable[[Side, int], str]) -> Answer:
    def answer(side: Side, number: int) -> Said:
        order = document(number)
        return as_html(f"<h1>{order['reference']}</h1><p>{order['total']}</p>{text(side, number)}")

    return answer


def _maybe(share: float, name: str, value: Any) -> Callable[[dict[str, Any], Side], None]:
    def change(data: dict[str, Any], side: Side) -> None:
        if side.chance.random() < share:
            data[name] = value

    return change


def _shuffled(data: dict[str, Any], side: Side) -> None:
    data["tags"] = side.chance.sample(["a", "b", "c", "d", "e"], 5)


def _shuffled_items(data: dict[str, Any], side: Side) -> None:
    items = [{"id": n, "name": f"item {n}"} for n in range(6)]
    side.chance.shuffle(items)
    data["items"] = items


def _each_item(name: str, make: Callable[[Side], Any]) -> Answer:
    def change(data: dict[str, Any], side: Side) -> None:
        for item in data["items"]:
            item[name] = make(side)

    return _changed(change)


def _by_uuid(data: dict[str, Any], side: Side) -> None:
    data["sessions"] = {side.uuid(): "open"}


def _stock(side: Side, number: int) -> Said:
    """Data of both sides that moves four times a second."""
    return as_json({**document(number), "stock": int(time.time() * 4) % 1_000})


def _signed_url(side: Side, number: int) -> str:
    until = int(time.time()) + 3_600
    return f"https://cdn.example/{number}.jpg?expires={until}&signature={side.hexadecimal(40)}"


def _csv(side: Side, number: int) -> Said:
    order = document(number)
    rows = "".join(
        f"{item['sku']},{item['price']},{instant(time.time())}\n" for item in order["items"]
    )
    return as_text(f"sku,price,exported_at\n{rows}", "text/csv; charset=utf-8")


def _xml(side: Side, number: int) -> Said:
    order = document(number)
    text = f"<order><id>{number}</id><total>{order['total']}</total><t>{side.uuid()}</t></order>"
    return as_text(text, "application/xml")


def _elapsed(side: Side, number: int) -> int:
    return int(side.chance.expovariate(1 / (9 if side.new else 14)))


QUOTES = [f"Saying number {word}" for word in "one two three four five six seven eight".split()]  # noqa: SIM905

NOISE: dict[str, Answer] = {
    "uuid": _with(request_id=lambda s, n: s.uuid()),
    "hex token of 32": _with(token=lambda s, n: s.hexadecimal(32)),
    "hex token of 16": _with(token=lambda s, n: s.hexadecimal(16)),
    "token with a prefix": _with(token=lambda s, n: "req_" + s.hexadecimal(20)),
    "token of 8": _with(token=lambda s, n: s.hexadecimal(8)),
    "base64 cursor": _with(cursor=lambda s, n: base64.b64encode(s.chance.randbytes(24)).decode()),
    "one-time password of 6 digits": _with(otp=lambda s, n: f"{s.chance.randrange(10**6):06}"),
    "instant of whole seconds": _with(at=lambda s, n: instant(time.time())),
    "instant with milliseconds": _with(
        at=lambda s, n: (
            instant(time.time(), "%Y-%m-%dT%H:%M:%S") + f".{int(time.time() * 1e3) % 1000:03}Z"
        )
    ),
    "instant with offset": _with(
        at=lambda s, n: instant(time.time() + 7_200, "%Y-%m-%dT%H:%M:%S+02:00")
    ),
    "instant an hour ahead": _with(until=lambda s, n: instant(time.time() + 3_600)),
    "epoch seconds": _with(at=lambda s, n: int(time.time())),
    "epoch milliseconds": _with(at=lambda s, n: int(time.time() * 1_000)),
    "epoch as a float": _with(at=lambda s, n: time.time()),
    "ten digits as text": _with(phone=lambda s, n: f"{s.chance.randrange(10**10):010}"),
    "a colour": _with(colour=lambda s, n: f"#{s.hexadecimal(6)}"),
    "elapsed with a long tail": _with(took=lambda s, n: int(10 * s.chance.lognormvariate(0, 1))),
    "a place of few, some seldom": _with(
        pop=lambda s, n: s.chance.choices(["FRA", "AMS", "LHR", "CDG", "IAD"], [90, 5, 2, 2, 1])[0]
    ),
    "elapsed milliseconds": _with(took=_elapsed),
    "elapsed as a float": _with(took=lambda s, n: s.chance.expovariate(1 / 12)),
    "counter of each side": _with(hits=lambda s, n: s.number("hits")),
    "sequence in a text": _with(batch=lambda s, n: f"batch {s.number('batch')} of today"),
    "one of four hosts": _with(
        host=lambda s, n: s.chance.choice(["web-1", "web-2", "web-3", "web-4"])
    ),
    "one of eight sayings": _with(saying=lambda s, n: s.chance.choice(QUOTES)),
    "half A, half B": _with(variant=lambda s, n: s.chance.choice("AB")),
    "seldom another value (5 %)": _changed(_maybe(0.05, "status", "busy")),
    "very seldom another value (1 %)": _changed(_maybe(0.01, "status", "busy")),
    "a flag that flaps": _with(warm=lambda s, n: s.chance.random() < 0.25),
    "sometimes null": _with(hint=lambda s, n: None if s.chance.random() < 0.3 else "look"),
    "sometimes absent (20 %)": _changed(_maybe(0.2, "promotion", "10 % off")),
    "sometimes absent (2 %)": _changed(_maybe(0.02, "promotion", "10 % off")),
    "a list in any order": _changed(_shuffled),
    "objects in any order": _changed(_shuffled_items),
    "jitter in the last digits": _with(
        rate=lambda s, n: 1.37 + n / 100 + s.chance.uniform(-1, 1) * 1e-13
    ),
    "jitter of one per cent": _with(load=lambda s, n: 100 * (1 + s.chance.uniform(-0.01, 0.01))),
    "a random whole number": _with(dice=lambda s, n: s.chance.randrange(1_000)),
    "a token in each item": _each_item("token", lambda side: side.hexadecimal(24)),
    "an instant in each item": _each_item("seen_at", lambda side: instant(time.time())),
    "a member named by a UUID": _changed(_by_uuid),
    "a signed URL": _with(image=_signed_url),
    "a request id in a message": _with(
        message=lambda s, n: f"Order {n} was read (request {s.hexadecimal(16)})"
    ),
    "a time in a message": _with(message=lambda s, n: f"Order {n}, as of {instant(time.time())}"),
    "a header with a token": _headed("X-Correlation", lambda side: side.hexadecimal(32)),
    "a header with a time": _headed("X-Served-At", lambda side: instant(time.time())),
    "an ETag of each answer": _headed("ETag", lambda side: f'"{side.hexadecimal(16)}"'),
    "Last-Modified of now": _headed(
        "Last-Modified", lambda side: instant(time.time(), "%a, %d %b %Y %H:%M:%S GMT")
    ),
    "a CSRF token in a page": _page(
        lambda s, n: f'<form><input type="hidden" name="csrf" value="{s.hexadecimal(40)}"></form>'
    ),
    "a nonce in each script": _page(
        lambda s, n: "".join(f'<script nonce="{s.hexadecimal(16)}">x()</script>' for _ in range(5))
    ),
    "a footer with a time": _page(
        lambda s, n: f"<footer>Page made {instant(time.time())}</footer>"
    ),
    "a time in a CSV": _csv,
    "a UUID in XML": _xml,
    "a text with a time": lambda s, n: as_text(f"order {n}\nserved {instant(time.time())}\nend\n"),
    "data that moves on": _stock,
    "a moment kept for two seconds": _with(
        cached_at=lambda s, n: s.kept("page", 2.0, lambda: instant(time.time()))
    ),
}
"""By name, how a side answers."""
