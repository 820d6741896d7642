"""Hostile requests without end: the corpus, bent at random from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from tests.suites.hostile.corpus import ACCEPTED, ANSWERS, CHUNKS, POST, REFUSED, TE

SPICE = [bytes([octet]) for octet in b"\r\n\0 \t:;,+-_\x0b\x0c\x7f\x80\x85\xa0\xff/\\.%#?@0afx\"'"]
SPICE += [
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\r\n\t",
    b"0\r\n\r\n",
    b"chunked",
    b"%00",
    b"%0d%0a",
]
LINES = [
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 50", b"content-length: 5",
    b"Content-Length:5 ", b"Content-Length: +5", b"Content-Length : 5", b"Content-Length: 5,5",
    b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked", b"Transfer-Encoding:chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: x, chunked",
    b"Transfer-Encoding : chunked",
    b" Transfer-Encoding: chunked", b"Transfer-Encoding: chunked\x0b", b"X: 1\nContent-Length: 5",
    b"Connection: close", b"Connection: keep-alive", b"Connection: Content-Length",
    b"Connection: Transfer-Encoding", b"Connection: Upgrade", b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Expect: 100-continue", b"Host: b", b"Host: a", b"X-Forwarded-For: 127.0.1.1", b"TE: trailers",
    b"Trailer: Content-Length", b"X-HTTP-Method-Override: DELETE", b"Keep-Alive: timeout=5",
]  # fmt: skip


def bases() -> list[bytes]:
    """Every request of the corpus."""
    chunked = POST + TE + b"\r\n\r\n"
    found = [*REFUSED.values(), *(chunked + body for body in CHUNKS.values())]
    return [*found, *ACCEPTED.values()]


def requests(seed: int) -> Iterator[bytes]:
    """Mutations without end; the same for the same seed."""
    random = Random(seed)
    known = bases()
    while True:
        yield bend(random.choice(known), random)


def answers(seed: int) -> Iterator[bytes]:
    """The same for answers."""
    random = Random(seed)
    known = list(ANSWERS.values())
    while True:
        yield bend(random.choice(known), random)


def bend(data: bytes, random: Random) -> bytes:
    """One to three changes."""
    for _ in range(random.randint(1, 3)):
        data = random.choice(_WAYS)(data, random)
    return data


def split(data: bytes, random: Random) -> Sequence[bytes]:
    """The same bytes in one to three pieces."""
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice([0, 0, 1, 2])))
    places = [0, *cuts, len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


def _insert(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(SPICE) + data[at:]


def _delete(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.choice([1, 1, 1, 2, 5]) :]


def _replace(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(SPICE) + data[at + 1 :]


def _add_line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randint(1, min(6, len(lines))), random.choice(LINES))
    return b"\r\n".join(lines)


def _repeat_line(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\r\n")
    at = random.randrange(len(lines))
    return b"\r\n".join([*lines[: at + 1], *lines[at:]])


def _swap_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\r\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\r\n".join(lines)


def _case(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at : at + 12].swapcase() + data[at + 12 :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _line_end(data: bytes, random: Random) -> bytes:
    ends = data.count(b"\r\n")
    if not ends:
        return data
    at = -1
    for _ in range(random.randint(1, ends)):
        at = data.index(b"\r\n", at + 1)
    return (
        data[:at]
        + random.choice([b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\0\r\n"])
        + data[at + 2 :]
    )


_WAYS = (
    _insert, _insert, _replace, _replace, _delete, _delete, _add_line, _add_line, _repeat_line,
    _swap_lines, _case, _cut, _line_end,
)  # fmt: skip
