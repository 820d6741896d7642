"""What one read at the native door costs others: work by read, not by piece."""

from __future__ import annotations

import asyncio
import ipaddress

from figway.model.policies import Maintenance, RoutePolicies
from figway.model.table import Route, RouteMatch, Stage
from proxy.doors.native import NativeConnection
from proxy.doors.server import NativeDoor
from proxy.loop.piece_budget import FEW, TURN
from proxy.upstreams.fake import Answer, FakeAttempt
from proxy.upstreams.port import ResponseSink, Sending
from proxy.wire.message import OutboundRequest
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


UPLOAD = b"POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
GET_DOWN = b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n"


def attempts_of(stand: Stand) -> list[FakeAttempt]:
    return stand.fakes["legacy"][0].attempts


async def test_one_connection_waits_in_one_place() -> None:
    """W19: a backend that pauses and goes on at once earns its client no second share of a turn."""
    stand = Stand()
    door = NativeDoor(stand.runtime)
    line, other = Line(door), Line(door)
    line.protocol.data_received(CHUNKED + TINY * 20 * TURN + LAST)
    [attempt] = attempts_of(stand)
    for _ in range(10):
        attempt.sink.request_paused()
        attempt.sink.request_resumed()
    assert not line.transport.reading
    other.protocol.data_received(CHUNKED + TINY * 20 * TURN + LAST)
    await turns(12)
    mine, others = (len(attempt.body) for attempt in attempts_of(stand))
    assert abs(mine - others) <= 3 * TURN
    await turns(60)
    assert [len(attempt.body) for attempt in attempts_of(stand)] == [20 * TURN] * 2


async def test_a_backend_that_takes_no_more_is_waited_for() -> None:
    """W19: meanwhile nothing is taken apart and kept; then it goes on by turns, without a further
    read."""
    stand = Stand()
    line = Line(NativeDoor(stand.runtime))
    line.protocol.data_received(CHUNKED + TINY * 20 * TURN + LAST)
    [attempt] = attempts_of(stand)
    attempt.sink.request_paused()
    await turns(60)
    before = len(attempt.body)
    attempt.sink.request_resumed()
    assert len(attempt.body) - before <= TURN
    assert not line.transport.reading
    await turns(60)
    assert len(attempt.body) == 20 * TURN


async def test_an_early_answer_to_a_paused_body_keeps_the_connection() -> None:
    """W19: what waits behind a backend that answers without taking its body is read and dropped;
    the next body on the connection waits for its turns alone."""
    stand = Stand()
    line = Line(NativeDoor(stand.runtime))
    stand.fakes["legacy"][0].replies += [None, Answer()]
    line.protocol.data_received(CHUNKED + TINY * 5 * TURN + LAST)
    [attempt] = attempts_of(stand)
    attempt.sink.request_paused()
    await turns(3)
    attempt.head(503)
    attempt.finish()
    await turns(20)
    assert line.transport.reading
    assert line.protocol.idle
    line.protocol.data_received(CHUNKED + TINY * 5 * TURN + LAST)
    await turns(20)
    assert len(attempts_of(stand)[1].body) == 5 * TURN
    assert line.transport.written.count(b"HTTP/1.1 ") == 2
    assert line.transport.reading


async def test_an_upload_behind_another_request_waits_for_its_backend() -> None:
    """W20: a body that was read while the request before was answered pauses like any other."""
    stand = Stand()
    line = Line(NativeDoor(stand.runtime))
    stand.fakes["legacy"][0].replies += [None, None]
    line.protocol.data_received(GET + UPLOAD + b"x" * 100_000)

    first = attempts_of(stand)[0]
    fake = stand.fakes["legacy"][0]
    send = fake.send

    def send_and_pause(request: OutboundRequest, sink: ResponseSink) -> Sending:
        sending = send(request, sink)
        sink.request_paused()
        return sending

    fake.send = send_and_pause  # type: ignore[method-assign]
    first.head(200)
    first.finish()
    await turns(3)
    assert not line.transport.reading
    attempts_of(stand)[1].sink.request_resumed()
    assert line.transport.reading


async def test_pipelined_requests_wait_their_turn_behind_a_proxied_one() -> None:
    """W20: reading goes on when what was read is worked off, and not before."""
    stand = Stand(DOWN)
    line = Line(NativeDoor(stand.runtime))
    line.protocol.data_received(GET + GET_DOWN * 500)
    for _ in range(40):
        await turns(1)
        if line.transport.written.count(b"HTTP/1.1 503") not in (0, 500):
            assert not line.transport.reading
    assert line.transport.written.count(b"HTTP/1.1 503") == 500
    assert line.transport.reading


async def test_requests_wait_for_a_client_that_takes_no_answers() -> None:
    """W20: further answers would pile up in memory, as nothing pauses them any more."""
    stand = Stand(DOWN)
    line = Line(NativeDoor(stand.runtime))
    line.protocol.data_received(GET)
    line.protocol.pause_writing()
    await turns(3)
    line.protocol.data_received(GET + GET_DOWN * 3)
    await turns(3)
    assert len(attempts_of(stand)) == 1
    assert not line.transport.reading
    line.protocol.resume_writing()
    await turns(10)
    assert len(attempts_of(stand)) == 2
    assert line.transport.written.count(b"HTTP/1.1 503") == 3
    assert line.transport.reading


async def test_a_request_waits_behind_an_answer_that_fills_the_buffers_with_its_end() -> None:
    """W20: the client is told to wait while the request before is brought to its end."""
    stand = Stand()
    line = Line(NativeDoor(stand.runtime))
    stand.fakes["legacy"][0].replies += [None, None]
    line.protocol.data_received(GET)
    line.protocol.data_received(GET)
    first = attempts_of(stand)[0]
    write = line.transport.write

    def write_and_pause(data: bytes) -> None:
        write(data)
        line.protocol.pause_writing()

    line.transport.write = write_and_pause  # type: ignore[method-assign]
    first.head(200)
    first.finish()
    await turns(3)
    assert len(attempts_of(stand)) == 1
    assert not line.transport.reading
    line.protocol.resume_writing()
    await turns(3)
    assert len(attempts_of(stand)) == 2


async def test_answers_of_the_facade_itself_wait_for_a_client_that_takes_none() -> None:
    """W20: as many as come in one read are the most that it keeps."""
    line = Line(NativeDoor(Stand(DOWN).runtime))
    line.protocol.pause_writing()
    line.protocol.data_received(GET_DOWN * 10)
    assert line.transport.written == b""
    line.protocol.resume_writing()
    await turns(3)
    assert line.transport.written.count(b"HTTP/1.1 503") == 10


async def test_a_connection_that_waits_can_end() -> None:
    """W19: closed, or drained, while it waits for its turn."""
    stand = Stand(DOWN)
    door = NativeDoor(stand.runtime)
    lost, drained = Line(door), Line(door)
    for line in (lost, drained):
        line.protocol.data_received(GET_DOWN * 500)
    lost.transport.closed = True
    lost.protocol.connection_lost(None)
    door.stop_listening()
    drained.protocol.drain(1_000)
    await turns(5)
    assert drained.transport.closed
    assert drained.transport.written.count(b"Connection: close") == 1
    assert door.connections == {drained.protocol}


async def test_a_closing_connection_waits_while_its_client_takes_something() -> None:
    """trap 18: as long as clients have to take an answer, and again with each piece of it."""
    stand = Stand(DOWN)
    line = Line(NativeDoor(stand.runtime))
    line.transport.unsent = 100
    line.protocol.data_received(b"GET /down HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    now = stand.runtime.timer.now
    assert line.protocol.deadline == now + stand.runtime.settings.write_ms
    line.transport.unsent = 50
    line.protocol.expired(now)
    assert (line.transport.closed, line.transport.aborted) == (True, False)
    line.protocol.expired(now)
    assert line.transport.aborted


async def test_a_trusted_proxy_that_leaves_gives_up_nobody_elses_place() -> None:
    """W19: it was not counted, whoever shares its network was."""
    door = NativeDoor(
        Stand(
            max_connections_per_client=1,
            trusted_proxies=(ipaddress.ip_network("2001:db8::1/128"),),
        ).runtime
    )
    assert door.takes("2001:db8::1")
    assert door.takes("2001:db8::2")
    door.gave_up("2001:db8::1")
    assert not door.takes("2001:db8::2")
