"""Control planes of one installation as processes, and a proxy that follows them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from control_plane.auth.keys import generate
from tests.support.control_process import running, start
from tests.support.fleet import NamedBackend, Proxy
from tests.support.until import until


class Planes:
    """Control planes, their addresses, and an operator who may reach any."""

    def __init__(self, stack: ExitStack, folder: Path, database_url: str) -> None:
        self._stack, self._folder, self._database_url = stack, folder, database_url
        self.admin, self.proxy = str(generate()), str(generate())
        self.processes: list[subprocess.Popen[str]] = []
        self.urls: list[str] = []

    def add(self, **env: str) -> None:
        """One more."""
        process = self._stack.enter_context(
            running(
                self._folder / f"plane-{len(self.urls)}",
                FIGWAY_DATABASE_URL=self._database_url,
                FIGWAY_BOOTSTRAP_ADMIN_KEY=self.admin,
                FIGWAY_BOOTSTRAP_PROXY_KEY=self.proxy,
                FIGWAY_LEGACY_URL="http://127.0.0.1:9",
                **env,
            )
        )
        self.urls.append(start(process)[0].removesuffix("/api/v1"))
        self.processes.append(process)

    def kill(self, number: int) -> None:
        """As a crash does: what it has in memory alone is gone."""
        self.processes[number].kill()
        self.processes[number].wait()

    def restart(self, number: int) -> None:
        """Another process in its place, at its address."""
        url, port = self.urls[number], self.urls[number].rpartition(":")[2]
        self.add(FIGWAY_ADMIN_LISTEN=f"127.0.0.1:{port}")
        self.processes[number] = self.processes.pop()
        assert self.urls.pop() == url

    def freeze(self, number: int) -> None:
        """It accepts connections, keeps streams open, and answers nothing."""
        self.processes[number].send_signal(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """It goes on."""
        self.processes[number].send_signal(signal.SIGCONT)

    async def sent(self, number: int, method: str, path: str, **more: Any) -> httpx.Response:
        """What one of them answers; `path` without the API's place unless it is health."""
        headers = {"authorization": f"Bearer {self.admin}", **more.pop("headers", {})}
        place = "" if path == "/ready" else "/api/v1"
        async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
            url = f"{self.urls[number]}{place}{path}"
            return await client.request(method, url, headers=headers, **more)

    async def ask(self, number: int, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer that succeeds."""
        found = await self.sent(number, method, path, **more)
        assert found.status_code < 300, found.text
        return found.json() if found.content else None

    async def press(self, number: int, *, on: bool) -> dict[str, Any]:
        """The kill switch; what became of it at the proxies."""
        body = {"on": on, "reason": "a test"}
        found: dict[str, Any] = await self.ask(number, "POST", "/kill?wait=applied", json=body)
        return found


@contextmanager
def planes(folder: Path, database_url: str, count: int) -> Iterator[Planes]:
    """So many control planes; killed at the end."""
    with ExitStack() as stack:
        found = Planes(stack, folder, database_url)
        for _ in range(count):
            found.add()
        yield found


@asynccontextmanager
async def following(made: Planes, folder: Path, urls: str) -> AsyncIterator[Proxy]:
    """A proxy of two workers, whose one route is served by new."""
    sides = {name: NamedBackend(name) for name in ("legacy", "new")}
    for side in sides.values():
        await side.start()
    document: dict[str, Any] = {
        "default_backend": "legacy",
        "backends": [
            {"id": "legacy", "side": "legacy", "url": sides["legacy"].url},
            {"id": "new", "side": "new", "url": sides["new"].url},
        ],
        "routes": [{"id": "moved", "match": {"path": "/moved/{x}"}, "new": "new", "stage": "new"}],
    }
    await made.ask(0, "POST", "/table/apply?confirm=force&reason=a+test", json=document)
    proxy = Proxy(folder, control_url=urls, control_key=made.proxy, poll_s="10", heartbeat_s="5")
    await proxy.start()
    try:
        await until(lambda: served(proxy, "new"), "new serves")
        yield proxy
    finally:
        await proxy.destroy()
        for side in sides.values():
            side.close()


async def served(proxy: Proxy, side: str) -> bool:
    return {await proxy.served_by() for _ in range(4)} == {side}
