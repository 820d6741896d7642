"""What one pair costs inside the shadow worker, without sockets and without the kernel.

    python -m bench.pair [--kind same] [--pairs 3200] [--rounds 7] [--profile]

A pair is all that the worker does for one capture: reading its message, the copy to the other side
and its answer, the comparison, the counts, and its share of the message to the supervisor. The
engine and the http upstream run as they are, over a transport that swallows what is written. What
new answers is of one `kind`:

    same   what legacy answered, byte for byte (as in scenario c2)
    dated  the same body, with a Date and a request id of its own
    spelt  the same JSON by another server: other order of members, other spaces, a Date, an ETag
           and a request id of its own

The fastest round is printed beside the median, as anything else on the machine only ever adds.
`bench/instructions.sh pair` counts the instructions of a pair instead of its time.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import platform
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

import uvloop

from bench.control import make_table
from bench.load.heads import browser_heads
from bench.origin import _answer
from bench.pipeline import Wire
from figway.model.backend import Backend
from figway.routing.compile import compile_table
from proxy.capture.message import encode
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.tasks import TaskKeeper
from proxy.processes.messages import Pairs as PairsMessage
from proxy.processes.messages import pack
from proxy.processes.shadow.intake import Intake
from proxy.shadow.engine import ShadowEngine
from proxy.shadow.settings import ShadowSettings
from proxy.upstreams.connection import Connection
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Upstream

ROUTES = 10
BATCH = 16
"""Captures that come in together."""
_ITEMS = [{"id": 4_000 + n, "name": f"Article {n}", "price": 19.9 + n} for n in range(20)]
ANSWER = _answer(json.dumps({"items": _ITEMS}).encode())
"""Of legacy: 1 KB of JSON."""
_META = {
    "revision": 1,
    "side": "legacy",
    "method": "GET",
    "has_body": False,
    "peer": "127.0.0.1",
    "scheme": "http",
    "host": "shop.example",
    "trusted": False,
    "trace": "ab" * 16,
    "at_ms": 1_700_000_000_000,
    "head_us": 900,
    "status": 200,
    "failure": "",
}
REPORT = 352
"""Pairs between two messages to the supervisor: half a second at 700 a second."""


def answers() -> dict[str, bytes]:
    """What new answers, by kind."""
    head, _, body = ANSWER.partition(b"\r\n\r\n")
    other = head.replace(b"00:00:00", b"00:00:07").replace(b"5f2b8c1e", b"77c0ffee")
    turned = [dict(reversed(item.items())) for item in _ITEMS]
    compact = json.dumps({"items": turned}, separators=(",", ":")).encode()
    length = b"Content-Length: %d"
    spelt = other.replace(b"origin", b"another").replace(b"5d8c72a5edda8", b"5d8c72a5edd01")
    spelt = spelt.replace(length % len(body), length % len(compact))
    end = b"\r\n\r\n"
    return {"same": ANSWER, "dated": other + end + body, "spelt": spelt + end + compact}


def frames(count: int, windows: dict[str, str]) -> list[bytes]:
    """The messages of `count` captures that legacy served, no two alike."""
    answer_head, _, answer = ANSWER.partition(b"\r\n\r\n")
    found = []
    for head in browser_heads(count, ROUTES):
        line, _, section = head.partition(b"\r\n")
        target = line.split(b" ")[1].decode()
        route = f"r{target.split('/')[3].removeprefix('resource-')}"
        meta = {**_META, "route": route, "window": windows[route], "target": target}
        head_lines = answer_head.partition(b"\r\n")[2] + b"\r\n"
        found.append(b"".join(encode(meta, [section[:-2], b"", head_lines, answer])))
    return found


class Swallow(Wire):
    """A transport of the intake."""

    def pause_reading(self) -> None:
        raise RuntimeError("the worker is behind")


class Driven:
    """The engine between a capture's message and the message to the supervisor."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[Wire] = []
        self.told: list[bytes] = []
        self.compared = 0
        self._since = 0
        self.timer = DeadlineTimer()
        self.timer.start()
        keeper = TaskKeeper(_raise)
        settings = ShadowSettings(
            key=bytes(32), concurrency=32, timeout_ms=10_000, legacy_percent=50
        )
        self.engine = ShadowEngine(settings, self._open, keeper.spawn, lambda queue: None, _raise)
        spec = {"routes": ROUTES, "split": False, "mirror": True, "legacy": 1, "new": 2}
        compiled = compile_table(make_table(spec), revision=1)
        self.engine.swap(compiled)
        self.windows = {
            route: found.window
            for route in compiled.table.routes
            if (found := self.engine.table.route(route)) is not None
        }
        self.intake = Intake(1, self._take, _bad, set())
        self.intake.connection_made(Swallow())  # type: ignore[arg-type]
        greeting = b'{"worker":"1"}'
        self.intake.data_received(len(greeting).to_bytes(4, "big") + greeting)

    def _open(self, backend: Backend) -> Upstream:
        upstream = HttpUpstream(backend, self.timer)

        async def dial(connection: Connection) -> None:
            wire = Wire(self.asked)
            wire.peer = connection
            connection.connection_made(wire)  # type: ignore[arg-type]

        upstream.pool._dial = dial
        upstream.pool.refuse_peer = lambda peer: ""
        return upstream

    def _take(self, worker: str, captured: Any) -> None:
        self.engine.tally.came(worker, captured)
        self.engine.pairs.take(captured)

    async def drive(self, messages: list[bytes]) -> None:
        """Take them in by batches, and answer what is asked until all have come to an end."""
        for start in range(0, len(messages), BATCH):
            self.intake.data_received(b"".join(messages[start : start + BATCH]))
            while self.engine.pairs.open:
                wires, self.asked[:] = self.asked[:], []
                for wire in wires:
                    wire.peer.data_received(self.answer)
                if self.engine.thread.waiting:  # its end is waited for, not polled
                    await self.engine.thread.do(lambda: None)
                await asyncio.sleep(0)
            self._since += BATCH
            if self._since >= REPORT:
                self.report()

    def report(self) -> None:
        """The message to the supervisor."""
        self._since = 0
        taken = self.engine.tally.take()
        self.compared += sum(sum(row["verdicts"].values()) for row in taken["rows"])
        self.told = [pack(PairsMessage(1, worker={"paused": [], "queue": {}}, **taken))]


def _raise(where: str, error: BaseException) -> None:
    raise error


def _bad(why: str) -> None:
    raise ValueError(why)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Drive the captures through, round by round."""
    driven = Driven(answers()[options.kind])
    messages = frames(options.pairs * (options.rounds + 1), driven.windows)
    gc.collect()
    gc.freeze()
    times = []
    profile = cProfile.Profile()
    for number in range(options.rounds + 1):  # the first opens connections and keeps examples
        if options.profile and number:
            profile.enable()
        start = number * options.pairs
        began = time.process_time()
        await driven.drive(messages[start : start + options.pairs])
        times.append((time.process_time() - began) / options.pairs * 1e6)
        profile.disable()
    driven.report()
    if options.profile:
        stats = pstats.Stats(profile)
        stats.sort_stats("tottime").print_stats(60)
    driven.timer.stop()
    await driven.engine.close()
    return {
        "python": platform.python_version(),
        "kind": options.kind,
        "pairs": driven.compared,
        "us_per_pair": round(statistics.median(times[1:] or times), 2),
        "us_per_pair_best": round(min(times[1:] or times), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=tuple(answers()), default="same")
    parser.add_argument("--pairs", type=int, default=3_200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    run: Callable[..., Any] = uvloop.run
    print(json.dumps(run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
