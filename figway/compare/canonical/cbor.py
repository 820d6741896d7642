"""CBOR (RFC 8949) as a tree."""

from __future__ import annotations

import struct

from figway.compare.canonical.binary_reader import BinaryReader, member_name
from figway.compare.canonical.json import Blob, Constant, Value
from figway.compare.limits import Budget

_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: dict[int, Value] = {20: False, 21: True, 22: None, 23: Constant("undefined")}
_BREAK = 0xFF


def parse_cbor(data: bytes, budget: Budget, depth: int) -> Value:
    """The one value that `data` holds.

    Raises:
        NotThisFormat: it is cut, more follows, or it is not well-formed.
        CompareError: `too_deep`, or the budget's own.
    """
    reader = BinaryReader(data, "CBOR", budget, depth)
    value = _value(reader, 0)
    reader.end()
    return value


def _value(reader: BinaryReader, level: int) -> Value:
    reader.enter(level)
    first = reader.take(1)[0]
    major, low = first >> 5, first & 0x1F
    if major == 7:
        return _simple(reader, low)
    if low == 31 and major in (2, 3, 4, 5):
        return _indefinite(reader, major, level)
    return _definite(reader, major, _argument(reader, low), level)


def _argument(reader: BinaryReader, low: int) -> int:
    if low < 24:
        return low
    if low > 27:
        raise reader.broken("a length that is reserved")
    return int.from_bytes(reader.take(1 << (low - 24)), "big")


def _definite(reader: BinaryReader, major: int, number: int, level: int) -> Value:
    if major == 0:
        return number
    if major == 1:
        return -1 - number
    if major == 2:
        return Blob(reader.take(number))
    if major == 3:
        return reader.text(number)
    if major == 6:
        return {"tag()": number, "value()": _value(reader, level + 1)}
    reader.holds(number * (major - 3))
    flat = [_value(reader, level + 1) for _ in range(number * (major - 3))]
    return flat if major == 4 else _map(reader, flat)


def _indefinite(reader: BinaryReader, major: int, level: int) -> Value:
    parts: list[Value] = []
    while reader.data[reader.at : reader.at + 1] != bytes([_BREAK]):
        parts.append(_value(reader, level + 1))
    reader.take(1)
    if major == 2:
        return Blob(b"".join(part.data for part in parts if isinstance(part, Blob)))
    if major == 3:
        return "".join(part for part in parts if isinstance(part, str))
    if major == 5 and len(parts) % 2:
        raise reader.broken("a key without a value")
    return parts if major == 4 else _map(reader, parts)


def _map(reader: BinaryReader, flat: list[Value]) -> Value:
    names = map(member_name, flat[::2])
    return reader.members(list(zip(names, flat[1::2], strict=True)))


def _simple(reader: BinaryReader, low: int) -> Value:
    if low in _FLOATS:
        layout = _FLOATS[low]
        number: float = struct.unpack(layout, reader.take(struct.calcsize(layout)))[0]
        return number
    if low in _SIMPLE:
        return _SIMPLE[low]
    if low == 31:
        raise reader.broken("an end of nothing")
    return Constant(f"simple({_argument(reader, low)})")
