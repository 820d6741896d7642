"""The control plane of a benchmark: publishes one table, and flips a route as often as asked.

    python -m bench.control SPEC

SPEC is a JSON object: routes, split, mirror, operation (may be absent), legacy, new, flips (a
second), connections. It prints
its port, answers what a proxy asks, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import orjson

from bench.routes import template
from figway.model.backend import Backend, ConnectionLimits
from figway.model.change import changes_to_data, diff
from figway.model.codec import table_hash, to_data
from figway.model.comparison import ComparisonPolicy, ShadowPolicy
from figway.model.operations import OperationKind, OperationMatch
from figway.model.table import Capability, Route, RouteMatch, Stage, Table
from figway.model.words import WEIGHT_SCALE, Side

KEY = "bench"


def make_table(spec: dict[str, Any]) -> Table:
    """A table for what the peers are configured to do."""
    limits = ConnectionLimits(max_connections=1_024)
    backends = {
        side.value: Backend(
            id=side.value, side=side, url=f"http://127.0.0.1:{spec[side.value]}", limits=limits
        )
        for side in Side
    }
    stage = Stage.SHADOW if spec["mirror"] else Stage.CANARY if spec["split"] else Stage.LEGACY
    routes = {
        f"r{number}": Route(
            id=f"r{number}",
            match=RouteMatch(path=template(number)),
            new="new",
            stage=stage,
            weight=2_500 if stage is Stage.CANARY else 0,
            capability="all",
            shadow=ShadowPolicy(sample=WEIGHT_SCALE if spec["mirror"] else 0),
            comparison=ComparisonPolicy(noise_sample=0),
        )
        for number in range(spec["routes"])
    }
    if spec.get("operation"):
        cart = OperationMatch(kind=OperationKind.GRAPHQL, names=("GetCart",))
        match = RouteMatch(path="/graphql", methods=("POST",), operation=cart)
        routes["cart"] = Route(
            id="cart", match=match, new="new", stage=Stage.NEW, capability="all",
            shadow=ShadowPolicy(sample=0),
        )  # fmt: skip
    capabilities = {"all": Capability(id="all")} if routes else {}
    return Table(
        default_backend="legacy",
        backends=MappingProxyType(backends),
        capabilities=MappingProxyType(capabilities),
        routes=MappingProxyType(routes),
    )


class Control:
    """One table and its revisions."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.etag = table_hash(table)
        self.revision = 1
        self.streams: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it closes."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path = head.split(" ")[:2]
                lowered = head.lower()
                at = lowered.find("content-length: ")
                if at > 0:
                    await reader.readexactly(int(lowered[at + 16 : lowered.find("\r", at)]))
                if path.endswith("/table/stream"):
                    current = orjson.dumps({"revision": self.revision, "etag": self.etag})
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                    writer.write(b"event: current\ndata: " + current + b"\n\n")
                    self.streams.add(writer)
                    while True:
                        await asyncio.sleep(10)
                        writer.write(b": alive\n\n")
                self._answer(writer, method, path, head)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            self.streams.discard(writer)
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, method: str, path: str, head: str) -> None:
        status, body = 200, b'{"accepted":true}'
        if method == "GET" and path.endswith("/table"):
            if self.etag in head:
                status, body = 304, b""
            else:
                data = to_data(self.table)
                body = orjson.dumps({"revision": self.revision, "etag": self.etag, "table": data})
        length = f"Content-Length: {len(body)}\r\n" if status == 200 else ""
        writer.write(f'HTTP/1.1 {status} X\r\nETag: "{self.etag}"\r\n{length}\r\n'.encode() + body)

    async def flip(self, per_second: float) -> None:
        """Publish a new revision again and again, for ever."""
        number = 0
        while True:
            await asyncio.sleep(1 / per_second)
            key = f"r{number % len(self.table.routes)}"
            number += 1
            route = self.table.routes[key]
            weight = 2_500 + number % 2
            routes = {**self.table.routes, key: replace(route, weight=weight)}
            table = replace(self.table, routes=MappingProxyType(routes))
            base, changes = self.etag, diff(self.table, table)
            self.table, self.etag = table, table_hash(table)
            self.revision += 1
            event = {
                "revision": self.revision,
                "etag": self.etag,
                "base": base,
                "changes": changes_to_data(changes),
            }
            for writer in self.streams:
                writer.write(b"event: revision\ndata: " + orjson.dumps(event) + b"\n\n")


async def main() -> None:
    spec = json.loads(sys.argv[1])
    control = Control(make_table(spec))
    server = await asyncio.start_server(control.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    flipping = asyncio.create_task(control.flip(spec["flips"])) if spec["flips"] else None
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    if flipping is not None:
        flipping.cancel()


if __name__ == "__main__":
    asyncio.run(main())
