"""An answer in tiny chunks is worked off in turns, and waits for its client like any other."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from figway.model.backend import ConnectionLimits, Timeouts
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.piece_budget import TURN
from proxy.upstreams.attempt import Attempt
from proxy.upstreams.connection import Connection
from proxy.upstreams.pool import Pool
from tests.support.peer import Sink, get
from tests.support.transport import Transport

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = b"1\r\nx\r\n"
LAST = b"0\r\n\r\n"


class Wire(Transport):
    """A backend's end."""

    def is_reading(self) -> bool:
        return self.reading

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...


class Line:
    """A request under way, whose backend answers in tiny chunks."""

    def __init__(self, pool: Pool) -> None:
        self.wire = Wire()
        self.sink = Sink()
        self.attempt = Attempt(pool, get(), self.sink)
        pool.start(self.attempt)

    @property
    def connection(self) -> Connection:
        assert self.attempt.connection is not None
        return self.attempt.connection

    def connect(self) -> None:
        self.connection.connection_made(cast(Any, self.wire))


async def dial(connection: Connection) -> None: ...


def pool() -> Pool:
    return Pool(dial, lambda peer: "", DeadlineTimer(), Timeouts(), ConnectionLimits())


async def line(of: Pool) -> Line:
    made = Line(of)
    await asyncio.sleep(0)
    made.connect()
    return made


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_an_answer_that_waits_for_its_client_takes_no_turns() -> None:
    """W19: nothing is taken apart for a client that takes nothing; then the answer goes on without
    a further read, and reading with it."""
    asked = await line(pool())
    asked.connection.data_received(HEAD + TINY * 10 * TURN)
    asked.attempt.pause()
    before = len(asked.sink.body)
    await turns(40)
    assert len(asked.sink.body) == before < 10 * TURN
    assert not asked.wire.reading
    asked.attempt.resume()
    await turns(40)
    assert len(asked.sink.body) == 10 * TURN
    assert asked.wire.reading
    asked.connection.data_received(LAST)
    assert asked.sink.events[-1] == "end"


async def test_a_backend_connection_waits_in_one_place() -> None:
    """W19: a client that pauses and goes on at once earns its answer no second share of a turn."""
    shared = pool()
    one, other = await line(shared), await line(shared)
    one.connection.data_received(HEAD + TINY * 20 * TURN)
    for _ in range(10):
        one.attempt.pause()
        one.attempt.resume()
    other.connection.data_received(HEAD + TINY * 20 * TURN)
    await turns(12)
    assert abs(len(one.sink.body) - len(other.sink.body)) <= 3 * TURN
    await turns(60)
    assert len(one.sink.body) == len(other.sink.body) == 20 * TURN
