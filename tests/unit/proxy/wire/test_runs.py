"""What a connection remembers of its last head: nothing that a head says depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.client_head import BadRequest, RequestHead, parse
from proxy.wire.lines import KNOWN
from proxy.wire.runs import LEARNINGS, MAX_OCTETS, Memory

HEAD = (
    b"GET /%d HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: c\r\nCookie: d=%d\r\n"
    b"Connection: keep-alive\r\nCache-Control: no-cache\r\n\r\n"
)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    KNOWN.clear()
    yield
    KNOWN.clear()


def told(data: bytes, memory: Memory | None = None) -> tuple[object, ...]:
    try:
        head = parse(data) if memory is None else parse(data, memory=memory)
    except BadRequest as error:
        return error.status, error.code
    return seen(head)


def seen(head: RequestHead) -> tuple[object, ...]:
    framing = head.content_length, head.has_body, head.chunked, head.keep_alive, head.expects
    return head.target, head.host, head.headers, dict(head.acted_on), head.carried, framing


def test_the_runs_between_what_varies_are_kept() -> None:
    memory = Memory()
    for number in range(3):
        parse(HEAD % (number, number), memory=memory)
    assert [run.octets for run in memory.runs] == [
        b"Host: a\r\nUser-Agent: b\r\nAccept: c\r\n",
        b"Connection: keep-alive\r\nCache-Control: no-cache\r\n",
    ]
    assert memory.left == LEARNINGS - 1
    assert told(HEAD % (7, 7), memory) == told(HEAD % (7, 7))


def test_a_field_that_is_acted_on_twice_is_seen_across_runs() -> None:
    memory = Memory()
    for _ in range(3):
        parse(HEAD % (1, 1), memory=memory)
    doubled = (HEAD % (1, 1)).replace(b"Accept: c", b"Accept: c\r\nHost: b")
    assert told(doubled, memory) == told(doubled) == (400, "ambiguous_framing")


def test_a_client_whose_heads_differ_is_learned_from_a_few_times_only() -> None:
    memory = Memory()
    for number in range(3 * LEARNINGS):
        parse((HEAD % (1, 1)).replace(b"Accept: c", b"Accept: %d" % number), memory=memory)
    assert not memory.left


def test_what_is_kept_of_a_connection_is_bounded() -> None:
    memory = Memory()
    lines = b"".join(b"User-Agent: %d%s\r\n" % (number, b"x" * 400) for number in range(50))
    for _ in range(3):
        parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n", memory=memory)
    assert sum(len(run.octets) for run in memory.runs) < MAX_OCTETS + 100


def test_two_connections_share_a_run() -> None:
    one, other = Memory(), Memory()
    for memory in (one, other):
        for _ in range(2):
            parse(HEAD % (1, 1), memory=memory)
    assert one.runs[0] is other.runs[0]


LINES = st.sampled_from(
    [
        b"Host: a",
        b"Host: b",
        b"host:  a",
        b"User-Agent: x",
        b"Accept: */*",
        b"Cookie: a=1",
        b"Cookie: b=2",
        b"Connection: close",
        b"Connection: keep-alive, X-A",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"X-Forwarded-For: 1.2.3.4",
        b"X_Forwarded_For: 1.2.3.4",
        b"TE: trailers",
        b"Pragma: ",
        b"Pragma: \x00",
        b"Priority: u=4",
        b" folded",
    ]
)


@given(st.lists(st.lists(LINES, max_size=6), min_size=2, max_size=6))
def test_a_head_means_the_same_with_and_without_a_memory(heads: list[list[bytes]]) -> None:
    """W1: what decides, repeats and frames is read alike, whatever came before."""
    memory = Memory(100)
    for lines in heads:
        data = b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])
        assert told(data, memory) == told(data)
        assert told(data, memory) == told(data)
