"""JSON (RFC 8259) as a tree of Python values that can be compared by value.

What plain parsing would blur or refuse is kept apart: a repeated member, NaN and the infinities,
integers too long for Python's own limit. Numbers are equal by value (`1.0` is `1`) at double
precision, and a boolean never equals a number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from figway.compare.limits import CompareError

Value: TypeAlias = (
    "dict[str, Value] | list[Value] | str | float | Constant | LongInteger | Blob | Order | None"
)
"""A tree as every canonical form ends in. An `int` and a `bool` are a `float` to a type checker."""


class NotThisFormat(Exception):
    """The text is not what its Content-Type says; the caller compares it as text."""


class Constant(NamedTuple):
    """NaN, Infinity or -Infinity, which are not JSON but are written by many."""

    name: str


class LongInteger(NamedTuple):
    """A number beyond what Python converts in reasonable time, or beyond a double, as written."""

    digits: str


class Blob(NamedTuple):
    """Bytes inside a tree, which no text equals."""

    data: bytes


class Repeated(list["Value"]):
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


def members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    """An object; the values of a name that occurs again are `Repeated`."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
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
_decode = json.JSONDecoder(object_pairs_hook=members, parse_constant=Constant).decode
_decode_long = json.JSONDecoder(
    object_pairs_hook=members, parse_constant=Constant, parse_int=_integer
).decode


def parse_json(text: str) -> Value:
    """The tree of `text`.

    Raises:
        NotThisFormat: it is not JSON.
        CompareError: `too_deep`.
    """
    try:
        tree: Value = _decode(text)
        return tree
    except json.JSONDecodeError as error:
        raise NotThisFormat(f"not JSON: {error}") from error
    except RecursionError as error:
        raise CompareError("too_deep") from error
    except ValueError:
        long: Value = _decode_long(text)
        return long


def _float(written: str) -> float | LongInteger:
    number = float(written)
    return LongInteger(written) if math.isinf(number) else number


_decode_huge = json.JSONDecoder(
    object_pairs_hook=members, parse_constant=Constant, parse_int=_integer, parse_float=_float
).decode
_HUGE = re.compile(r"[0-9][eE]\+?[0-9]{3}")


def exactly(text: str, tree: Value) -> Value:
    """The tree of a JSON text with numbers beyond a double kept apart, as `tree` has them not."""
    if _HUGE.search(text) is None:
        return tree
    exact: Value = _decode_huge(text)
    return exact


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
    if kind is Blob:
        return "bytes"
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


def _bytes(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} is no part of a tree")


def surely_same(a: Value, b: Value) -> bool:
    """A quick yes for two trees that are `same`; a no only means that a walk must tell."""
    return bool(a == b) and _of_like_types(a, b)


def _of_like_types(a: Value, b: Value) -> bool:
    """Whether nothing in two equal trees is equal by Python's rules alone: no boolean stands for a
    number, and no infinity for another number beyond a double. It keeps no more than a path.
    """
    path: list[Iterator[tuple[Value, Value]]] = [iter(((a, b),))]
    while path:
        for one, other in path[-1]:
            kind = type(one)
            if kind in _CONTAINERS:
                path.append(_children(one, other))
                break
            if kind is not type(other) and not {kind, type(other)} <= _NUMBERS:
                return False
            if kind is float and one in _INFINITE:
                return False
        else:
            path.pop()
    return True


def _children(one: Value, other: Value) -> Iterator[tuple[Value, Value]]:
    """What stands at the same places of two equal containers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return zip(one.values(), map(other.__getitem__, one), strict=True)
    assert isinstance(one, list)
    assert isinstance(other, list)
    return zip(one, other, strict=True)


_NUMBERS = frozenset({int, float})
_INFINITE = (math.inf, -math.inf)


Container: TypeAlias = "dict[str, Value] | list[Value]"
_CONTAINERS = frozenset({dict, list, Repeated})


def check_depth(value: Value, most: int) -> None:
    """Refuse a tree deeper than `most`, without recursion.

    Raises:
        CompareError: `too_deep`.
    """
    level: list[Container] = [value] if isinstance(value, dict | list) else []
    for _ in range(most + 1):
        level = [
            child  # type: ignore[misc]  # a test of types in a set is the quick one
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if type(child) in _CONTAINERS
        ]
        if not level:
            return
    raise CompareError("too_deep", f"more than {most} levels")


_write_plain = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_bytes).encode


def fingerprint(value: Value) -> str:
    """A text that two values share exactly when they are `same`. Depth must be bounded before.

    Not JSON: a string begins with a quote, which no other value's text does.
    """
    if type(value) is str:
        return f'"{value}'
    return _write_plain(_plain(value))


def _plain(value: Value | bytes) -> object:
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
