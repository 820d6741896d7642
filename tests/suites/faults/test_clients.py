"""Clients that half-close, reset, pipeline, drip, or stop reading."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.suites.faults.arena import HOST, Arena, Request, play
from tests.suites.faults.rows import note
from tests.support.peer import Peer
from tests.support.until import until


def head(method: str, trace: str, length: int = 0, path: str = "/moved/x") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"traceparent: 00-{trace}-{'1' * 16}-01"]
    if length:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def opened(arena: Arena) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(arena.proxy.facade)
    return await asyncio.open_connection(parts.hostname, parts.port)


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def slow(peer: Peer, request: Request) -> None:
    await asyncio.sleep(0.3)
    await peer.answer(b"new")


def test_clients_reset(tmp_path: Path) -> None:
    """trap 21: a read is cancelled, a whole write is left to finish, half a write never runs."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = slow
        said = []
        for method, body in (("GET", b""), ("POST", b"whole"), ("PUT", b"ha")):
            trace = os.urandom(16).hex()
            _, writer = await opened(arena)
            writer.write(head(method, trace, 5 if body else 0) + body)
            await asyncio.sleep(0.1)
            reset(writer)
            record = await arena.record(trace)
            assert record["client_gone"]
            said.append(f"{method} `client_gone`, status {record['status']}")
        arena.new.fault = None
        assert (arena.new.asked("POST"), arena.new.asked("PUT")) == (1, 0)
        took = await arena.normal()
        note("Clients reset", "-", "; ".join(said), took)

    play(talk, tmp_path)


def test_clients_half_close(tmp_path: Path) -> None:
    """trap 21: a client that only closed its half behind a write is answered."""

    async def talk(arena: Arena) -> None:
        arena.new.fault = slow
        trace = os.urandom(16).hex()
        reader, writer = await opened(arena)
        writer.write(head("POST", trace, 5) + b"whole")
        writer.write_eof()
        got = await reader.read()
        record = await arena.record(trace)
        assert got.startswith(b"HTTP/1.1 200 ")
        assert (record["status"], record.get("client_gone", False)) == (200, False)
        assert arena.new.asked("POST") == 1
        writer.close()
        arena.new.fault = None
        took = await arena.normal()
        note("Clients half-close after a write", "answered", f"status {record['status']}", took)

    play(talk, tmp_path)


def test_clients_pipeline(tmp_path: Path) -> None:
    """trap 17: one after another, in order, each to its own answer."""

    async def talk(arena: Arena) -> None:
        async def names(peer: Peer, request: Request) -> None:
            await peer.answer(request.path.encode())

        arena.new.fault = names
        reader, writer = await opened(arena)
        count = 50
        traces = [os.urandom(16).hex() for _ in range(count)]
        paths = [f"/moved/{number}" for number in range(count)]
        writer.write(b"".join(head("GET", t, path=p) for t, p in zip(traces, paths, strict=True)))
        for path in paths:
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(path)) == path.encode()
        writer.close()
        assert [request.path for request in arena.new.requests] == paths
        arena.new.fault = None
        took = await arena.normal()
        note("Clients pipeline 50 requests", "50 answers in order", "50 records", took)

    play(talk, tmp_path)


def test_a_client_stops_reading(tmp_path: Path) -> None:
    """trap 18, trap 19: the backend is slowed, memory stays flat, and the client is let go."""

    async def talk(arena: Arena) -> None:
        sent = 0

        async def endless(peer: Peer, request: Request) -> bool:
            nonlocal sent
            size = 1 << 30
            await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while sent < size:
                await peer.say(b"x" * 65_536)
                sent += 65_536
            return False

        arena.new.fault = endless
        worker = psutil.Process(arena.control.ack["workers"][0]["pid"])
        before = worker.memory_info().rss
        trace = os.urandom(16).hex()
        reader, writer = await opened(arena)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(head("GET", trace))
        record = await arena.record(trace)
        grown = (worker.memory_info().rss - before) / 1e6
        assert sent < 64 << 20
        assert grown < 30
        assert record["client_gone"]
        writer.transport.abort()
        arena.new.fault = None
        took = await arena.normal()
        saw = f"cut off after {record['total_us'] / 1e6:.1f} s (`FIGWAY_WRITE_TIMEOUT_S` is 1)"
        note("A client stops reading an answer of 1 GB", saw, "GET `client_gone=True`", took)

    play(talk, tmp_path, write_timeout_s="1")


def test_clients_drip(tmp_path: Path) -> None:
    """trap 18: a head that drips gets 408, however steadily it comes; others are served."""

    async def talk(arena: Arena) -> None:
        reader, writer = await opened(arena)

        async def drip() -> None:
            for octet in head("GET", os.urandom(16).hex()):
                writer.write(bytes([octet]))
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        assert (await arena.ask()).side == "new"
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        dripping.cancel()
        writer.transport.abort()
        await asyncio.gather(dripping, return_exceptions=True)
        await until(
            lambda: any(line.get("problem") == "head_timeout" for line in arena.proxy.lines), "said"
        )
        took = await arena.normal()
        note("A client drips its head", "408 `head_timeout`", "`problem=head_timeout`", took)

    play(talk, tmp_path, head_timeout_s="0.6")
