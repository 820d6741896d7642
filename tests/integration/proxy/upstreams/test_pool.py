"""Keeping, reusing, dropping and waiting for connections."""

from __future__ import annotations

import asyncio

from figway.model.backend import ConnectionLimits
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from tests.support.peer import Peer, against, get, post
from tests.support.until import until


async def serve(peer: Peer) -> None:
    """Answer every request with the number of its connection."""
    while True:
        await peer.head()
        await peer.answer(b"%d" % peer.number)


async def test_the_connection_used_last_is_used_next() -> None:
    async with against(serve) as (client, server):
        await asyncio.gather(*[client.ask() for _ in range(3)])
        assert (server.accepted, client.pool.idle) == (3, 3)
        last = (await client.ask()).body
        assert {(await client.ask()).body for _ in range(5)} == {last}
        assert server.accepted == 3


async def test_a_kept_connection_that_the_backend_closes_leaves_the_pool_at_once() -> None:
    """Trap 22: EOF is noticed while idle, so no request meets it."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"%d" % peer.number)

    async with against(script) as (client, server):
        for number in (b"1", b"2", b"3"):
            assert (await client.ask()).body == number
            await until(lambda: client.pool.open == 0)
        assert server.accepted == 3


async def test_closed_just_as_it_is_reused_is_stale() -> None:
    """Trap 22: named, so that the exchange may try again; and the others are not trusted."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer()
        await peer.head()
        if peer.number == 2:
            peer.reset()
        else:
            await peer.answer()

    async with against(script) as (client, server):
        await asyncio.gather(client.ask(), client.ask())
        seen = [await client.ask() for _ in range(2)]
        stale = [sink for sink in seen if sink.failure]
        assert len(stale) == 1
        assert stale[0].failure is not None
        assert stale[0].failure.kind is FailureKind.STALE
        assert stale[0].failure.sent is Sent.SOME
        assert server.accepted <= 3


async def test_a_stale_connection_takes_the_idle_ones_with_it() -> None:
    """Trap 22: the second attempt goes over a new connection."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"%d" % peer.number)
        if peer.number <= 3:
            await peer.head()
            peer.reset()
        else:
            await peer.head()

    async with against(script) as (client, _):
        await asyncio.gather(*[client.ask() for _ in range(3)])
        first = await client.ask()
        assert first.failure is not None
        assert first.failure.kind is FailureKind.STALE
        assert (await client.ask()).body == b"4"


async def test_stale_before_the_body_came_is_provably_unsent() -> None:
    """Trap 44: a write whose head is still here was not sent."""
    close = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer()
        await close.wait()

    async with against(script) as (client, _):
        await client.ask()
        connection = client.pool._idle[-1]
        sending, sink = client.send(post(2))
        connection.connection_lost(None)  # the backend's FIN arrives in this very turn
        await sink.done.wait()
        assert sink.events == ["failed stale NOTHING"]
        sending.write(b"ok")
        close.set()


async def test_a_fresh_connection_that_closes_is_reset_not_stale() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()

    async with against(script) as (client, _):
        assert (await client.ask()).events == ["failed reset SOME"]


async def test_idle_connections_are_closed_in_time() -> None:
    limits = ConnectionLimits(keep_alive_ms=30)
    async with against(serve, limits=limits) as (client, _):
        await client.ask()
        assert client.pool.idle == 1
        await until(lambda: client.pool.open == 0)


async def test_a_connection_from_before_a_freeze_is_not_used() -> None:
    """Trap 60: neither after a gap of the monotonic clock nor after a jump of the wall clock."""
    clock = {"monotonic": 100.0, "wall": 1_000_000.0}
    timer = DeadlineTimer(10, monotonic=lambda: clock["monotonic"], wall=lambda: clock["wall"])
    async with against(serve, timer=timer) as (client, server):
        timer.stop()  # frozen: no tick between the requests
        await client.ask()
        await client.ask()
        assert server.accepted == 1
        clock["wall"] += 600  # a clock that stood still while the machine was suspended
        assert (await client.ask()).body == b"2"
        clock["wall"] += 20
        clock["monotonic"] += 20  # within keep-alive, yet nobody watched for EOF meanwhile
        assert (await client.ask()).body == b"3"
        assert (await client.ask()).body == b"3"
        assert server.accepted == 3


async def test_requests_beyond_the_limit_wait_in_line() -> None:
    """Trap 5: an explicit limit per backend."""
    order: list[int] = []
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            head = await peer.head()
            order.append(int(head.split(b" ")[1][1:]))
            await go.wait()
            await peer.answer()

    limits = ConnectionLimits(max_connections=2, wait_ms=10_000)
    async with against(script, limits=limits) as (client, server):
        sent = [client.send(get(b"/%d" % number)) for number in range(6)]
        await until(lambda: len(order) == 2)
        assert client.pool.waiting == 4
        sent[3][0].abort()
        assert client.pool.waiting == 3
        go.set()
        await asyncio.gather(*[sink.done.wait() for _, sink in sent[:3] + sent[4:]])
        assert sorted(order[:2]) == [0, 1]
        assert order[2:] == [2, 4, 5]
        assert server.accepted == 2


async def test_those_who_wait_too_long_and_too_many_are_shed() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.hang()

    limits = ConnectionLimits(max_connections=1, max_waiting=1, wait_ms=60)
    async with against(script, limits=limits) as (client, _):
        client.send(get())
        _, waiting = client.send(post(None))
        _, shed = client.send(get())
        assert shed.events == []
        await shed.done.wait()
        assert not waiting.done.is_set()
        await waiting.done.wait()
        assert waiting.events == shed.events == ["failed saturated NOTHING"]
        assert client.pool.waiting == 0


async def test_a_waiting_request_gets_the_place_of_a_broken_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            peer.reset()
        else:
            await peer.answer()

    limits = ConnectionLimits(max_connections=1)
    async with against(script, limits=limits) as (client, _):
        (_, first), (_, second) = client.send(get()), client.send(get())
        await asyncio.gather(first.done.wait(), second.done.wait())
        assert first.events == ["failed reset SOME"]
        assert second.body == b"ok"


async def test_a_retired_pool_finishes_and_keeps_nothing() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            await go.wait()
            await peer.answer()

    async with against(script) as (client, server):
        (_, first) = client.send(get())
        await until(lambda: server.accepted == 1)
        client.upstream.retire()
        go.set()
        await first.done.wait()
        assert first.body == b"ok"
        assert client.pool.open == 0
        assert client.timer.entries == 0


async def test_abort_frees_the_connection() -> None:
    """Trap 21: the backend sees the close."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        try:
            await peer.hang()
        finally:
            gone.set()

    async with against(script) as (client, server):
        sending, sink = client.send(get())
        await until(lambda: server.accepted == 1)
        sending.abort()
        assert client.pool.open == 0
        await gone.wait()
        assert sink.events == []
