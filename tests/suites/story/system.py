"""The whole system as separate processes, started the way `figway demo` starts it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from control_plane import outbound
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.client import Api
from control_plane.cli.demo import start_shop, table
from control_plane.cli.processes import Child, Group, answers, python_module
from control_plane.cli.up import Place, start_figway

WORKERS = 2


class System:
    """Legacy, functions, control plane and proxy, and what a story asks of them."""

    def __init__(self, group: Group, state: Path) -> None:
        self.group = group
        self.state = state
        ports = [free_port(0) for _ in range(5)]
        facade, admin, private = (f"{LOOPBACK}:{port}" for port in ports[:3])
        self.place = Place(state, facade, admin, private)
        self.legacy = f"http://{LOOPBACK}:{ports[3]}"
        self.functions = f"http://{LOOPBACK}:{ports[4]}"
        self.host = facade
        self.key = ""

    @property
    def facade(self) -> str:
        """Where end users go."""
        return self.place.facade

    @property
    def api(self) -> Api:
        """The admin API, as an administrator."""
        return Api(self.place.admin, self.key)

    async def start(self) -> None:
        """Start everything, with no routes at all."""
        await start_shop(self.group, self.legacy, self.functions, self.state)
        self.key = await start_figway(self.group, self.place, self.legacy, WORKERS)

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Call the admin API; edits overwrite whatever is there."""
        api = self.api
        edits = path.endswith(("/flip", "/evidence/restart"))
        headers = {"if-match": "*"} if edits else None
        answer, _ = await asyncio.to_thread(
            api.call, method, path, body, query={**query, "confirm": "exposure"}, headers=headers
        )
        return answer

    async def flip(self, route: str, **change: Any) -> Any:
        """Flip a route and wait until every worker serves it."""
        body = {**change, "reason": "the story goes on"}
        found = await self.call("POST", f"/routes/{route}/flip", body, wait="applied", timeout=10)
        assert found["propagation"]["applied"], found["propagation"]
        return found

    async def define(self) -> Any:
        """Define the routes of the demo, all in stage legacy."""
        wanted = table(self.legacy, self.functions)
        for route in wanted["routes"]:
            route["stage"] = "legacy"
        api = self.api
        body = json.dumps(wanted).encode()
        return await asyncio.to_thread(
            api.send_document, "/table/apply", body, "application/json",
            reason="the story's routes", wait="applied", confirm="exposure",
        )  # fmt: skip

    async def stats(self) -> dict[str, int]:
        """How often legacy executed each method and path template."""
        async with outbound.AsyncClient(trust_env=False) as client:
            found: dict[str, Any] = (await client.get(f"{self.legacy}/internal/stats")).json()
        counts: dict[str, int] = found["executed"]
        return counts

    async def private(self) -> dict[str, Any]:
        """The proxy's own table page: revision and workers."""
        async with outbound.AsyncClient(trust_env=False) as client:
            found: dict[str, Any] = (await client.get(f"{self.place.private}/table")).json()
        return found

    async def restart_proxy(self, **settings: str) -> Child:
        """Start the proxy again, with what it kept on disk."""
        return await self.group.start(
            "proxy",
            python_module("proxy"),
            env=self.place.environment("proxy", FIGWAY_WORKERS=str(WORKERS), **settings),
            ready=answers(f"{self.place.private}/ready"),
        )

    async def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process by name and wait for its end; its exit code."""
        process = self.group.child(name).process
        assert process is not None
        process.send_signal(number)
        return await process.wait()


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[System]:
    """A running system in `state`."""
    async with Group(state / "logs") as group:
        system = System(group, state)
        await system.start()
        yield system
