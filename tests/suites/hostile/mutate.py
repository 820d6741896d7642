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


MARK = b"trailer-only"
"""Stands in trailer sections alone: no head of a request that is forwarded may hold it."""
_FIELDS = [
    b"X-User", b"x-user", b"Authorization", b"Cookie", b"Host", b"X-Forwarded-For", b"Forwarded",
    b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"Figway-Side",
    b"X-HTTP-Method-Override", b"Content-Type", b"Te", b"X_User", b"traceparent", b"X-T",
]  # fmt: skip
_HEADS = [
    b"", b"Trailer: X-User\r\n", b"TE: trailers\r\n", b"Cookie: a=1\r\nCookie: b=2\r\n",
    b"X-User: me\r\nx-user: you\r\n", b"Expect: 100-continue\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Connection: close, X-User\r\nX-User: me\r\n",
    b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n",
]  # fmt: skip
_BODIES = [b"", b"5\r\nabcde\r\n", b"1;x=y\r\na\r\n", b"1\r\na\r\n" * 40]


def with_trailers(seed: int) -> Iterator[bytes]:
    """Whole chunked requests with trailers, bent behind the last chunk only; every trailer has the
    `MARK` in its value."""
    random = Random(seed)
    while True:
        head = POST + TE + b"\r\n" + random.choice(_HEADS) + random.choice(_HEADS) + b"\r\n"
        names = random.choices(_FIELDS, k=random.randint(1, 4))
        section = b"".join([name + b": " + MARK + b"\r\n" for name in names])
        for _ in range(random.choice([0, 0, 1, 2])):
            section = random.choice(_TRAILER_WAYS)(section, random)
        yield (
            head
            + random.choice(_BODIES)
            + random.choice([b"0\r\n", b"00;x\r\n"])
            + section
            + b"\r\n"
        )


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
_TRAILER_WAYS = (_insert, _replace, _delete, _repeat_line, _case, _line_end)
