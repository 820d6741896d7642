"""How values are written down: strict decoding, canonical JSON, and content hashes.

Decoding follows the type hints of the nouns (`figway.model.table` and beside it): an unknown field,
a missing one or a wrong type is a `CodecError` that names its place. Encoding leaves out what
equals the default, so that a release which adds a field changes no hash. Canonical JSON is UTF-8,
sorted keys and no spaces; numbers are integers, or finite doubles as Python's shortest `repr`
spells them: what reads them again is this module alone, so the subtleties of RFC 8785 do not arise.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from figway.model.backend import Backend
from figway.model.table import Capability, Route, Table

T = TypeVar("T")
Item = Backend | Capability | Route
_Decoder = Callable[[Any, str], Any]


class CodecError(ValueError):
    """Data that is not what the model says. `path` is where, `message` what is wrong."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


# -- encoding ----------------------------------------------------------------------------------


def to_data(value: Any, *, whole: bool = False) -> Any:
    """The JSON form of a model value, without fields that equal their default unless `whole`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = {}
        for name, default in _fields(type(value)):
            item = getattr(value, name)
            if whole or item != default:
                data[name] = to_data(item, whole=whole)
        return data
    if isinstance(value, Mapping):
        return [to_data(value[key], whole=whole) for key in sorted(value)]
    if isinstance(value, (tuple, frozenset)):
        return [to_data(item, whole=whole) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    return value


def canonical(value: Any) -> bytes:
    """The canonical JSON of a model value or of plain JSON data."""
    data = to_data(value) if dataclasses.is_dataclass(value) else value
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_hash(value: Any) -> str:
    """Hash of the canonical form: 32 hexadecimal digits of SHA-256."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


class TableHasher:
    """Content hashes of successive tables, at the cost of what changed between them.

    A table's hash covers the hashes of its items, and an item that is the same object as in
    the table before is not hashed again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Item, str]] = {}

    def item(self, kind: str, item: Item) -> str:
        """The content hash of one item: its ETag."""
        key = (kind, item.id)
        known = self._known.get(key)
        if known is not None and known[0] is item:
            return known[1]
        digest = content_hash(item)
        self._known[key] = (item, digest)
        return digest

    def table(self, table: Table) -> str:
        """The content hash of a table: its ETag."""
        lines = [f"{table.default_backend}\n{int(table.kill_switch)}"]
        if not table.refuse_other_spellings:
            lines.append("other spellings are forwarded")
        for kind, items in _groups(table).items():
            lines.extend(f"{kind} {key} {self.item(kind, items[key])}" for key in sorted(items))
        groups = _groups(table)
        if len(self._known) > 1_000 + sum(map(len, groups.values())):
            known = self._known.items()
            self._known = {key: entry for key, entry in known if key[1] in groups[key[0]]}
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _groups(table: Table) -> dict[str, Mapping[str, Item]]:
    return {
        "backend": table.backends,
        "capability": table.capabilities,
        "route": table.routes,
    }


def table_hash(table: Table) -> str:
    """The content hash of one table, from scratch."""
    return TableHasher().table(table)


# -- decoding ----------------------------------------------------------------------------------


def from_data(cls: type[T], data: Any, path: str = "$") -> T:
    """Decode JSON data as the model class `cls`. Raises `CodecError`."""
    result: T = _decoder(typing.cast(typing.Hashable, cls))(data, path)
    return result


_REQUIRED = object()


@cache
def _fields(cls: type) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of a dataclass; the hidden marker stands where there is no default."""
    found = []
    for field in dataclasses.fields(cls):
        default: Any = _REQUIRED
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found.append((field.name, default))
    return tuple(found)


@cache
def _decoder(cls: Any) -> _Decoder:
    if dataclasses.is_dataclass(cls):
        return _dataclass_decoder(typing.cast(type, cls))
    if isinstance(cls, type) and issubclass(cls, StrEnum):
        return _enum_decoder(cls)
    origin = typing.get_origin(cls)
    if origin is tuple:
        items = typing.get_args(cls)
        if items[-1] is Ellipsis:
            return _tuple_decoder(_decoder(items[0]))
        return _fixed_decoder([_decoder(item) for item in items])
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _items_decoder(_decoder(typing.get_args(cls)[1]))
    if origin in (typing.Union, types.UnionType):
        if len(typing.get_args(cls)) > 2:
            return _scalar_decoder(frozenset(typing.get_args(cls)))
        inner = _decoder(next(arg for arg in typing.get_args(cls) if arg is not type(None)))
        return lambda data, path: None if data is None else inner(data, path)
    return _plain_decoder(cls)


def _plain_decoder(cls: type) -> _Decoder:
    names = {str: "a string", int: "a whole number", bool: "true or false", float: "a number"}

    def decode(data: Any, path: str) -> Any:
        if cls is float and type(data) is int and abs(data) <= _LARGEST_EXACT:
            return float(data)
        if type(data) is not cls or not _finite(data):
            raise CodecError(path, f"expected {names[cls]}, found {_name(data)}")
        return data

    return decode


_LARGEST_EXACT = 1 << 53


def _finite(data: Any) -> bool:
    """JSON has no word for the others."""
    return type(data) is not float or math.isfinite(data)


def _scalar_decoder(classes: frozenset[type]) -> _Decoder:
    def decode(data: Any, path: str) -> Any:
        if type(data) not in classes or not _finite(data):
            raise CodecError(path, f"expected a scalar, found {_name(data)}")
        return data

    return decode


def _enum_decoder(cls: type[StrEnum]) -> _Decoder:
    values = {member.value: member for member in cls}

    def decode(data: Any, path: str) -> Any:
        member = values.get(data) if isinstance(data, str) else None
        if member is None:
            known = ", ".join(values)
            raise CodecError(path, f"expected one of {known}; found {_name(data)}")
        return member

    return decode


def _tuple_decoder(item: _Decoder) -> _Decoder:
    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, (list, tuple)):
            raise CodecError(path, f"expected a list, found {_name(data)}")
        return tuple(item(entry, f"{path}[{index}]") for index, entry in enumerate(data))

    return decode


def _fixed_decoder(items: list[_Decoder]) -> _Decoder:
    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, (list, tuple)) or len(data) != len(items):
            raise CodecError(path, f"expected a list of {len(items)}, found {_name(data)}")
        return tuple(
            item(entry, f"{path}[{index}]")
            for index, (item, entry) in enumerate(zip(items, data, strict=True))
        )

    return decode


def _items_decoder(item: _Decoder) -> _Decoder:
    """A mapping by id is written as a list of items that carry their id."""

    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, list):
            raise CodecError(path, f"expected a list, found {_name(data)}")
        found: dict[str, Any] = {}
        for index, entry in enumerate(data):
            value = item(entry, f"{path}[{index}]")
            if value.id in found:
                raise CodecError(f"{path}[{index}].id", f"{value.id!r} stands here twice")
            found[value.id] = value
        return MappingProxyType(found)

    return decode


def _dataclass_decoder(cls: type) -> _Decoder:
    hints = typing.get_type_hints(cls)
    decoders = {name: _decoder(hints[name]) for name, _ in _fields(cls)}
    required = [name for name, default in _fields(cls) if default is _REQUIRED]

    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, dict):
            raise CodecError(path, f"expected an object, found {_name(data)}")
        values = {}
        for name, value in data.items():
            decoder = decoders.get(name)
            if decoder is None:
                known = ", ".join(sorted(decoders))
                raise CodecError(f"{path}.{name}", f"unknown field; known here: {known}")
            values[name] = decoder(value, f"{path}.{name}")
        for name in required:
            if name not in values:
                raise CodecError(f"{path}.{name}", "missing")
        return cls(**values)

    return decode


def _name(data: Any) -> str:
    text = json.dumps(data, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
