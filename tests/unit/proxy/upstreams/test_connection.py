"""However an answer is cut into pieces, it means the same; hostile bytes end it once."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from figway.model.backend import ConnectionLimits, Timeouts
from figway.serving.attempts.failures import FailureKind
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.connection import Connection
from proxy.upstreams.pool import Pool
from tests.support.peer import Sink, get
from tests.support.thorough import examples

OK = b"HTTP/1.1 200 OK\r\n"
PARTS = [
    OK,
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"X: y\r\n",
    b"\r\n",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\n",
    b"\0",
]
answers = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=8).map(b"".join),
    st.lists(st.sampled_from(PARTS[3:]), max_size=6).map(lambda parts: OK + b"".join(parts)),
    st.binary(max_size=40).map(lambda tail: OK + b"Transfer-Encoding: chunked\r\n\r\n" + tail),
)


class Wire:
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return not self.closed

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> None:
        return None


def heard(pieces: list[bytes]) -> tuple[list[str], bytes]:
    """What the sink is told of an answer that arrives in `pieces` and then EOF."""

    async def main() -> tuple[list[str], bytes]:
        async def dial(connection: Connection) -> None:
            connection.connection_made(cast(Any, Wire()))

        pool = Pool(dial, lambda peer: "", DeadlineTimer(), Timeouts(), ConnectionLimits())
        sink = Sink()
        attempt = Attempt(pool, get(), sink)
        pool.start(attempt)
        connection = attempt.connection
        assert connection is not None
        await asyncio.sleep(0)
        for piece in pieces:
            wire = cast(Any, connection)._transport
            if wire.closed:
                break
            connection.data_received(piece)
        connection.eof_received()
        connection.connection_lost(None)
        assert sink.done.is_set()
        assert (pool.open, pool.idle) == (0, 0)
        return sink.events, sink.body

    return asyncio.run(main())


@settings(max_examples=examples(900), deadline=None)
@given(answers, st.lists(st.integers(1, 60), max_size=6))
def test_pieces_make_no_difference(answer: bytes, cuts: list[int]) -> None:
    """Trap 17: no meaning hides in a packet boundary."""
    edges = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    pieces = [answer[a:b] for a, b in pairwise(edges)]
    singles = [answer[at : at + 1] for at in range(len(answer))]
    whole_events, whole_body = heard([answer] if answer else [])
    kinds = {f"failed {kind} SOME" for kind in (FailureKind.PROTOCOL, FailureKind.RESET)}
    for parts in (pieces, singles):
        events, body = heard(parts)
        assert events[-1] == whole_events[-1] or {events[-1], whole_events[-1]} <= kinds
        if events[-1] == "end":
            assert (events, body) == (whole_events, whole_body)
