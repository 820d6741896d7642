"""What one read at the native door costs others: work by read, not by piece."""

from __future__ import annotations

import asyncio

from figway.model.policies import Maintenance, RoutePolicies
from figway.model.table import Route, RouteMatch, Stage
from proxy.doors.native import NativeConnection
from proxy.doors.server import NativeDoor
from proxy.loop.piece_budget import FEW, TURN
from tests.support.flow import Stand
from tests.support.transport import Transport

CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = b"1\r\nx\r\n"
LAST = b"0\r\n\r\n"
DOWN = Route(
    id="down",
    match=RouteMatch(path="/down"),
    stage=Stage.LEGACY,
    policies=RoutePolicies(maintenance=Maintenance()),
)


class Line:
    """A connection of a door to a client that only remembers."""

    def __init__(self, door: NativeDoor) -> None:
        self.transport = Transport()
        self.protocol = NativeConnection(door)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_connections_share_a_turn() -> None:
    """W19: many floods at once take no more of a turn than one, but for a few chunks each."""
    stand = Stand()
    door = NativeDoor(stand.runtime)
    lines = [Line(door) for _ in range(50)]
    for line in lines:
        line.protocol.data_received(CHUNKED + TINY * 500 + LAST)
    attempts = stand.fakes["legacy"][0].attempts
    assert sum(len(attempt.body) for attempt in attempts) <= TURN + 50 * FEW
    assert not all(line.transport.reading for line in lines)
    await turns(200)
    assert [len(attempt.body) for attempt in attempts] == [500] * 50
    assert all(line.transport.written.startswith(b"HTTP/1.1 200") for line in lines)
    assert all(line.transport.reading for line in lines)


async def test_requests_that_the_facade_answers_itself_wait_for_the_turns_of_others() -> None:
    """W20: a read full of them is not answered while everybody else waits."""
    stand = Stand(DOWN)
    line = Line(NativeDoor(stand.runtime))
    line.protocol.data_received(b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
    answered = line.transport.written.count(b"HTTP/1.1 503")
    assert 0 < answered <= 64
    assert not line.transport.reading
    await turns(60)
    assert line.transport.written.count(b"HTTP/1.1 503") == 500
    assert line.transport.reading


async def test_a_head_that_is_cut_waits_for_its_rest_behind_pipelined_ones() -> None:
    """W20: what is left of a read is the beginning of the next request."""
    line = Line(NativeDoor(Stand(DOWN).runtime))
    line.protocol.data_received(b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n" * 100 + b"GET /do")
    await turns(20)
    assert line.transport.reading
    line.protocol.data_received(b"wn HTTP/1.1\r\nHost: a\r\n\r\n")
    assert line.transport.written.count(b"HTTP/1.1 503") == 101
