"""A reader of the part of Hurl's grammar (https://hurl.dev/docs/grammar.html) that is exported.

Strict: a line that the grammar does not know is an error, so that a wrong escape is noticed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_REQUEST = re.compile(r"([A-Z]+) (\{\{base_url\}\}[^\s#{}\\]*)")
_STATUS = re.compile(r"HTTP (\d{3}|\*)")
_HEADER = re.compile(r"([!#$%&'*+.^`|~0-9A-Za-z-]+): (.*)")
_BODY = re.compile(r"base64,[A-Za-z0-9+/=]*;")
_QUOTED = r'"((?:[^"\\\x00-\x1f{}]|\\["\\nrtbf]|\\u\{[0-9a-f]{1,6}\})*)"'
_ASSERT = re.compile(
    rf"(header|jsonpath) {_QUOTED} (?:(==|contains) (?:{_QUOTED}|(-?[0-9.eE+-]+|true|false|null))"
    r"|(exists)|(count) == (\d+))"
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass
class Entry:
    """One request with its asserts."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    status: str = ""
    asserts: list[tuple[str, Any]] = field(default_factory=list)


def parse(text: str) -> list[Entry]:
    """The entries of a file. Raises `AssertionError` for what is not Hurl."""
    entries: list[Entry] = []
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if found := _REQUEST.fullmatch(line):
            entries.append(Entry(found[1], found[2]))
            section = "request"
        elif section == "request" and (found := _STATUS.fullmatch(line)):
            entries[-1].status = found[1]
            section = "response"
        elif section == "request" and _BODY.fullmatch(line):
            entries[-1].body = line
        elif section == "request" and (found := _HEADER.fullmatch(line)):
            assert "{{" not in found[2]
            assert not re.search(r"(?<!\\)#", found[2])
            entries[-1].headers[found[1]] = _plain(found[2])
        elif section == "response" and line == "[Asserts]":
            section = "asserts"
        elif section == "asserts" and (found := _ASSERT.fullmatch(line)):
            entries[-1].asserts.append(_assert(found))
        else:
            raise AssertionError(f"not Hurl: {line!r}")
    return entries


def _assert(found: re.Match[str]) -> tuple[str, Any]:
    name = _plain(found[2])
    query = f'header "{name}"' if found[1] == "header" else f"jsonpath {name}"
    if found[6]:
        return query, ("exists", None)
    if found[7]:
        return query, ("count", int(found[8]))
    value = _plain(found[4]) if found[4] is not None else json.loads(found[5])
    return query, (found[3], value)


def _plain(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        return _LETTERS.get(found[2], found[2])

    return _ESCAPE.sub(one, text)
