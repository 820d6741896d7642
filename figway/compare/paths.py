"""Paths into a body: JSONPath (RFC 9535), the part of it that names places rather than queries
them.

Understood: `$`, `.name`, `['name']`, `["name"]`, `[0]`, `[*]`, `.*`, and the descendant forms
`..name`, `..['name']`, `..*`, `..[0]`; of filters one kind, a member of the child beside a scalar:
`[?@.type == "gift"]`, `[?@.a.b != 0]`. Slices, other filters, unions and indexes from the end are
refused by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 500

_NAME = r"[A-Za-z_\u0080-\uffff\U00010000-\U0010ffff][\w\u0080-\uffff\U00010000-\U0010ffff]*"
_SHORTHAND = re.compile(_NAME)
_DOT = re.compile(rf"\.(\.)?(?:({_NAME})|(\*))")
_BRACKET = re.compile(
    r"""(\.\.)?\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(0|[1-9][0-9]{0,8})|(\*))\s*\]"""
)
_MEMBER = re.compile(rf"""\.({_NAME})|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_MEMBERS = rf"""(?:\.{_NAME}|\['(?:[^'\\]|\\.)*'\]|\["(?:[^"\\]|\\.)*"\])+"""
_SCALAR = (
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d{0,17})(?:\.\d{1,18})?|true|false|null"""
)
_FILTER = re.compile(
    rf"(\.\.)?\[\s*\?\s*(\()?\s*@({_MEMBERS})\s*(==|!=)\s*({_SCALAR})\s*(?(2)\))\s*\]"
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "/": "/", "\\": "\\"}
# Member names that are ids rather than names: they would make a path of their own each.
_ID_LIKE = re.compile(
    r"\d+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=[a-fA-F]*\d)[0-9a-fA-F]{16,}"
    r"|(?=(?:[\w-]*?\d){4})[\w-]{20,}|[^@\s\[\]]+@[^@\s\[\]]+"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,Z+-]*)?"
)


class PathError(ValueError):
    """A path that is not understood, with the place where reading it stopped."""


@dataclass(frozen=True, slots=True)
class PathCondition:
    """A filter (RFC 9535, 2.3.5): a member of the child, compared with a scalar."""

    members: tuple[str, ...]
    equal: bool
    value: str | int | float | bool | None

    def holds(self, child: object) -> bool:
        """Whether a child satisfies it. A member that is not there equals nothing."""
        for name in self.members:
            if not isinstance(child, dict) or name not in child:
                return not self.equal
            child = child[name]
        alike = isinstance(child, bool) is isinstance(self.value, bool) and child == self.value
        return alike is self.equal


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: to a member, to an element, or (None) to every child."""

    selector: str | int | None
    descend: bool = False
    """The step may also start at any descendant (`..`)."""
    condition: PathCondition | None = None
    """Only to children of which this holds; `selector` is None then."""


Trail = tuple["Trail", str | int] | tuple[()]
"""Where a walk is: its parent's trail and the key that led on. Text is made only when it is
needed.
"""


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        PathError: with what is wrong and where.
    """
    if len(text) > LONGEST:
        raise PathError(f"a path may have {LONGEST} characters, this one has {len(text)}")
    if not text.startswith("$"):
        raise PathError(f"a path starts with $, not {text[:1]!r}: {text!r}")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        step, at = _step(text, at)
        steps.append(step)
    return tuple(steps)


def _step(text: str, at: int) -> tuple[Step, int]:
    if found := _DOT.match(text, at):
        descend, name, _ = found.groups()
        return Step(name, descend is not None), found.end()
    if found := _FILTER.match(text, at):
        return Step(None, found[1] is not None, _condition(found)), found.end()
    if found := _BRACKET.match(text, at):
        descend, single, double, index, _ = found.groups()
        quoted = single if single is not None else double
        if quoted is not None:
            return Step(_unescape(quoted, text), descend is not None), found.end()
        return Step(int(index) if index is not None else None, descend is not None), found.end()
    raise PathError(f"{_why(text[at:])} at character {at + 1} of {text!r}")


def _condition(found: re.Match[str]) -> PathCondition:
    members = tuple(
        dotted or _unescape(single or double, found[0])
        for dotted, single, double in _MEMBER.findall(found[3])
    )
    raw = found[5]
    if raw.startswith(("'", '"')):
        value: str | int | float | bool | None = _unescape(raw[1:-1], found[0])
    else:
        value = json.loads(raw)
    return PathCondition(members, found[4] == "==", value)


def _why(rest: str) -> str:
    inside = rest.lstrip(".")[1:].split("]")[0]
    if rest.lstrip(".").startswith("["):
        if inside.lstrip().startswith("?"):
            return "of filters only [?@.name == 'value'] is supported, also with !="
        if ":" in inside:
            return "slices are not supported"
        if "," in inside:
            return "several selectors in one bracket are not supported"
        if inside.lstrip().startswith("-"):
            return "indexes from the end are not supported"
        return "expected ['name'], [0] or [*]"
    return "expected .name, ..name or [...]"


def _unescape(quoted: str, text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code in "'\"":
            return code
        if code not in _ESCAPES:
            raise PathError(f"unknown escape \\{code} in {text!r}")
        return _ESCAPES[code]

    return _ESCAPE.sub(one, quoted)


def exact(trail: Trail) -> str:
    """The path of this one place, such as `$.items[3].price`."""
    return "$" + "".join(_written(key) for key in _keys(trail))


def template(trail: Trail) -> str:
    """The path of all places like this one: indexes and id-like names become `[*]`."""
    return "$" + "".join(
        "[*]" if isinstance(key, int) or _is_id(key) else _written(key) for key in _keys(trail)
    )


def last_name(trail: Trail) -> str:
    """The nearest member name, which is what a person would call the value."""
    while trail:
        trail, key = trail
        if isinstance(key, str):
            return key
    return ""


def _keys(trail: Trail) -> list[str | int]:
    keys: list[str | int] = []
    while trail:
        trail, key = trail
        keys.append(key)
    keys.reverse()
    return keys


@lru_cache(maxsize=4096)
def _is_id(name: str) -> bool:
    return len(name) <= 200 and _ID_LIKE.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _written(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    if _SHORTHAND.fullmatch(key):
        return f".{key}"
    key = key if len(key) <= 80 else key[:79] + "…"
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return (
        "['" + re.sub(r"[\x00-\x1f\ud800-\udfff]", lambda c: f"\\u{ord(c[0]):04x}", escaped) + "']"
    )
