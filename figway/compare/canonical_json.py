"""JSON (RFC 8259) as a tree of Python values that can be compared by value.

What plain parsing would blur or refuse is kept apart: a repeated member, NaN and the infinities,
integers too long for Python's own limit. Numbers are equal by value (`1.0` is `1`) at double
precision, and a boolean never equals a number.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from figway.compare.limits import CompareError

Value = Any
"""dict, list, str, int, float, bool, None, or one of the classes below."""


class NotThisFormat(Exception):
    """The text is not what its Content-Type says; the caller compares it as text."""


class Constant(NamedTuple):
    """NaN, Infinity or -Infinity, which are not JSON but are written by many."""

    name: str


class LongInteger(NamedTuple):
    """An integer with more digits than Python converts in reasonable time."""

    digits: str


class Repeated(list[Value]):
    """All the values of a member that occurs more than once in its object."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is Repeated and list.__eq__(self, other)

    __hash__ = None


class Order(tuple[str, ...]):
    """The order of an element's children: compared only when the children are otherwise the
    same.
    """

    __slots__ = ()


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated: dict[str, list[Value]] = {}
    for name, value in pairs:
        repeated.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else Repeated(values)
        for name, values in repeated.items()
    }


def _integer(digits: str) -> int | LongInteger:
    return int(digits) if len(digits) <= 4000 else LongInteger(digits)


# Two decoders: Python's own integers are converted in C, and only a text that fails there needs
# care.
_decode = json.JSONDecoder(object_pairs_hook=_members, parse_constant=Constant).decode
_decode_long = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=Constant, parse_int=_integer
).decode


def parse_json(text: str) -> Value:
    """The tree of `text`.

    Raises:
        NotThisFormat: it is not JSON.
        CompareError: `too_deep`.
    """
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        raise NotThisFormat(f"not JSON: {error}") from error
    except RecursionError as error:
        raise CompareError("too_deep") from error
    except ValueError:
        return _decode_long(text)


def type_name(value: Value) -> str:
    """JSON's name for the value's type."""
    kind = type(value)
    if kind is bool:
        return "boolean"
    if kind is str:
        return "string"
    if kind in (int, float, LongInteger, Constant):
        return "number"
    if kind in (dict, Repeated, list):
        return {dict: "object", Repeated: "repeated member"}.get(kind, "array")
    return "null" if value is None else "order"


def same_scalar(a: Value, b: Value) -> bool:
    """Equality by value, which Python's own is but for `True == 1`."""
    return bool(a == b) and (type(a) is bool) == (type(b) is bool)


def same(a: Value, b: Value) -> bool:
    """Deep equality by value. Depth must be bounded before (see `check_depth`)."""
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and len(a) == len(b)
            and all(name in b and same(value, b[name]) for name, value in a.items())
        )
    if isinstance(a, list):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return same_scalar(a, b)


_write = json.JSONEncoder(sort_keys=True, check_circular=False).encode


def surely_same(a: Value, b: Value) -> bool:
    """A quick yes for two trees that are `same`; a no only means that a walk must tell."""
    return bool(a == b) and _write(a) == _write(b)


_CONTAINERS = frozenset({dict, list, Repeated})


def check_depth(value: Value, most: int) -> None:
    """Refuse a tree deeper than `most`, without recursion.

    Raises:
        CompareError: `too_deep`.
    """
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(most + 1):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in _CONTAINERS
        ]
        if not level:
            return
    raise CompareError("too_deep", f"more than {most} levels")


_write_plain = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(value: Value) -> str:
    """A text that two values share exactly when they are `same`. Depth must be bounded before.

    Not JSON: a string begins with a quote, which no other value's text does.
    """
    if type(value) is str:
        return f'"{value}'
    return _write_plain(_plain(value))


def _plain(value: Value) -> Value:
    if type(value) is float:
        return int(value) if value.is_integer() else value
    if type(value) is dict:
        return {name: _plain(child) for name, child in value.items()}
    if type(value) is list:
        return [_plain(child) for child in value]
    if isinstance(value, list | tuple):
        # A body could spell this out itself; it would only be told its order where it has a change.
        return {"\0" + type(value).__name__: [_plain(child) for child in value]}
    return value
