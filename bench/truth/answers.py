"""What the two sides of the fixture answer: a document by number, in several formats."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Headers = list[tuple[str, str]]
NUMBERS = 350
"""Different requests that a route is asked for."""


@dataclass
class Said:
    """An answer of a side."""

    body: bytes
    status: int = 200
    headers: Headers = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """A request of a client."""

    method: str = "GET"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        """The value of a header, its name in lower case; empty for none."""
        return next((value for key, value in self.headers if key == name), "")


Asking = Callable[[int], Asked]
LANGUAGES = ("en", "de", "fr", "ja")


def browser(number: int) -> Asked:
    """As a browser asks for a number, in its own language."""
    language = LANGUAGES[number % len(LANGUAGES)]
    return Asked(headers=(("accept-language", language), ("accept-encoding", "gzip")))


@dataclass
class Side:
    """One side, with a mind of its own: chance, counters, what it keeps for a while."""

    name: str
    chance: random.Random
    state: dict[str, Any] = field(default_factory=dict)
    asked: Asked = Asked()
    """The request that is answered now."""

    @property
    def new(self) -> bool:
        """Whether it is the side under test."""
        return self.name == "new"

    def number(self, name: str, step: int = 1) -> int:
        """A counter."""
        self.state[name] = self.state.get(name, 0 if self.new else 7_000) + step
        return int(self.state[name])

    def hexadecimal(self, length: int) -> str:
        """A drawn token."""
        return f"{self.chance.getrandbits(4 * length):0{length}x}"

    def uuid(self) -> str:
        """A UUID of version 4."""
        text = self.hexadecimal(32)
        variant = "89ab"[self.chance.randrange(4)]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def kept(self, name: str, seconds: float, make: Callable[[], Any]) -> Any:
        """What this side keeps for so long before it makes it anew."""
        entry = self.state.get(name)
        if entry is None or time.time() - entry[0] > seconds:
            entry = self.state[name] = (time.time(), make())
        return entry[1]


def fixed(number: int, name: str) -> random.Random:
    """Chance that is the same at each asking, on both sides."""
    seed = hashlib.blake2b(f"{number}:{name}".encode(), digest_size=8).digest()
    return random.Random(seed)


def document(number: int) -> Document:
    """The order of this number: the same on both sides."""
    chance = fixed(number, "order")
    items: list[dict[str, Any]] = [
        {
            "sku": f"S{chance.randrange(1000, 9999)}",
            "quantity": chance.randint(1, 9),
            "price": round(chance.uniform(1, 200), 2),
        }
        for _ in range(3)
    ]
    return {
        "id": number,
        "reference": f"WF-{100_000 + number}",
        "status": chance.choice(["open", "paid", "sent"]),
        "currency": chance.choice(["EUR", "EUR", "EUR", "JPY"]),
        "total": round(sum(item["price"] * item["quantity"] for item in items), 2),
        "items": items,
        "customer": {"name": f"Customer {number}", "email": f"c{number}@example.com", "vip": False},
        "created_at": f"2024-03-{1 + number % 28:02}T10:{number % 60:02}:00Z",
        "tags": ["a", "b", "c"],
        "note": None,
        "external": str(_uuid(number)),
    }


def _uuid(number: int) -> str:
    text = hashlib.sha256(f"external {number}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def as_json(data: Any, headers: Headers | None = None, status: int = 200) -> Said:
    """As JSON."""
    told = [("Content-Type", "application/json"), *(headers or [])]
    return Said(json.dumps(data).encode(), status, told)


def as_html(body: str, headers: Headers | None = None) -> Said:
    """As a page."""
    text = f"<!doctype html><html><head><title>Orders</title></head><body>{body}</body></html>"
    return Said(
        text.encode(), 200, [("Content-Type", "text/html; charset=utf-8"), *(headers or [])]
    )


def as_text(text: str, media: str = "text/plain; charset=utf-8") -> Said:
    """As text."""
    return Said(text.encode(), 200, [("Content-Type", media)])


def instant(seconds: float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """A moment as text."""
    return time.strftime(form, time.gmtime(seconds))
