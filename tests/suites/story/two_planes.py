"""Two control planes on one PostgreSQL, three proxies, and the command line: all of it processes.

What an operator has: `figway` with a URL and a key. Every command that is run is told with what it
printed and how it ended, and every look at the facade with what the origins executed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control_plane import outbound
from control_plane.auth.keys import generate
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.processes import Child, Group, answers, python_module
from tests.suites.faults.journals import Backend
from tests.support import postgres
from tests.support.installation import clean_environment
from tests.support.load import Connection, Reply, get
from tests.support.until import until

PLANES = ("A", "B")
FOLLOWS = {"p1": "A", "p2": "B", "p3": "A"}
"""Which control plane each proxy asks."""
HOST = "shop.example"


class Commands:
    """Runs figway commands, each a process, without importing the program for each anew."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One command: code, out, err."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        done: dict[str, Any] = json.loads(self._process.stdout.readline())
        return done

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=10)


class OtherRelease:
    """Stands between one proxy and its control plane. While `on`, every whole table holds a field
    that this proxy's release does not know; streams end, so that it has to ask for tables."""

    def __init__(self, behind: str) -> None:
        self.on = False
        self.url = f"http://{LOOPBACK}:{free_port(0)}"
        self._client = outbound.AsyncClient(base_url=behind, trust_env=False, timeout=10.0)
        app = Starlette(routes=[Route("/{path:path}", self._pass, methods=["GET", "POST"])])
        port = int(self.url.rpartition(":")[2])
        config = uvicorn.Config(app, LOOPBACK, port, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the end of the block."""
        task = asyncio.Task(self._server._serve())
        try:
            yield
        finally:
            self._server.should_exit = True
            await task
            await self._client.aclose()

    async def _pass(self, request: Request) -> Response:
        path = request.url.path
        if path.endswith("/stream"):
            return Response(status_code=503)
        headers = dict(request.headers)
        if self.on:
            headers.pop("if-none-match", None)
        try:
            found = await self._client.request(
                request.method,
                path + (f"?{request.url.query}" if request.url.query else ""),
                headers=headers,
                content=await request.body(),
            )
        except outbound.HTTPError:
            return Response(status_code=502)
        content = found.content
        if self.on and path.endswith("/table") and found.status_code == 200:
            content = content.replace(b'"backends":', b'"of_a_later_release":1,"backends":', 1)
        unwanted = ("content-length", "transfer-encoding", "content-encoding")
        kept = {name: value for name, value in found.headers.items() if name not in unwanted}
        return Response(content, found.status_code, kept)


class TwoPlanes:
    """The system, and what a story asks of it."""

    def __init__(self, group: Group, folder: Path, server: postgres.Server) -> None:
        self.group = group
        self.folder = folder
        self.server = server
        self.legacy = Backend("legacy", folder, work_ms=1)
        self.new = Backend("new", folder, work_ms=1)
        self.planes = {name: f"http://{LOOPBACK}:{free_port(0)}" for name in PLANES}
        self.facades = {name: f"http://{LOOPBACK}:{free_port(0)}" for name in FOLLOWS}
        self.private = {name: f"http://{LOOPBACK}:{free_port(0)}" for name in FOLLOWS}
        self.other = OtherRelease(self.planes["A"])
        self.commands = Commands()
        self.keys = {role: str(generate()) for role in ("admin", "proxy")}

    # -- processes -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all of it, with no routes."""
        await self.legacy.start()
        await self.new.start()
        for name in PLANES:
            await self.start_plane(name)
        await asyncio.gather(*(self.start_proxy(name) for name in FOLLOWS))

    async def start_plane(self, name: str) -> Child:
        """Start a control plane, for the first time or again."""
        return await self.group.start(
            name,
            python_module("control_plane"),
            env=self._environment(
                name,
                FIGWAY_ADMIN_LISTEN=self.planes[name].removeprefix("http://"),
                FIGWAY_DATABASE_URL=self.server.url,
                FIGWAY_LEGACY_URL=self.legacy.url,
                FIGWAY_BOOTSTRAP_ADMIN_KEY=self.keys["admin"],
                FIGWAY_BOOTSTRAP_PROXY_KEY=self.keys["proxy"],
            ),
            ready=answers(f"{self.planes[name]}/ready"),
        )

    async def start_proxy(self, name: str) -> Child:
        """Start a proxy, with what it kept on disk."""
        control = self.other.url if name == "p3" else self.planes[FOLLOWS[name]]
        return await self.group.start(
            name,
            python_module("proxy"),
            env=self._environment(
                name,
                FIGWAY_INSTANCE=name,
                FIGWAY_LISTEN=self.facades[name].removeprefix("http://"),
                FIGWAY_PRIVATE_LISTEN=self.private[name].removeprefix("http://"),
                FIGWAY_CONTROL_URL=control,
                FIGWAY_CONTROL_KEY=self.keys["proxy"],
                FIGWAY_LEGACY_URL=self.legacy.url,
                FIGWAY_WORKERS="1",
            ),
            ready=answers(f"{self.private[name]}/ready"),
        )

    def _environment(self, name: str, **settings: str) -> dict[str, str]:
        return {"FIGWAY_STATE_DIR": str(self.folder / name), **settings}

    async def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process, and wait for its end; its exit code."""
        process = self.group.child(name).process
        assert process is not None
        process.send_signal(number)
        return await process.wait()

    async def restore(self, while_away: tuple[str, ...] = ()) -> None:
        """Put the database back to its copy, while control planes run on, or some are stopped."""
        for name in while_away:
            await self.end(name)
        await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.server.restore)
        await asyncio.to_thread(self.server.start)

    async def keep_copy(self) -> None:
        """Keep a copy of the database, to be restored later."""
        await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.server.copy)
        await asyncio.to_thread(self.server.start)

    # -- an operator ---------------------------------------------------------------------------

    async def cli(self, *words: str, at: str = "A", stdin: str = "") -> dict[str, Any]:
        """Run `figway` against a control plane, or several (`A,B`): the command, its exit code,
        what it printed."""
        urls = ",".join(self.planes[name] for name in at.split(","))
        environment = clean_environment(
            FIGWAY_ADMIN_URL=urls, FIGWAY_ADMIN_KEY=self.keys["admin"], COLUMNS="200"
        )
        asked = {
            "words": words, "environment": environment, "folder": str(self.folder), "input": stdin,
        }  # fmt: skip
        done = await asyncio.to_thread(self.commands.run, asked)
        lines = [line.rstrip() for line in (done["out"] + done["err"]).splitlines()]
        command = f"figway {shlex.join(words)}"
        return {"cli": command, "at": at, "code": done["code"], "said": [*filter(None, lines)]}

    # -- end users -----------------------------------------------------------------------------

    async def ask(self, proxy: str, path: str = "/orders/1") -> Reply:
        """One request of one user at one proxy."""
        connection = await Connection.open(self.facades[proxy])
        try:
            return await connection.ask(get(path, HOST))
        finally:
            connection.close()

    async def sides(self, path: str = "/orders/1") -> dict[str, str]:
        """Who answers at each proxy."""
        found = {}
        for name in FOLLOWS:
            reply = await self.ask(name, path)
            found[name] = reply.body.decode() if reply.status == 200 else str(reply.status)
        return found

    async def until_sides(self, path: str = "/orders/1", **wanted: str) -> dict[str, str]:
        """Wait until the proxies named answer so; what each answers then."""

        async def so() -> bool:
            found = await self.sides(path)
            return all(found[name] == side for name, side in wanted.items())

        await until(so, f"{path} is served by {wanted}", 15)
        return await self.sides(path)

    def origins(self) -> Counter[str]:
        """How many requests each origin executed so far."""
        return Counter(
            {side.side: len(side.executed()) for side in (self.legacy, self.new)},
        )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[TwoPlanes]:
    """A running system; nothing of it is left at the end."""
    async with AsyncExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres.stoppable())
        group = await stack.enter_async_context(Group(folder / "logs"))
        system = TwoPlanes(group, folder, server)
        stack.callback(system.commands.close)
        stack.push_async_callback(system.legacy.kill)
        stack.push_async_callback(system.new.kill)
        await stack.enter_async_context(system.other.running())
        await system.start()
        yield system


def worker_of(proxy: Child) -> list[int]:
    """Process ids of the children of a proxy."""
    assert proxy.process is not None
    pid = proxy.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(item) for item in found if os.path.exists(f"/proc/{item}")]
