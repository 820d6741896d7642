"""Streams both ways, back-pressure, early answers and tunnels."""

from __future__ import annotations

import asyncio

from tests.support.peer import Peer, against, get, post
from tests.support.until import until

MEGABYTE = b"x" * 1_048_576


async def test_a_slow_reader_stops_the_backend() -> None:
    """Trap 19: what was not asked for stays with the backend; memory is flat."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * len(MEGABYTE)))
        for _ in range(64):
            await peer.say(MEGABYTE)
            sent += len(MEGABYTE)
        await peer.hang()

    async with against(script) as (client, _):
        sending, sink = client.send(get())
        sink.on_head = sending.pause
        await sink.started.wait()
        before = -1
        while sent != before:  # until the buffers of the kernel are full
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 * len(MEGABYTE)
        assert len(sink.body) <= 262_144
        sending.resume()
        await sink.done.wait()
        assert sum(map(len, sink.pieces)) == 64 * len(MEGABYTE)
        assert client.pool.idle == 1


async def test_a_slow_backend_pauses_the_client() -> None:
    """Trap 19: the other way."""
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await read.wait()
        await peer.exactly(total)
        await peer.answer(b"%d" % total)

    total = 32 * len(MEGABYTE)
    async with against(script) as (client, _):
        sending, sink = client.send(post(total))
        given = 0
        while not sink.pauses:
            sending.write(MEGABYTE[:65_536])
            given += 65_536
            await asyncio.sleep(0)
        assert given < total
        assert sink.resumes == 0
        read.set()
        while given < total:
            if sink.pauses == sink.resumes:
                sending.write(MEGABYTE[:65_536])
                given += 65_536
            else:
                await asyncio.sleep(0)
        sending.end()
        await sink.done.wait()
        assert sink.body == b"%d" % total


async def test_a_body_is_held_while_connecting_and_the_client_paused() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(131_072)
        await peer.answer()

    async with against(script) as (client, _):
        sending, sink = client.send(post(131_072))
        sending.write(b"x" * 65_536)
        assert sink.pauses == 0
        sending.write(b"x" * 65_536)
        assert sink.pauses == 1
        sending.end()
        await sink.done.wait()
        assert sink.body == b"ok"
        assert sink.resumes >= 1


async def test_an_early_answer_is_relayed_and_the_connection_dropped() -> None:
    """Trap 22: the rest of the body must not become the next request."""

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            head = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n"
            await peer.say(head + b"no")
            await peer.hang()
        await peer.answer(b"clean")

    async with against(script) as (client, server):
        sending, sink = client.send(post(1_000))
        sending.write(b"x" * 10)
        await sink.done.wait()
        assert sink.events == ["head 413", "body", "end"]
        assert client.pool.open == 0
        sending.write(b"x" * 990)
        sending.end()
        assert (await client.ask()).body == b"clean"
        assert server.accepted == 2


async def test_answers_may_stream_while_the_request_streams() -> None:
    """An echo: each piece comes back before the next is sent."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (chunk := await peer.reader.readuntil(b"\r\n")) != b"0\r\n":
            data = await peer.exactly(int(chunk, 16) + 2)
            await peer.say(chunk + data)
        await peer.exactly(2)
        await peer.say(b"0\r\n\r\n")
        await peer.hang()

    async with against(script) as (client, _):
        sending, sink = client.send(post(None))
        for number in range(1, 6):
            sending.write(b"%d" % number)
            await until(lambda number=number: len(sink.pieces) == number)
        sending.end()
        await sink.done.wait()
        assert sink.pieces == [b"1", b"2", b"3", b"4", b"5"]
        assert client.pool.idle == 1


# -- tunnels -----------------------------------------------------------------------------------

UPGRADE = get(
    b"/ws",
    headers=[(b"Host", b"x"), (b"Connection", b"Upgrade"), (b"Upgrade", b"echo")],
    upgrade=True,
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


async def test_a_tunnel_is_raw_both_ways_and_closes_by_halves() -> None:
    """Trap 20: bytes in the packet of the 101, bytes written before it, half close."""

    async def script(peer: Peer) -> None:
        assert b"Upgrade: echo" in await peer.head()
        await peer.say(SWITCH + b"\x00first")
        while data := await peer.reader.read(65_536):
            await peer.say(data)
        await peer.say(b"|bye")

    async with against(script) as (client, _):
        sending, sink = client.send(UPGRADE)
        sending.write(b"eager ")
        await sink.started.wait()
        sending.write(b"HTTP/1.1 200 OK\r\n\r\n\xff")
        sending.end()
        await sink.done.wait()
        assert sink.events == ["head 101", "body", "end"]
        assert sink.body == b"\x00firsteager HTTP/1.1 200 OK\r\n\r\n\xff|bye"
        await until(lambda: client.pool.open == 0)


async def test_the_client_may_go_on_after_the_backends_half_is_closed() -> None:
    """Trap 20."""
    received = bytearray()
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(SWITCH)
        peer.writer.write_eof()
        while data := await peer.reader.read(65_536):
            received.extend(data)
        closed.set()

    async with against(script) as (client, _):
        sending, sink = client.send(UPGRADE)
        await sink.done.wait()
        sending.write(b"still here")
        sending.end()
        await closed.wait()
        assert received == b"still here"
        await until(lambda: client.pool.open == 0)


async def test_a_quiet_tunnel_stays_open() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(SWITCH)
        await asyncio.sleep(0.3)
        await peer.say(b"late")

    from figway.model.backend import Timeouts

    timeouts = Timeouts(head_ms=60, idle_ms=60)
    async with against(script, timeouts=timeouts) as (client, _):
        sending, sink = client.send(UPGRADE)
        await sink.done.wait()
        assert sink.body == b"late"
        sending.end()


async def test_an_upgrade_that_is_declined_is_an_ordinary_answer() -> None:
    """Trap 20: and what the client sent too early goes nowhere."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"no")
        assert (await peer.head()).startswith(b"GET / ")
        await peer.answer(b"next")

    async with against(script) as (client, server):
        sending, sink = client.send(UPGRADE)
        sending.write(b"too early")
        sending.end()
        await sink.done.wait()
        assert sink.events == ["head 200", "body", "end"]
        assert (await client.ask()).body == b"next"
        assert server.accepted == 1
