"""Reads a request out of what people paste: a URL, a path, or a curl command."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass, field

from control_plane.http.problems import invalid

_OPTIONS = """
-o --output -w --write-out -m --max-time --connect-timeout -x --proxy --cacert --cert --key -K
--config -c --cookie-jar --resolve -T --upload-file --retry --limit-rate -r --range --connect-to
--interface -z --time-cond -F --form
"""
_WITH_VALUE = frozenset(_OPTIONS.split())
_DATA_OPTIONS = "-d --data --data-raw --data-binary --data-ascii --data-urlencode --json"
_DATA = frozenset(_DATA_OPTIONS.split())


@dataclass(slots=True)
class Typed:
    """A request as typed."""

    method: str = ""
    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | None = None


def read(text: str) -> Typed:
    """The request that `text` spells: `/orders/7`, `POST /orders`, `https://..`, `curl ...`.

    Raises:
        ApiProblem: 422 when it cannot be read.
    """
    text = text.replace("\\\r\n", " ").replace("\\\n", " ").strip()
    if not text:
        raise invalid("request", "paste a URL, a path or a curl command")
    if not text.startswith(("curl ", "curl\t")):
        method, _, rest = text.partition(" ")
        if rest and method.isalpha() and method.isupper():
            return Typed(method, rest.strip())
        return Typed("GET", text)
    try:
        words = shlex.split(text)[1:]
    except ValueError as error:
        raise invalid("request", f"the curl command cannot be read: {error}") from None
    return _curl(words)


def _curl(words: list[str]) -> Typed:
    found, body, head, as_query = Typed(), False, False, False
    data: list[str] = []
    rest = iter(_split(words))
    for word in rest:
        if word in ("-X", "--request"):
            found.method = next(rest, "GET").upper()
        elif word in ("-H", "--header"):
            name, _, value = next(rest, "").partition(":")
            if name.strip():
                found.headers.append((name.strip(), value.strip()))
        elif word in ("-b", "--cookie"):
            found.headers.append(("Cookie", next(rest, "")))
        elif word in ("-A", "--user-agent"):
            found.headers.append(("User-Agent", next(rest, "")))
        elif word in ("-e", "--referer"):
            found.headers.append(("Referer", next(rest, "")))
        elif word in ("-u", "--user"):
            pair = base64.b64encode(next(rest, "").encode()).decode()
            found.headers.append(("Authorization", f"Basic {pair}"))
        elif word == "--url":
            found.url = next(rest, "")
        elif word in _DATA:
            data.append(next(rest, ""))
            body = True
            if word == "--json":
                found.headers.append(("Content-Type", "application/json"))
        elif word in ("-I", "--head"):
            head = True
        elif word in ("-G", "--get"):
            as_query = True
        elif word in _WITH_VALUE:
            next(rest, "")
            body = body or word in ("-F", "--form")
        elif not word.startswith("-") and not found.url:
            found.url = word
    if not found.url:
        raise invalid("request", "the curl command names no URL")
    _give_data(found, "&".join(data) if data else None, as_query=as_query)
    found.method = found.method or ("HEAD" if head else "POST" if body and not as_query else "GET")
    return found


def _give_data(found: Typed, data: str | None, *, as_query: bool) -> None:
    """The data as body, or with `-G` in the query."""
    if data is None:
        return
    if as_query:
        found.url += ("&" if "?" in found.url else "?") + data
        return
    found.body = data
    if not any(name.lower() == "content-type" for name, _ in found.headers):
        found.headers.append(("Content-Type", "application/x-www-form-urlencoded"))


def _split(words: list[str]) -> list[str]:
    """`-XPOST` and `--header=..` as two words."""
    found: list[str] = []
    for word in words:
        if word.startswith("--") and "=" in word:
            found += word.split("=", 1)
        elif len(word) > 2 and word[0] == "-" and word[1] in "XHbAeud" and word[1] != "-":
            found += [word[:2], word[2:]]
        else:
            found.append(word)
    return found
