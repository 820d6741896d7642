"""Protobuf's wire format without a descriptor: fields by number, each an array of its values.

Numbers are told by their bits. What is length-delimited is text where it can be shown, a message
where it reads as one, else bytes. Fields may come in any order, values of one field may not. Two
sides are read alike, so what is equal here encodes the same message under every descriptor that
keeps a field's values together.
"""

from __future__ import annotations

from figway.compare.canonical.binary_reader import BinaryReader
from figway.compare.canonical.json import Blob, NotThisFormat, Value
from figway.compare.limits import Budget

_DEEPEST = 32


def parse_protobuf(data: bytes, budget: Budget, depth: int) -> Value:
    """The fields of one message: `$.f1[*]`.

    Raises:
        NotThisFormat: it is not the wire format.
        CompareError: the budget's own.
    """
    return _message(BinaryReader(data, "protobuf", budget, min(depth, _DEEPEST)), 0)


def _message(reader: BinaryReader, level: int) -> Value:
    fields: dict[str, Value] = {}
    while reader.at < len(reader.data):
        reader.enter(level)
        tag = _varint(reader)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise reader.broken("a field without a number")
        values = fields.setdefault(f"f{number}", [])
        assert isinstance(values, list)
        values.append(_field(reader, kind, level))
    return fields


def _field(reader: BinaryReader, kind: int, level: int) -> Value:
    if kind == 0:
        return _varint(reader)
    if kind in (1, 5):
        # By width: a client reads four bytes and eight differently, whatever number they make.
        return f"0x{reader.take(8 if kind == 1 else 4)[::-1].hex()}"
    if kind == 2:
        return _delimited(reader.take(_varint(reader)), reader, level)
    raise reader.broken("a kind of field that is not used")


def _varint(reader: BinaryReader) -> int:
    number = 0
    for shift in range(0, 70, 7):
        byte = reader.take(1)[0]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number
    raise reader.broken("a number that does not end")


def _delimited(data: bytes, reader: BinaryReader, level: int) -> Value:
    if (text := _shown(data)) is not None:
        return text
    if level < _DEEPEST - 1:
        try:
            return _message(reader.within(data), level + 1)
        except NotThisFormat:
            return Blob(data)
    return Blob(data)


def _shown(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return (
        text
        if all(character.isprintable() or character in "\t\n\r" for character in text)
        else None
    )
