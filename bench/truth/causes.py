"""Real differences that a sort of request has and the others have not: the cause is to be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.truth.answers import Asked, Asking, Said, Side, as_json, document, fixed
from bench.truth.differences import Difference, edited

LANGUAGES = ("en", "de", "fr")
CURRENCIES = ("EUR", "USD", "GBP")
SHARE = 0.25
"""Of the numbers that are asked for in the way that new gets wrong."""


@dataclass(frozen=True)
class Cause:
    """What new looks at, and how it is named where the differing requests are told apart."""

    condition: str
    """`...` in it stands for a value that is not stored."""
    asking: Asking
    holds: Callable[[Asked], bool]

    @property
    def difference(self) -> Difference:
        """A price too high where the cause holds."""
        change = edited(lambda data, side: data.update(total=data["total"] + 1))

        def changed(said: Said, side: Side, number: int) -> Said:
            return change(said, side, number) if self.holds(side.asked) else said

        return Difference(_order, changed, asking=self.asking)


def _order(side: Side, number: int) -> Said:
    return as_json(document(number))


def _asking(name: str, wrong: dict[str, str], currencies: tuple[str, ...] = CURRENCIES) -> Asking:
    """Requests that vary in many ways; a share of them by `wrong` in one more."""

    def asked(number: int) -> Asked:
        chance = fixed(number, f"cause {name}")
        said = {
            "currency": chance.choice(currencies),
            "q": str(chance.randrange(1_000)),
            "page": str(chance.randrange(9)),
            "lang": chance.choice(LANGUAGES),
            "accept": "application/json",
            "accept-language": chance.choice(LANGUAGES),
            "beta": "1" if chance.random() < 0.3 else "",
            "user-agent": chance.choice(["one/1.0", "two/2.0", "three/3.0"]),
        }
        if chance.random() < SHARE:
            said |= wrong
        return _request(said)

    return asked


_IN_QUERY = ("currency", "q", "page", "expand")
_IN_COOKIE = ("lang", "beta")


def _request(said: dict[str, str]) -> Asked:
    query = "&".join(f"{name}={said[name]}" for name in _IN_QUERY if said.get(name))
    cookies = "; ".join(f"{name}={said[name]}" for name in _IN_COOKIE if said.get(name))
    others = {*_IN_QUERY, *_IN_COOKIE}
    headers = [(name, value) for name, value in said.items() if value and name not in others]
    told = (*headers, *([("cookie", cookies)] if cookies else []))
    return Asked(query=f"?{query}", headers=told)


def _query(text: str) -> Callable[[Asked], bool]:
    return lambda asked: text in asked.query


def _cookie(text: str) -> Callable[[Asked], bool]:
    return lambda asked: text in asked.header("cookie")


def _header(name: str, value: str) -> Callable[[Asked], bool]:
    return lambda asked: value in asked.header(name)


def _both(*holds: Callable[[Asked], bool]) -> Callable[[Asked], bool]:
    return lambda asked: all(one(asked) for one in holds)


CAUSES: dict[str, Cause] = {
    "wrong for one currency": Cause(
        "with currency=JPY", _asking("currency", {"currency": "JPY"}), _query("currency=JPY")
    ),
    "wrong where it is expanded": Cause(
        "with expand", _asking("expand", {"expand": "items"}), _query("expand=")
    ),
    "wrong without a page": Cause(
        "without page", _asking("page", {"page": ""}), lambda asked: "page=" not in asked.query
    ),
    "wrong for one language in a cookie": Cause(
        "with cookie lang=...", _asking("lang", {"lang": "ja"}), _cookie("lang=ja")
    ),
    "wrong with a cookie of the trial": Cause(
        "with cookie beta", _asking("beta", {"beta": "1"}), _cookie("beta=")
    ),
    "wrong for one origin": Cause(
        "with header origin=https://partner.example",
        _asking("origin", {"origin": "https://partner.example"}),
        _header("origin", "partner"),
    ),
    "wrong for who is signed in": Cause(
        "with header authorization",
        _asking("signed", {"authorization": "Bearer 0123456789abcdef"}),
        _header("authorization", "Bearer"),
    ),
    "wrong where CSV is wanted": Cause(
        "with header accept=text/csv",
        _asking("accept", {"accept": "text/csv"}),
        _header("accept", "csv"),
    ),
    "wrong for one language": Cause(
        "with header accept-language=ja",
        _asking("language", {"accept-language": "ja"}),
        _header("accept-language", "ja"),
    ),
    "wrong for one currency in the trial": Cause(
        "with currency=JPY and with cookie beta",
        _asking("two", {"currency": "JPY", "beta": "1"}, (*CURRENCIES, "JPY")),
        _both(_query("currency=JPY"), _cookie("beta=")),
    ),
}
"""By name."""
