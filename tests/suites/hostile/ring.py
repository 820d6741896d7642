"""The differential test: hostile clients, the facade, and a backend that writes down every byte.

Each client has a loopback address of its own, which the facade writes into X-Forwarded-For and no
client can forge: so every request at the backend is known by the client that caused it, and one
without the mark was smuggled. What is held, for any bytes a client sends:

- every byte stream that a backend gets is read alike by h11 and llhttp, request by request;
- every request in it carries the mark of exactly one client, in one X-Forwarded-For;
- what was forwarded for a client is the beginning of what h11 hears in the client's own bytes, or,
  where h11 is stricter than the facade, of what llhttp hears: never two requests out of one;
- no trailer of a client is a field of a request at the backend;
- a refusal is the last thing on a client's connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from proxy.request.runtime import FacadeSettings
from tests.suites.hostile.client import Listener, exchange
from tests.suites.hostile.mutate import MARK, split
from tests.suites.hostile.readers import Heard, by_h11, by_llhttp
from tests.support.wire import Facade, table_of

SENTINEL = b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
"""Sent behind every case, so that a connection that is in step ends at once."""
PATIENCE_S = 1.0
LANES = 48
SETTINGS = FacadeSettings(head_ms=150, body_ms=150, idle_ms=2_000)
"""Every case ends by itself or by a limit; reading it may keep a client from its first byte for as
long as an idle connection had, at 150 ms."""
_ABSOLUTE = re.compile(rb"(?i:https?)://[^/?#]*(.*)", re.DOTALL).fullmatch
_REFUSAL = re.compile(rb"HTTP/1\.1 (?:400|408|414|431|501|505) ").search
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_HIGH = bytes.maketrans(bytes(range(0x80, 0x100)), b"x" * 0x80)


@dataclass(slots=True)
class Findings:
    """What a run found. Every entry of `wrong` is a fault of the facade."""

    cases: int = 0
    forwarded: int = 0
    refused: int = 0
    unanswered: int = 0
    """Connections that ended without a byte."""
    late: int = 0
    """Clients that left before the end: the machine was busy, or the facade waits for more."""
    wrong: list[str] = field(default_factory=list)

    def count(self, answer: Listener) -> None:
        """Count an answer that did not come, or whose end was not waited for."""
        self.unanswered += answer.ended and not answer.got
        self.late += not answer.ended


class Tape(asyncio.Protocol):
    """One connection of the recording backend. It reads only the one form that a facade writes."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._raw = b""
        self._at = 0
        self._last = False
        self._heard: list[Heard] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._raw += data
        assert self._transport is not None
        while (end := self._message()) > 0:
            self._at = end
            self._transport.write(_ANSWER)
        if end < 0:
            self._ring.findings.wrong.append(f"not the facade's own form: {self._raw!r}")
            self._transport.abort()
        elif self._last or len(self._heard) >= 40:
            self._transport.close()

    def _message(self) -> int:
        """Take one message: where it ends, 0 if it is not complete, -1 if it has another form."""
        raw, at = self._raw, self._at
        end = raw.find(b"\r\n\r\n", at) + 4
        if end < 4:
            return 0
        line, *fields = raw[at : end - 4].split(b"\r\n")
        method, _, rest = line.partition(b" ")
        target, _, version = rest.rpartition(b" ")
        pairs = [field.partition(b": ") for field in fields]
        lengths = [value for name, _, value in pairs if name.lower() == b"content-length"]
        codings = [value for name, _, value in pairs if name.lower() == b"transfer-encoding"]
        marks = [value for name, _, value in pairs if name.lower() == b"x-forwarded-for"]
        if version != b"HTTP/1.1" or len(lengths) + len(codings) > 1:
            return -1
        body = b""
        if lengths:
            body = raw[end : end + int(lengths[0])]
            if len(body) < int(lengths[0]):
                return 0
            end += len(body)
        elif codings:
            while (line_end := raw.find(b"\r\n", end)) >= 0:
                size = int(raw[end:line_end], 16)
                if not size:
                    break
                body += raw[line_end + 2 : line_end + 2 + size]
                end = line_end + 4 + size
            if raw[end : end + 5] != b"0\r\n\r\n":
                return 0
            end += 5
        if any(MARK in value for _, _, value in pairs):
            self._ring.findings.wrong.append(f"a trailer became a field: {raw[at:end]!r}")
        self._heed(Heard(method.decode("latin-1"), target, body), marks)
        if any(name.lower() == b"upgrade" for name, _, _ in pairs):
            self._last = True  # readers stop at an upgrade, even at one that is declined
        return end

    def _heed(self, heard: Heard, marks: list[bytes]) -> None:
        self._heard.append(heard)
        if len(marks) != 1 or marks[0] not in self._ring.heard:
            self._ring.findings.wrong.append(f"without the mark of one client: {heard} {marks}")
        else:
            self._ring.heard[marks[0]].append(heard)

    def _agree(self, others: list[Heard], mine: list[Heard]) -> bool:
        """Whether two readers hear the same. Some take the body of a request that asks for an
        upgrade for the other protocol; the facade uses such a connection for nothing else."""
        if self._last and others and not others[-1].body:
            return others == [*mine[:-1], replace(mine[-1], body=b"")]
        return others == mine

    def connection_lost(self, exc: Exception | None) -> None:
        data = self._raw.translate(_HIGH)
        mine = [_low(heard) for heard in self._heard]
        readings = [by_h11(data)]
        methods = {heard.method for heard in mine} | {_method(self._raw[self._at :])}
        if methods <= _REGISTERED:  # llhttp knows no other methods
            readings.append(by_llhttp(data))
        for other in readings:
            if other.refused or not self._agree(list(other.requests), mine):
                wrong = f"a reader hears {other} instead of {mine}: {self._raw!r}"
                self._ring.findings.wrong.append(wrong)


def _method(rest: bytes) -> str:
    """The method of a message that did not come whole."""
    return rest.partition(b" ")[0].decode("latin-1")


_REGISTERED = frozenset({"", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"})


class Ring:
    """A facade behind one door, the backend, and lanes of clients."""

    def __init__(self, door: str) -> None:
        self.door = door
        self.heard: dict[bytes, list[Heard]] = {}
        self.findings = Findings()
        self._suspects: list[tuple[str, bytes]] = []

    async def fight(
        self, cases: Iterator[tuple[str, bytes]], *, lanes: int = LANES, seed: int = 0
    ) -> Findings:
        """Play every case; raises AssertionError if the facade fell over or left something."""
        loop = asyncio.get_running_loop()
        fds = open_descriptors()
        backend = await loop.create_server(lambda: Tape(self), "127.0.0.1", 0)
        port = backend.sockets[0].getsockname()[1]
        facade = await asyncio.to_thread(Facade, self.door, table_of(port), SETTINGS)
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in range(lanes):
                    tasks.create_task(self._lane(facade, f"127.0.1.{lane + 1}", cases, seed + lane))
            await self._again(facade)
            left = await asyncio.to_thread(self.left, facade)
        finally:
            await asyncio.to_thread(facade.stop)
            backend.close()
            now = await descriptors_left(fds + 2)
        assert left == (0, 0), f"connections and requests left: {left}"
        assert now <= fds + 2, f"descriptors: {fds} before, {now} after"
        return self.findings

    @staticmethod
    def left(facade: Facade) -> tuple[int, int]:
        """Connections and requests that are still there after a while."""

        def count() -> tuple[int, int]:
            return len(facade.door.connections), facade.runtime.in_flight

        with contextlib.suppress(AssertionError):
            facade.wait_for(lambda: facade.call(count) == (0, 0))
        return facade.call(count)

    async def _again(self, facade: Facade) -> None:
        """Replay what looked wrong, alone: a request that came late counted for the next case."""
        mark = b"127.0.1.1"
        for name, data in self._suspects:
            await asyncio.sleep(0.2)
            self.heard[mark] = []
            await self._send(facade.port, mark.decode(), [data])
            await asyncio.sleep(0.2)
            if difference := differs(data, self.heard[mark]):
                self.findings.wrong.append(f"{name}: {data!r}\n  {difference}")

    async def _lane(
        self, facade: Facade, address: str, cases: Iterator[tuple[str, bytes]], seed: int
    ) -> None:
        random = Random(seed)
        mark = address.encode()
        for name, data in cases:
            self.heard[mark] = []
            data += SENTINEL
            answer = await self._send(facade.port, address, split(data, random))
            self._judge(name, data, answer, self.heard[mark])
            facade.records.clear()

    async def _send(self, port: int, address: str, pieces: Sequence[bytes]) -> Listener:
        return await exchange(port, pieces, PATIENCE_S, address)

    def _judge(self, name: str, data: bytes, answer: Listener, forwarded: list[Heard]) -> None:
        found, got = self.findings, answer.got
        found.cases += 1
        found.forwarded += len(forwarded)
        refusal = _REFUSAL(got)
        found.refused += refusal is not None
        found.count(answer)
        if refusal is not None and b"\r\n\r\nok" in got[refusal.start() :]:
            found.wrong.append(f"{name}: something was answered after a refusal: {got!r}")
        if differs(data, forwarded):
            self._suspects.append((name, data))


def differs(data: bytes, forwarded: list[Heard]) -> str:
    """How what was forwarded differs from what the readers hear in the client's bytes."""
    if not forwarded:
        return ""
    heard = [_plain(item) for item in forwarded]
    readings = [by_h11(data.translate(_HIGH)), by_llhttp(data.translate(_HIGH))]
    for reading in readings:
        known = [_plain(item) for item in reading.requests]
        if heard == known[: len(heard)]:
            return ""
        if not reading.refused or known != heard[: len(known)]:
            break
    return f"forwarded {heard}, readers hear {readings}"


def _low(heard: Heard) -> Heard:
    """The same without octets above 0x7F, which h11 takes in no target."""
    return Heard(heard.method, heard.target.translate(_HIGH), heard.body.translate(_HIGH))


def _plain(heard: Heard) -> Heard:
    """A request in the form in which the facade forwards it."""
    target = heard.target.translate(_HIGH)
    absolute = _ABSOLUTE(target)
    if absolute is not None:
        target = absolute[1] if absolute[1].startswith(b"/") else b"/" + absolute[1]
    target = target.partition(b"#")[0]
    return Heard(heard.method, target.rstrip(b"?"), heard.body.translate(_HIGH))


async def descriptors_left(most: int) -> int:
    """How many are open once the ends of closed connections were heard: on a busy machine that
    takes a few turns of the loop."""
    for _ in range(60):
        await asyncio.sleep(0.05)
        if open_descriptors() <= most:
            break
    return open_descriptors()


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
