"""MessagePack as a tree, by the specification at https://github.com/msgpack/msgpack."""

from __future__ import annotations

import struct

from figway.compare.canonical.binary_reader import BinaryReader, member_name
from figway.compare.canonical.json import Blob, Value
from figway.compare.limits import Budget

_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_SIZES = {1: ">B", 2: ">H", 4: ">I"}


def parse_msgpack(data: bytes, budget: Budget, depth: int) -> Value:
    """The one value that `data` holds.

    Raises:
        NotThisFormat: it is cut, or more follows.
        CompareError: `too_deep`, or the budget's own.
    """
    reader = BinaryReader(data, "MessagePack", budget, depth)
    value = _value(reader, 0)
    reader.end()
    return value


def _value(reader: BinaryReader, level: int) -> Value:
    reader.enter(level)
    code = reader.take(1)[0]
    if code <= 0x7F:
        return code
    if code >= 0xE0:
        return code - 0x100
    if code <= 0x8F:
        return _map(reader, code & 0x0F, level)
    if code <= 0x9F:
        return _array(reader, code & 0x0F, level)
    if code <= 0xBF:
        return reader.text(code & 0x1F)
    if code in _CONSTANTS:
        return _CONSTANTS[code]
    if code in _NUMBERS:
        return _number(reader, _NUMBERS[code])
    return _sized(reader, code, level)


def _sized(reader: BinaryReader, code: int, level: int) -> Value:
    if 0xC4 <= code <= 0xC6:
        return Blob(reader.take(_size(reader, 1 << (code - 0xC4))))
    if 0xC7 <= code <= 0xC9:
        return _extension(reader, _size(reader, 1 << (code - 0xC7)))
    if 0xD4 <= code <= 0xD8:
        return _extension(reader, 1 << (code - 0xD4))
    if 0xD9 <= code <= 0xDB:
        return reader.text(_size(reader, 1 << (code - 0xD9)))
    if code in (0xDC, 0xDD):
        return _array(reader, _size(reader, 2 << (code - 0xDC)), level)
    if code in (0xDE, 0xDF):
        return _map(reader, _size(reader, 2 << (code - 0xDE)), level)
    raise reader.broken("a code that is never used")


def _size(reader: BinaryReader, width: int) -> int:
    return int.from_bytes(reader.take(width), "big")


def _number(reader: BinaryReader, layout: str) -> float:
    number: float = struct.unpack(layout, reader.take(struct.calcsize(layout)))[0]
    return number


def _extension(reader: BinaryReader, size: int) -> Value:
    kind = reader.take(1)[0]
    return {"extension()": kind, "data()": Blob(reader.take(size))}


def _array(reader: BinaryReader, size: int, level: int) -> Value:
    reader.holds(size)
    return [_value(reader, level + 1) for _ in range(size)]


def _map(reader: BinaryReader, size: int, level: int) -> Value:
    reader.holds(2 * size)
    pairs = [(_value(reader, level + 1), _value(reader, level + 1)) for _ in range(size)]
    return reader.members([(member_name(key), value) for key, value in pairs])
