"""Hostile answers: a backend that says anything, a client that asks for it, and the next client.

What is held, for any bytes a backend sends:

- the hostile answer becomes one answer that h11 reads as one, an answer of the facade's own
  (502, 504), or a connection that breaks off; never two answers;
- a victim, on another connection and on the same one, gets its own answer and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import h11

from figway.model.backend import Timeouts
from proxy.request.runtime import FacadeSettings
from tests.suites.hostile.client import Listener, exchange
from tests.suites.hostile.mutate import split
from tests.suites.hostile.ring import Findings, Ring, descriptors_left, open_descriptors
from tests.support.wire import Facade, table_of

PATIENCE_S = 3.0
TIMES = Timeouts(connect_ms=1_000, head_ms=200, idle_ms=200)


class Liar(asyncio.Protocol):
    """Answers `/victim/n` with n, and `/hostile` with what the case says."""

    def __init__(self, fight: Answers) -> None:
        self._fight = fight
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            target = head.split(b" ")[1]
            if target.startswith(b"/victim/"):
                name = target[8:]
                length = len(name)
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + name
                )
            else:
                for piece in self._fight.said[target[9:]]:
                    self._transport.write(piece)
                if self._fight.random.random() < 0.3:
                    self._transport.close()


class Answers:
    """A facade, the liar, and lanes of clients."""

    def __init__(self, door: str, seed: int) -> None:
        self.door = door
        self.random = Random(seed)
        self.said: dict[bytes, list[bytes]] = {}
        self.findings = Findings()
        self._suspects: list[tuple[str, bytes]] = []

    async def fight(self, cases: Iterator[tuple[str, bytes]], *, lanes: int = 24) -> Findings:
        """Play every case. Raises AssertionError if the facade fell over or left something."""
        loop = asyncio.get_running_loop()
        fds = open_descriptors()
        backend = await loop.create_server(lambda: Liar(self), "127.0.0.1", 0)
        port = backend.sockets[0].getsockname()[1]
        table = table_of(port, timeouts=TIMES)
        facade = await asyncio.to_thread(Facade, self.door, table, FacadeSettings())
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in range(lanes):
                    tasks.create_task(self._lane(facade.port, b"%d" % lane, cases))
            await self._again(facade.port)
            left = await asyncio.to_thread(Ring.left, facade)
        finally:
            await asyncio.to_thread(facade.stop)
            backend.close()
            now = await descriptors_left(fds + 2)
        assert left == (0, 0), f"connections and requests left: {left}"
        assert now <= fds + 2, f"descriptors: {fds} before, {now} after"
        return self.findings

    async def _lane(self, port: int, lane: bytes, cases: Iterator[tuple[str, bytes]]) -> None:
        for number, (name, data) in enumerate(cases):
            self.said[lane] = list(split(data, self.random)) or [b""]
            answer = await _ask(port, b"/hostile/" + lane, b"/victim/" + lane)
            got, found = answer.got, self.findings
            found.cases += 1
            found.refused += got.startswith(b"HTTP/1.1 50")
            found.count(answer)
            wrong = unlike(got, lane)
            token = b"%b-%d" % (lane, number)
            if wrong or not _own((await _ask(port, b"/victim/" + token)).got, token):
                self._suspects.append((name, data))

    async def _again(self, port: int) -> None:
        """Replay what looked wrong, alone and in one piece.

        In pieces, bytes behind an answer may come when its connection serves the next request:
        then nobody can tell them from an answer, and a 502 to that request is all that can be had.
        """
        lane = b"again"
        for number, (name, data) in enumerate(self._suspects):
            self.said[lane] = [data]
            answer = await _ask(port, b"/hostile/" + lane, b"/victim/" + lane)
            wrong = unlike(answer.got, lane)
            token = b"%b-%d" % (lane, number)
            victim = (await _ask(port, b"/victim/" + token)).got
            if wrong or not _own(victim, token):
                self.findings.wrong.append(f"{name}: {data!r}: {wrong or victim!r}")


def _own(got: bytes, token: bytes) -> bool:
    """Whether a victim got its own answer."""
    return got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"\r\n\r\n" + token)


async def _ask(port: int, *targets: bytes) -> Listener:
    """Everything that comes for some requests on one connection, one after another."""
    lines = [b"GET %b HTTP/1.1\r\nHost: a\r\n" % target for target in targets]
    return await exchange(port, [b"\r\n".join(lines) + b"Connection: close\r\n\r\n"], PATIENCE_S)


def unlike(got: bytes, lane: bytes) -> str:
    """What is wrong with what a client got for the hostile answer and a victim's behind it."""
    heard: list[bytes] = []
    rest = got
    try:
        while rest and len(heard) < 3:
            client = h11.Connection(h11.CLIENT, max_incomplete_event_size=200_000)
            client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
            client.send(h11.EndOfMessage())
            client.receive_data(rest)
            client.receive_data(b"")
            body = b""
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.ConnectionClosed) or event is h11.NEED_DATA:
                    return ""
                if isinstance(event, h11.Data):
                    body += bytes(event.data)
            heard.append(body)
            rest = client.trailing_data[0]
    except h11.RemoteProtocolError:
        return ""  # broken off, or refused by the client as it is: it was the only answer
    if len(heard) > 2:
        return f"{len(heard)} answers for two requests: {got!r}"
    if len(heard) == 2 and heard[1] != lane:
        return f"the second request got {heard[1]!r}"
    return ""
