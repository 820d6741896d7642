"""RESP, version 2, as far as adding to a stream needs it: commands, and replies that are no lists.

Source: redis.io, "Redis serialization protocol specification". Replies are bounded, since the
server may be anything: none of those that are waited for is longer than a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_REPLY: Final = 8_192
"""Bytes of one reply. An error of a script quotes a line of it; all others are far shorter."""

_CODE: Final = re.compile(rb"[A-Z][A-Z0-9_]{0,39}(?= |$)").match
_SIZE: Final = re.compile(rb"-1|[0-9]{1,4}").fullmatch


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What Redis refuses with: `-CODE text`. `code` is empty where there is none."""

    code: str
    text: bytes


Reply = bytes | ErrorReply | None
"""A simple string, number or bulk string as bytes; an error; or null."""


class BadReply(ValueError):
    """Bytes that are no reply, or none of a kind or size that was asked for."""


def encode(*parts: bytes) -> bytes:
    """A command."""
    sized = [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
    return b"*%d\r\n%b" % (len(parts), b"".join(sized))


class ReplyReader:
    """Replies out of pieces as they come."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that are whole now. Raises `BadReply`; nothing can be read after it."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n", 0, MAX_REPLY)) >= 0:
            head, after = self._buffer[:end], end + 2
            if head[:1] != b"$":
                self._buffer = self._buffer[after:]
                yield _line(head)
                continue
            size = _size(head[1:])
            if len(self._buffer) < after + size + 2 and size >= 0:
                break
            yield self._bulk(after, size)
        if end < 0 and len(self._buffer) >= MAX_REPLY:
            raise BadReply("A reply is too long.")

    def _bulk(self, start: int, size: int) -> bytes | None:
        """The bulk string of `size` bytes from `start` on, taken out."""
        if size < 0:
            self._buffer = self._buffer[start:]
            return None
        found, closing = self._buffer[start : start + size], self._buffer[start + size :][:2]
        if closing != b"\r\n":
            raise BadReply("A reply is longer than it says.")
        self._buffer = self._buffer[start + size + 2 :]
        return found


def _line(head: bytes) -> Reply:
    kind, rest = head[:1], head[1:]
    if kind in (b"+", b":"):
        return rest
    if kind == b"-":
        code = _CODE(rest)
        return ErrorReply("" if code is None else code[0].decode("ascii"), rest)
    raise BadReply("The answer is not Redis's.")


def _size(digits: bytes) -> int:
    if _SIZE(digits) is None or int(digits) > MAX_REPLY:
        raise BadReply("A reply is too long.")
    return int(digits)
