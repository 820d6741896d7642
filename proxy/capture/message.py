"""One captured request and its served answer as bytes: the same on every queue.

    u32 length of all that follows
    u32 length of the meta data
    meta data: a JSON object
    request headers, request body, answer headers, answer body: raw, lengths in the meta data

Headers are lines `name: value CRLF`, as on the wire. Integers are big-endian. A message never
touches a disk, and nothing of it is ever logged: it holds credentials.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import orjson

from figway.message.http import Headers
from proxy.wire.message import ResponseHead

MAX_MESSAGE = 64 * 1024 * 1024
"""Longer than any pair of bodies within the largest body limit."""


_LENGTHS = struct.Struct(">II").pack


class BadMessage(ValueError):
    """Bytes that are no message."""


class Captured:
    """A request, how it was served, and what was answered.

    `window` and `revision` say which rules the route had; `side` who served; `failure` names a
    transport failure of that side, or is empty; `head_us` is the time to its response head.
    `cut` says that the answer is a stream of events that was left, after `lasted_us`.
    `peer`, `scheme`, `host` and `trusted` are the request's `Arrival`.
    """

    __slots__ = (
        "answer_body",
        "answer_headers",
        "at_ms",
        "body",
        "cut",
        "failure",
        "has_body",
        "head_us",
        "headers",
        "host",
        "lasted_us",
        "method",
        "peer",
        "revision",
        "route",
        "scheme",
        "side",
        "size",
        "status",
        "target",
        "trace",
        "trusted",
        "window",
    )

    route: str
    window: str
    revision: int
    side: str
    method: str
    target: bytes
    headers: Headers
    has_body: bool
    body: bytes
    peer: str
    scheme: str
    host: bytes
    trusted: bool
    trace: str
    at_ms: int
    head_us: int
    status: int
    failure: str
    cut: bool
    lasted_us: int
    answer_headers: Headers
    answer_body: bytes
    size: int


def header_block(headers: Headers) -> bytes:
    """Header fields as lines."""
    return b"\r\n".join([*map(_line, headers), b""])


_line = b": ".join


def encode(meta: dict[str, Any], parts: list[bytes]) -> list[bytes]:
    """The pieces of one message; `parts` are its four raw parts."""
    meta["n"] = lengths = list(map(len, parts))
    head = orjson.dumps(meta)
    size = len(head)
    return [_LENGTHS(4 + size + sum(lengths), size), head, *parts]


def decode(data: bytes) -> Captured:
    """Read what follows the first length. Raises `BadMessage`."""
    try:
        at = 4 + int.from_bytes(data[:4], "big")
        meta = orjson.loads(data[4:at])
        parts = []
        for length in meta["n"]:
            parts.append(data[at : at + length])
            at += length
        if at != len(data):
            raise ValueError("lengths")
        return _captured(meta, parts, len(data))
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessage(f"not a captured request: {type(error).__name__}") from None


def _captured(meta: dict[str, Any], parts: list[bytes], size: int) -> Captured:
    found = Captured()
    found.route, found.window, found.revision = meta["route"], meta["window"], meta["revision"]
    found.side, found.method = meta["side"], meta["method"]
    found.target = meta["target"].encode("latin-1")
    found.has_body, found.trusted = meta["has_body"], meta["trusted"]
    found.peer, found.scheme = meta["peer"], meta["scheme"]
    found.host = meta["host"].encode("latin-1")
    found.trace, found.at_ms, found.head_us = meta["trace"], meta["at_ms"], meta["head_us"]
    found.status, found.failure = meta["status"], meta["failure"]
    found.cut, found.lasted_us = meta.get("cut", False), meta.get("lasted_us", 0)
    found.headers = ResponseHead(0, b"", raw=parts[0]).headers
    found.body = parts[1]
    found.answer_headers = ResponseHead(0, b"", raw=parts[2]).headers
    found.answer_body = parts[3]
    found.size = size
    return found


class Frames:
    """Cuts a stream into messages: feed it bytes, take what is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What follows each length. Raises `BadMessage` for one that is too long."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= 4:
                length = int.from_bytes(buffer[start : start + 4], "big")
                if length > MAX_MESSAGE:
                    raise BadMessage(f"a message of {length} bytes")
                end = start + 4 + length
                if len(buffer) < end:
                    break
                yield bytes(buffer[start + 4 : end])
                start = end
        finally:
            del buffer[:start]
