"""Capture and queue: what is chosen, what it may hold, what becomes of it when nobody listens."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from figway.message.headers import Arrival
from figway.model.backend import Backend
from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import Plan, compile_table
from figway.routing.decide import Decision, Why
from proxy.capture.capture import ShadowCapture
from proxy.capture.counts import CountBook
from proxy.capture.message import Frames, decode
from proxy.capture.queue import SocketQueue
from proxy.loop.record import RequestRecord
from proxy.wire.client_head import parse
from proxy.wire.message import ResponseHead

LEGACY = Decision(Side.LEGACY, Why.STAGE)
ARRIVAL = Arrival("127.0.0.1", "http", b"a")


def plan(stage: Stage = Stage.SHADOW, **shadow: Any) -> Plan:
    backends = {
        "l": Backend(id="l", side=Side.LEGACY, url="http://a"),
        "n": Backend(id="n", side=Side.NEW, url="http://b"),
    }
    policy = ShadowPolicy(**shadow)
    route = Route(id="r", match=RouteMatch(path="/**"), stage=stage, new="n", shadow=policy)
    table = Table(
        default_backend="l",
        backends=MappingProxyType(backends),
        routes=MappingProxyType({"r": route}),
    )
    return compile_table(table, 1, "x").plans["r"]


class Stand:
    """A capture with a queue that nobody reads, or a reader."""

    def __init__(self, *, most: int = 100, budget: int = 10_000, **shadow: Any) -> None:
        self.book = CountBook()
        self.queue = SocketQueue("0:1", self.book, most, budget)
        self.capture = ShadowCapture(self.queue, self.book, budget)
        self.plan = plan(**shadow)

    def ask(
        self,
        line: str = "GET /x",
        *headers: str,
        body: bytes = b"{}",
        decision: Decision = LEGACY,
        **record: Any,
    ) -> bool:
        """One request, served; whether it was tapped."""
        lines = [f"{line} HTTP/1.1", "Host: a", *headers, "", ""]
        head = parse("\r\n".join(lines).encode())
        tap = self.capture.begin(self.plan, decision, head, ARRIVAL)
        if tap is None:
            return False
        tap.response_head(ResponseHead(200, b"OK", raw=b"Content-Type: a/b\r\n", plain=True))
        for at in range(0, len(body), 1_000):
            tap.response_body(body[at : at + 1_000])
        found = RequestRecord()
        found.trace_id, found.status = "a" * 32, 200
        for name, value in record.items():
            setattr(found, name, value)
        tap.finished(found)
        return True

    def counts(self) -> tuple[Counter[str], Counter[str], int]:
        """Skipped, dropped, sent."""
        skipped, dropped, sent = Counter[str](), Counter[str](), 0
        for row in self.book.take():
            skipped.update(row["skipped"])
            dropped.update(row["dropped"])
            sent += sum(row["sent"].values())
        return skipped, dropped, sent


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(bounded())


@pytest.mark.parametrize(
    ("reason", "line", "headers", "record"),
    [
        ("unsafe_method", "POST /x", ("Content-Length: 0",), {}),
        ("upgrade", "GET /x", ("Connection: Upgrade", "Upgrade: websocket"), {}),
        ("fallback", "GET /x", (), {"fallback": "breaker_open"}),
        ("facade_answer", "GET /x", (), {"problem": "loop"}),
        ("client_gone", "GET /x", (), {"client_gone": True}),
        ("not_modified", "GET /x", (), {"status": 304, "side": "new"}),
    ],
)
def test_each_skip_has_its_reason(
    reason: str, line: str, headers: tuple[str, ...], record: dict[str, Any]
) -> None:
    """traps 24, 26"""
    stand = Stand()
    stand.ask(line, *headers, **record)
    assert stand.counts() == (Counter({reason: 1}), Counter(), 0)
    assert (stand.capture.held, stand.queue.held) == (0, 0)


def test_a_copy_is_never_copied_and_the_kill_switch_copies_nothing() -> None:
    stand = Stand()
    assert not stand.ask("GET /x", "Figway-Shadow: 1")
    assert not stand.ask("GET /x", decision=Decision(Side.LEGACY, Why.KILL_SWITCH))
    assert not stand.ask("GET /x", decision=Decision(Side.NEW, Why.FORCED))
    assert stand.counts() == (Counter(), Counter(), 0)


def test_bodies_are_bounded_each_and_together() -> None:
    """trap 26: hard caps per body and in total, each counted; nothing stays held"""
    stand = Stand(body_limit=4_000, budget=6_000)
    stand.ask(body=b"x" * 5_000)
    stand.ask(body=b"x" * 3_500)
    assert stand.queue.held == 3_500
    stand.ask(body=b"x" * 3_500)
    skipped, dropped, sent = stand.counts()
    assert skipped == {"body_over_cap": 1, "memory_budget": 1}
    assert (dropped, sent) == (Counter(), 0)
    assert (stand.capture.held, stand.queue.held) == (0, 3_500)


async def test_a_full_queue_drops_the_newest_and_a_stop_counts_the_rest() -> None:
    stand = Stand(most=3)
    for _ in range(5):
        stand.ask()
    await stand.queue.close(0.0)
    stand.ask()
    assert stand.counts() == (Counter(), Counter({"no_worker": 2, "stopping": 4}), 0)


def test_a_trace_is_sampled_as_a_whole() -> None:
    stand = Stand(sample=5_000, most=10_000)
    chosen = set()
    for number in range(200):
        parent = f"traceparent: 00-{number:032x}-00f067aa0ba902b7-01"
        found = {stand.ask("GET /x", parent) for _ in range(3)}
        assert len(found) == 1
        chosen |= {number} if found == {True} else set()
    assert 60 < len(chosen) < 140


class Reader:
    """A shadow worker's end, as far as the queue sees it."""

    def __init__(self, path: str, life: int) -> None:
        self.path = path
        self.life = life
        self.targets: list[bytes] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._server: asyncio.AbstractServer | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self, listener: socket.socket) -> None:
        self._server = await asyncio.start_unix_server(self._serve, sock=listener.dup(), limit=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        frames, greeted = Frames(), False
        while True:
            await self.reading.wait()
            data = await reader.read(65_536)
            if not data:
                return
            for frame in frames.feed(data):
                if greeted:
                    self.targets.append(decode(frame).target)
                else:
                    greeted = True
                    writer.write(self.life.to_bytes(8, "big"))

    def kill(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


def listen(directory: Path) -> tuple[str, socket.socket]:
    path = str(directory / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.setblocking(False)
    return path, listener


async def test_a_reader_that_stands_still_stops_nobody(tmp_path: Path) -> None:
    """trap 27: putting never waits; what finds no room is counted; all that was sent arrives"""
    stand = Stand(most=50, budget=1 << 24, body_limit=1 << 20)
    path, listener = listen(tmp_path)
    reader = Reader(path, 1)
    await reader.start(listener)
    stand.queue.connect_to(path)
    task = asyncio.create_task(stand.queue.run())
    loop = asyncio.get_running_loop()
    stand.ask("GET /0")
    while not reader.targets:
        await asyncio.sleep(0.01)
    reader.reading.clear()
    worst = 0.0
    for number in range(1, 400):
        began = loop.time()
        stand.ask(f"GET /{number}", body=b"x" * 100_000)
        worst = max(worst, loop.time() - began)
        await asyncio.sleep(0.001)
    reader.reading.set()
    await stand.queue.close(10.0)
    skipped, dropped, sent = stand.counts()
    while len(reader.targets) < sent:
        await asyncio.sleep(0.01)
    assert dropped["queue_full"] + skipped["memory_budget"] > 0
    assert sent + sum(dropped.values()) + sum(skipped.values()) == 400
    assert len(reader.targets) == len(set(reader.targets)) == sent
    assert worst < 1.0
    task.cancel()
    await asyncio.wait((task,))
    reader.kill()
    listener.close()


async def test_the_next_life_gets_what_the_last_did_not(tmp_path: Path) -> None:
    """A reader that dies in the middle of a message: no message is cut, none goes to both."""
    stand = Stand(most=1_000, budget=1 << 26, body_limit=1 << 20)
    path, listener = listen(tmp_path)
    first = Reader(path, 1)
    await first.start(listener)
    stand.queue.connect_to(path)
    task = asyncio.create_task(stand.queue.run())
    stand.ask("GET /first")
    while not first.targets:
        await asyncio.sleep(0.01)
    first.reading.clear()
    for number in range(60):
        stand.ask(f"GET /{number}", body=b"y" * 50_000)
    await asyncio.sleep(0.3)
    first.kill()
    second = Reader(path, 2)
    await second.start(listener)
    await asyncio.sleep(0.1)
    stand.ask("GET /last")
    while b"/last" not in second.targets:
        await asyncio.sleep(0.01)
    rows = stand.book.take()
    sent: Counter[int] = Counter()
    for row in rows:
        sent.update(row["sent"])
    assert sent[1] + sent[2] == 62
    assert sent[1] > 1
    assert len(second.targets) == sent[2]
    await stand.queue.close(1.0)
    task.cancel()
    await asyncio.wait((task,))
    second.kill()
    listener.close()


def test_another_table_makes_another_lane() -> None:
    stand = Stand()
    stand.ask()
    stand.plan = replace(stand.plan, weight=3)
    stand.capture.table_changed(9, 10)
    stand.ask("POST /x", "Content-Length: 0")
    (row,) = stand.book.take()
    assert row["revision"] == 9


def _stream(stand: Stand, *pieces: bytes, **record: Any) -> None:
    """One stream of events, as far as it came."""
    head = parse(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    tap = stand.capture.begin(stand.plan, LEGACY, head, ARRIVAL)
    assert tap is not None
    tap.response_head(ResponseHead(200, b"OK", raw=b"Content-Type: text/event-stream\r\n"))
    for piece in pieces:
        tap.response_body(piece)
    found = RequestRecord(status=200, head_us=100, total_us=5_100, **record)
    found.trace_id = "a" * 32
    tap.finished(found)


@pytest.mark.parametrize(
    ("pieces", "record", "cut", "body"),
    [
        ((b"data: 1\n\n", b"data: 2\n\n"), {}, False, b"data: 1\n\ndata: 2\n\n"),
        ((b"data: 1\n\n",), {"client_gone": True}, True, b"data: 1\n\n"),
        ((b"data: 1\n\n", b"x" * 3_990, b"data: 2\n\n"), {}, True, b"data: 1\n\n"),
    ],
)
def test_of_a_stream_that_never_ends_what_came_is_kept(
    pieces: tuple[bytes, ...], record: dict[str, Any], cut: bool, body: bytes
) -> None:
    """A client that leaves, and more than the limit, end what is compared, and lose none of it."""
    stand = Stand(body_limit=4_000, event_streams=True)
    _stream(stand, *pieces, **record)
    assert stand.counts() == (Counter(), Counter(), 0)
    [tap] = stand.queue._waiting
    found = decode(b"".join(tap.encode())[4:])
    assert found.answer_body.startswith(body)
    assert len(found.answer_body) <= 4_000
    assert (found.cut, found.lasted_us) == (cut, 5_000 if cut else 0)
    assert stand.capture.held == 0


def test_a_stream_that_is_left_before_anything_came_is_not_compared() -> None:
    stand = Stand(event_streams=True)
    _stream(stand, client_gone=True)
    assert stand.counts()[0] == {"client_gone": 1}


def test_no_stream_is_kept_where_the_route_does_not_say_so() -> None:
    stand = Stand()
    _stream(stand, b"data: 1\n\n", client_gone=True)
    assert stand.counts()[0] == {"event_stream": 1}
