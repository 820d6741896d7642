"""A pool makes no failure that its client would not have had."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from figway.model.backend import ConnectionLimits
from proxy.upstreams import dial
from proxy.upstreams.pool import JUST_USED_MS, Pool
from proxy.upstreams.race import connect_first
from tests.support.peer import Peer, Server, against, client_for, get, post
from tests.support.until import until

SWITCH = b"HTTP/1.1 101 Switch\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"


async def serve(peer: Peer) -> None:
    """Answer every request with the number of its connection."""
    while True:
        if b"Content-Length: 3" in await peer.head():
            await peer.exactly(3)
        await peer.answer(b"%d" % peer.number)


def grow_old(pool: Pool) -> None:
    """Idle connections were last used a while ago."""
    for connection in pool._idle:
        connection.idle_since -= JUST_USED_MS + 1_000


async def test_what_must_not_be_sent_twice_meets_no_old_connection() -> None:
    """W29: a POST gets a connection that was just used, or a fresh one; a GET any that is kept."""
    async with against(serve) as (client, server):
        assert (await client.ask()).body == b"1"
        assert (await client.ask(post(3), b"abc")).body == b"1"
        grow_old(client.pool)
        assert (await client.ask(post(3), b"abc")).body == b"2"
        grow_old(client.pool)
        assert (await client.ask()).body == b"2"
        assert server.accepted == 2


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PROPFIND", "REPORT"])
async def test_what_may_be_repeated_takes_a_kept_connection(method: str) -> None:
    """W29: RFC 9110, 9.2.2, and IANA's registry of methods."""
    async with against(serve) as (client, server):
        await client.ask()
        grow_old(client.pool)
        assert (await client.ask(get(method=method))).body == b"1"
        assert server.accepted == 1


async def test_a_body_that_cannot_be_kept_cannot_be_repeated() -> None:
    """W29: a PUT of unknown length is treated like a POST."""

    async def script(peer: Peer) -> None:
        if b"chunked" in await peer.head():
            await peer.reader.readuntil(b"0\r\n\r\n")
        await peer.answer(b"%d" % peer.number)
        await peer.hang()

    async with against(script) as (client, _):
        await client.ask()
        grow_old(client.pool)
        put = get(method="PUT", has_body=True)
        assert (await client.ask(put, b"abc")).body == b"2"


async def test_a_place_is_made_for_a_fresh_connection() -> None:
    """W29: with every place taken by idle ones, the oldest of them goes."""
    limits = ConnectionLimits(max_connections=1)
    async with against(serve, limits=limits) as (client, server):
        await client.ask()
        grow_old(client.pool)
        assert (await client.ask(post(3), b"abc")).body == b"2"
        assert server.accepted == 2


@pytest.mark.parametrize(
    ("hint", "kept_ms"),
    [
        (b"Keep-Alive: timeout=5\r\n", 4_000),
        (b"keep-alive: max=100, timeout=5\r\n", 4_000),
        (b"Keep-Alive: timeout=1\r\n", 500),
        (b'Keep-Alive: timeout="3"\r\n', 2_000),
        (b"Keep-Alive: max=5\r\n", 55_000),
        (b"Keep-Alive: timeout=100000\r\n", 55_000),
    ],
)
async def test_a_connection_is_kept_for_less_than_announced(hint: bytes, kept_ms: int) -> None:
    """W23, W29: closed before the backend closes it."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(extra=hint)
        await peer.hang()

    async with against(script) as (client, _):
        await client.ask()
        (connection,) = client.pool._idle
        assert connection.deadline - connection.idle_since == kept_ms


async def test_a_connection_that_is_kept_for_no_time_is_closed() -> None:
    """W23: timeout=0 keeps nothing."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(extra=b"Keep-Alive: timeout=0\r\n")
        await peer.hang()

    async with against(script) as (client, _):
        await client.ask()
        assert client.pool.idle == 0


async def test_a_connection_has_a_greatest_age() -> None:
    """W9: a name that moves is followed although requests go on all the time."""
    async with against(serve, limits=ConnectionLimits(max_age_ms=60_000)) as (client, server):
        assert (await client.ask()).body == b"1"
        for connection in client.pool._members:
            assert 0 < connection.retires_at - client.pool.timer.now <= 60_000
            connection.retires_at = client.pool.timer.now
        await client.ask()
        assert (await client.ask()).body == b"2"
        assert server.accepted == 2


async def test_an_old_connection_serves_nobody_who_waits_for_one() -> None:
    """W9: where connections are never idle, their age counts all the same."""
    limits = ConnectionLimits(max_connections=1, max_age_ms=60_000)
    async with against(serve, limits=limits) as (client, server):
        first, heard = client.send(get())
        first.end()
        second, waited = client.send(get())
        second.end()
        assert client.pool.waiting == 1
        for connection in client.pool._members:
            connection.retires_at = client.pool.timer.now
        await heard.done.wait()
        await waited.done.wait()
        assert (heard.body, waited.body) == (b"1", b"2")
        assert server.accepted == 2


async def test_a_body_beside_an_upgrade_is_the_last_of_its_connection() -> None:
    """W28: whoever takes the body for what follows the switch would answer it as a request."""
    async with against(serve) as (client, server):
        assert (await client.ask(post(3, upgrade=True), b"abc")).body == b"1"
        assert (await client.ask()).body == b"2"
        assert server.accepted == 2


async def test_tunnels_and_event_streams_take_no_place_of_requests() -> None:
    """W10: one place, a tunnel, an event stream, and still room for a request."""

    async def script(peer: Peer) -> None:
        head = await peer.head()
        if b"/tunnel" in head:
            await peer.say(SWITCH)
            await peer.hang()
        elif b"/events" in head:
            await peer.say(STREAM)
            await peer.hang()
        else:
            await peer.answer(b"room")

    limits = ConnectionLimits(max_connections=1, max_waiting=0)
    async with against(script, limits=limits) as (client, _):
        tunnel, told = client.send(get(b"/tunnel", upgrade=True))
        await until(lambda: "head 101" in told.events)
        stream, heard = client.send(get(b"/events"))
        stream.end()
        await until(lambda: heard.events != [])
        request, answered = client.send(get())
        request.end()
        await until(lambda: answered.events != [])
        for sending in (tunnel, stream, request):
            sending.abort()
        assert (heard.events[0], answered.events[0]) == ("head 200", "head 200")


async def test_a_connection_that_lasts_lets_the_next_in_line_have_its_place() -> None:
    """W10: a request that waits for the one place gets it when a tunnel has left it."""
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        if b"/tunnel" in await peer.head():
            await go.wait()
            await peer.say(SWITCH)
            await peer.hang()
        await peer.answer(b"room")

    async with against(script, limits=ConnectionLimits(max_connections=1)) as (client, _):
        tunnel, told = client.send(get(b"/tunnel", upgrade=True))
        request, answered = client.send(get())
        request.end()
        assert client.pool.waiting == 1
        go.set()
        await until(lambda: told.events != [])
        await until(lambda: answered.events != [])
        for sending in (tunnel, request):
            sending.abort()
        assert (told.events[0], answered.events[0]) == ("head 101", "head 200")


async def test_lasting_connections_have_a_limit_of_their_own() -> None:
    """W10: beyond it a tunnel is refused before anything is sent."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(SWITCH)
        await peer.hang()

    async with against(script, limits=ConnectionLimits(max_lasting=1)) as (client, _):
        tunnel, told = client.send(get(upgrade=True))
        await until(lambda: "head 101" in told.events)
        second, refused = client.send(get(upgrade=True))
        await until(lambda: refused.events != [])
        second.abort()
        tunnel.abort()
        assert refused.events == ["failed saturated NOTHING"]


async def test_an_address_that_swallows_packets_costs_little_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """W8: addresses are raced, and the good one is remembered."""
    asked: list[str] = []
    real = connect_first

    async def watched(addresses: Any) -> Any:
        asked.append(addresses[0][0])
        return await real(addresses)

    async with Server(serve).listen() as server:

        async def two(host: str, port: int) -> list[Any]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (ip, server.port)) for ip in ("127.0.0.2", "127.0.0.1")]

        hole = socket.create_server(("127.0.0.2", server.port), backlog=0)
        fillers = [connecting(server.port) for _ in range(3)]
        monkeypatch.setattr(dial, "resolve", two)
        monkeypatch.setattr(dial, "connect_first", watched)
        url = f"http://two.example:{server.port}"
        async with client_for(server.port, url=url) as client:
            assert (await client.ask()).body == b"1"
            for connection in client.pool._idle[:]:
                connection.close()
            assert (await client.ask()).body == b"2"
        for filler in [*fillers, hole]:
            filler.close()
    assert asked == ["127.0.0.2", "127.0.0.1"]


def connecting(port: int) -> socket.socket:
    """Takes a place in the queue of a listener that accepts nothing."""
    filler = socket.socket()
    filler.setblocking(False)
    filler.connect_ex(("127.0.0.2", port))
    return filler
