"""The running host: one listener, a pool per function, schedules and the memory watch."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from new_services.host import workflows
from new_services.host.cloud import Cloud
from new_services.host.control import Control
from new_services.host.errors import InvokeError
from new_services.host.faults import Faults
from new_services.host.invocation import Invocation
from new_services.host.invoke_api import REQUEST_LIMIT, InvokeApi
from new_services.host.layout import Layout
from new_services.host.log import say
from new_services.host.pool import Pool
from new_services.host.queues import poll
from new_services.host.tasks import TaskKeeper
from new_services.host.wire import Request, Response, listen, port_of

_GRACE_SECONDS = 1.0  # that invocations in flight have to end when the host stops
_MEMORY_SECONDS = 0.25
_FUNCTIONS = "/2015-03-31/functions/"


@dataclass(frozen=True)
class Settings:
    """How one host runs."""

    bound: socket.socket
    """Where it listens."""
    switches: Path
    """The file that holds which seeded differences are on."""
    credentials: Mapping[str, str] | None = None
    scheduled: bool = True
    """Run the functions that have a schedule."""
    cloud: str = ""
    """URL of the other services of AWS; queues are polled when it is there."""
    seed: bool = False
    """Wait for the first successful run of each scheduled function before being ready."""


class Service:
    """Start, serve, stop."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._settings = settings
        self._layout = layout
        self._tasks = TaskKeeper()
        self._pools = {
            name: Pool(function, layout, self._tasks) for name, function in layout.functions.items()
        }
        faults = Faults()
        self._invoke = InvokeApi(layout, self._pools, faults, self._tasks, settings.credentials)
        self._control = Control(layout, self._pools, faults, settings.switches)
        self._cloud = Cloud(settings.cloud, layout.region) if settings.cloud else None
        self._server: asyncio.Server | None = None
        self._seeded = {name: asyncio.Event() for name in self._scheduled()}

    @property
    def port(self) -> int:
        return port_of(self._server) if self._server is not None else 0

    def _scheduled(self) -> list[str]:
        functions = self._layout.functions.values()
        return [f.name for f in functions if f.schedule is not None and self._settings.scheduled]

    async def start(self) -> None:
        """Listen, start the schedules, and poll the queues."""
        self._server = await listen(self._settings.bound, self._handle, self._tasks, REQUEST_LIMIT)
        self._tasks.start(self._watch_memory(), "memory")
        for name in self._seeded:
            self._tasks.start(self._run_schedule(name), f"schedule {name}")
        if self._cloud is not None:
            self._poll_queues(self._cloud)

    def _poll_queues(self, cloud: Cloud) -> None:
        """One poller for each environment that a function may have."""
        for name, pool in self._pools.items():
            for number in range(pool.function.environments if pool.function.queue else 0):
                deliver = partial(self._invoke.deliver, pool)
                work = poll(pool.function, self._layout, cloud, deliver)
                self._tasks.start(work, f"queue {name} {number}")

    async def seeded(self) -> None:
        """With `seed`: wait until every scheduled function has run once without failing."""
        if self._settings.seed:
            for event in self._seeded.values():
                await event.wait()

    async def stop(self) -> None:
        """Stop listening, give invocations in flight a moment, then kill every environment."""
        if self._server is not None:
            self._server.close()
        deadline = asyncio.get_running_loop().time() + _GRACE_SECONDS
        while any(pool.in_flight for pool in self._pools.values()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.02)
        for pool in self._pools.values():
            pool.stop()
        await asyncio.gather(*(pool.ended() for pool in self._pools.values()))
        await self._tasks.stop()
        if self._cloud is not None:
            self._cloud.close()

    async def _handle(self, request: Request) -> Response:
        if request.path.startswith("/host/"):
            return await self._control.handle(request)
        if self._cloud is not None and not request.path.startswith(_FUNCTIONS):
            if request.headers.get("x-amz-target") == workflows.OPERATION:
                return await workflows.start_sync(self._cloud, request)
            return await self._cloud.pass_on(request)
        return await self._invoke.handle(request)

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_SECONDS)
            for pool in self._pools.values():
                pool.check_memory()

    async def _run_schedule(self, name: str) -> None:
        """Invoke a function every `schedule` seconds; say once when it starts to fail."""
        pool, failing = self._pools[name], False
        pause = pool.function.schedule or 1.0
        while True:
            failed = await self._tick(pool)
            if failed and not failing:
                say(f"[{name}] scheduled run failed; trying again: {failed}")
            failing = bool(failed)
            if not failed:
                self._seeded[name].set()
            await asyncio.sleep(pause)

    async def _tick(self, pool: Pool) -> str:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self._layout.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._layout.region,
            "resources": [],
            "detail": {},
        }
        invocation = Invocation(
            request_id=str(uuid.uuid4()),
            arn=self._layout.arn(pool.function.name),
            payload=json.dumps(event).encode(),
            trace_id="",
        )
        try:
            outcome = await pool.invoke(invocation)
        except InvokeError as error:
            return str(error)
        return outcome.payload.decode("utf-8", "replace") if outcome.failed else ""
