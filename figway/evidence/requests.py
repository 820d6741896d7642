"""Which requests were compared: how many different ones, the most frequent, and their shapes.

Four hundred copies of one URL prove what one of them proves.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

EXACT = 4_096
"""Different requests that are counted exactly."""
_REGISTERS = 1_024
_INDEX_BITS = 10
_POWERS = [2.0**-rank for rank in range(65)]
FREQUENT = 8
MOST_SHAPES = 64
MOST_NAMES = 16
OTHER_SHAPES = "(more)"

Shape = tuple[str, int, str, tuple[str, ...], bool]
"""Method, status, media type, query names, signed in."""


def request_hash(method: str, target: bytes, body: bytes, signed_in: bool) -> str:
    """16 hexadecimal digits that name a request."""
    name = method.encode()
    who = b"\0\0\0\1\1" if signed_in else b"\0\0\0\1\0"
    told = _LENGTH(len(name)) + name + _LENGTH(len(target)) + target + _LENGTH(len(body))
    found = hashlib.blake2b(told, digest_size=8)
    found.update(body)
    found.update(who)
    return found.hexdigest()


_LENGTH = struct.Struct(">I").pack


def shape_of(method: str, target: bytes, status: int, content_type: str, signed_in: bool) -> Shape:
    """What kind of request it was, by the answer of the side that served it."""
    media = content_type.partition(";")[0].strip().lower()[:80]
    query = target.partition(b"?")[2]
    return method[:20], status, media, _names(query) if query else (), signed_in


def _names(query: bytes) -> tuple[str, ...]:
    parts = query.decode("latin-1").split("&")
    names = {unquote_plus(part.partition("=")[0])[:40] for part in parts if part}
    return tuple(sorted(names)[:MOST_NAMES])


def shape_text(shape: Shape) -> str:
    """`404 text/html`, `200 application/json with sort, signed in`."""
    method, status, media, names, signed_in = shape
    said = [method] if method != "GET" else []
    said += [str(status), media or "without a media type"]
    text = " ".join(said) + (f" with {', '.join(names)}" if names else "")
    return text + (", signed in" if signed_in else "")


@dataclass(slots=True)
class Distinct:
    """How many different ones: exact to 4 096, then by HyperLogLog (P. Flajolet et al., 2007).

    Merges by union, so that telling it twice changes nothing. The error of the estimate is 3 %.
    """

    hashes: set[str] = field(default_factory=set)
    registers: bytearray | None = None

    def add(self, name: str) -> None:
        """Count one, by its `request_hash`."""
        if self.registers is not None:
            self._register(name)
            return
        self.hashes.add(name)
        if len(self.hashes) > EXACT:
            self._to_registers()

    def _to_registers(self) -> None:
        self.registers = bytearray(_REGISTERS)
        for name in self.hashes:
            self._register(name)
        self.hashes.clear()

    def _register(self, name: str) -> None:
        assert self.registers is not None
        bits = int(name, 16)
        index = bits & (_REGISTERS - 1)
        rest = bits >> _INDEX_BITS
        rank = (64 - _INDEX_BITS) - rest.bit_length() + 1
        if rank > self.registers[index]:
            self.registers[index] = rank

    def merge(self, other: Distinct) -> None:
        """Union."""
        if other.registers is not None:
            if self.registers is None:
                self._to_registers()
            assert self.registers is not None
            self.registers = bytearray(map(max, self.registers, other.registers))
        for name in other.hashes:
            self.add(name)

    @property
    def number(self) -> int:
        """How many; exact up to 4 096."""
        if self.registers is None:
            return len(self.hashes)
        m = float(_REGISTERS)
        raw = 0.7213 / (1 + 1.079 / m) * m * m / sum(map(_POWERS.__getitem__, self.registers))
        empty = self.registers.count(0)
        return round(m * math.log(m / empty) if raw <= 2.5 * m and empty else raw)

    @property
    def exact(self) -> bool:
        """Whether the number is no estimate."""
        return self.registers is None

    def to_data(self) -> dict[str, Any]:
        """The JSON form."""
        if self.registers is None:
            return {"hashes": sorted(self.hashes)}
        return {"registers": base64.b64encode(bytes(self.registers)).decode()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Distinct:
        """Read the JSON form. Raises ValueError or TypeError for what is none."""
        text = data.get("registers")
        if text is None:
            return cls({f"{int(name, 16):016x}" for name in data.get("hashes", ())})
        try:
            registers = bytearray(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ValueError("not base64") from error
        if len(registers) != _REGISTERS:
            raise ValueError(f"{len(registers)} registers")
        return cls(registers=registers)


@dataclass(slots=True)
class Frequent:
    """The most frequent requests, by Space-Saving (A. Metwally et al., 2005) in eight slots.

    A count is never less than the truth, and more than it by at most a count's `error`.
    """

    slots: dict[str, list[int]] = field(default_factory=dict)
    """By hash: [count, error]."""

    def add(self, name: str, number: int = 1, error: int = 0) -> None:
        """Count one."""
        entry = self.slots.get(name)
        if entry is not None:
            entry[0] += number
            entry[1] += error
        elif len(self.slots) < FREQUENT:
            self.slots[name] = [number, error]
        else:
            least = min(self.slots, key=lambda key: self.slots[key][0])
            count = self.slots.pop(least)[0]
            self.slots[name] = [count + number, count + error]

    def merge(self, other: Frequent) -> None:
        """Sum."""
        for name, (number, error) in sorted(other.slots.items(), key=lambda item: -item[1][0]):
            self.add(name, number, error)

    @property
    def most(self) -> int:
        """How often the most frequent one came, at least."""
        return max((number - error for number, error in self.slots.values()), default=0)

    def to_data(self) -> list[list[Any]]:
        """The JSON form."""
        return [[name, *entry] for name, entry in self.slots.items()]

    @classmethod
    def from_data(cls, data: Iterable[Any]) -> Frequent:
        """Read the JSON form."""
        return cls({str(name): [int(number), int(error)] for name, number, error in data})


@dataclass(slots=True)
class Shapes:
    """Requests by shape; those beyond 64 shapes together."""

    counts: dict[Shape, int] = field(default_factory=dict)
    beyond: int = 0

    def add(self, shape: Shape, number: int = 1) -> None:
        """Count one."""
        if shape in self.counts or len(self.counts) < MOST_SHAPES:
            self.counts[shape] = self.counts.get(shape, 0) + number
        else:
            self.beyond += number

    def merge(self, other: Shapes) -> None:
        """Sum."""
        for shape, number in other.counts.items():
            self.add(shape, number)
        self.beyond += other.beyond

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.counts.values()) + self.beyond

    def to_data(self) -> list[Any]:
        """The JSON form."""
        rows: list[Any] = [[list(shape), number] for shape, number in self.counts.items()]
        return [*rows, [OTHER_SHAPES, self.beyond]] if self.beyond else rows

    @classmethod
    def from_data(cls, data: Iterable[Any]) -> Shapes:
        """Read the JSON form. Raises ValueError or TypeError for what is none."""
        found = cls()
        for shape, number in data:
            if shape == OTHER_SHAPES:
                found.beyond += int(number)
                continue
            method, status, media, names, signed_in = shape
            key = (str(method), int(status), str(media), tuple(map(str, names)), bool(signed_in))
            found.add(key, int(number))
        return found
