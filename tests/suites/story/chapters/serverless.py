"""The same proxy in Lambda: a flip, a shadow through the queue, a fallback, a cold start from S3.

The real runtime client runs the functions; SQS, S3 and Secrets Manager are moto's server, found by
AWS_ENDPOINT_URL alone. The control plane, legacy and the functions behind are those of every story.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.support.serverless.cloud import Cloud, cloud
from tests.support.serverless.events import make_event, read_answer
from tests.support.serverless.platform import Function
from tests.support.until import until

ROUTE = "users-get"
T = TypeVar("T")


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        await system.define()
        made = await system.call("POST", "/keys", {"name": "lambda", "role": "proxy"})
        with cloud(made["key"]) as aws:
            async with _functions(system, aws) as (proxy, worker):
                await _told(tell, system, aws, proxy, worker)
            await _from_s3(tell, system, aws)


async def _told(tell: Tell, system: System, aws: Cloud, proxy: Ask, worker: Function) -> None:
    async with tell.step("the function serves, with its key from Secrets Manager") as figures:
        figures["served_by"] = await proxy.side()
        assert figures["served_by"] == "legacy"
    async with tell.step("a flip is seen without a cold start") as figures:
        await system.flip(ROUTE, stage="new")
        begun = time.perf_counter()
        figures["requests_until_seen"] = await proxy.until("new")
        figures["ms"] = round((time.perf_counter() - begun) * 1_000)
        assert proxy.alive  # the very process that served legacy
    async with tell.step("a shadow is compared through the queue") as figures:
        await system.flip(ROUTE, stage="shadow")
        await proxy.until("legacy")
        for number in range(1, 11):
            await proxy.get(f"/api/users/{number}")
        figures["messages"] = await _work_off(aws, worker)
        compared = await _verdicts(system)
        figures["verdicts"] = compared
        fields = await system.call("GET", f"/comparisons/routes/{ROUTE}/fields")
        figures["differing"] = sorted({item["path"] for item in fields["items"]})[:5]
        assert sum(compared.values()) >= 10
    async with tell.step("a replay is done by the worker's schedule") as figures:
        order = {"route": ROUTE, "reason": "is it fixed?"}
        replay = await system.call("POST", "/comparisons/replays", order)
        await _thread(lambda: worker.invoke({"source": "aws.events"}, timeout_ms=30_000))
        told = await system.call("GET", f"/comparisons/replays/{replay['id']}")
        figures |= {name: told[name] for name in ("status", "total", "still")}
        assert told["status"] == "done"
        assert told["total"] > 0
    async with tell.step("counters reached the traffic view") as figures:

        async def seen() -> bool:
            return ROUTE in json.dumps(await system.call("GET", "/traffic/summary"))

        await until(seen)
        figures["seen"] = True
    async with tell.step("new is gone, and legacy serves") as figures:
        await system.flip(ROUTE, stage="new")
        await proxy.until("new")
        await system.end("functions")
        status, _ = await proxy.get("/api/users/17")
        figures |= {"status": status, "fallback": await proxy.last("fallback")}
        assert status == 200
        assert figures["fallback"] == "connect"


async def _from_s3(tell: Tell, system: System, aws: Cloud) -> None:
    async with tell.step("a cold start without the control plane takes the table from S3") as out:
        table = await system.call("GET", "/table")
        body = json.dumps(table).encode()
        aws.s3.put_object(Bucket=aws.bucket, Key="table.json", Body=body)
        await system.end("control plane")
        environment = {**aws.environment, "FIGWAY_TABLE_URL": f"s3://{aws.bucket}/table.json"}
        function = await _thread(lambda: Function(environment))
        try:
            browser = Ask(function)
            status, _ = await browser.get("/api/users/17")
            out |= {"status": status, "revision": await browser.last("revision")}
            assert (status, out["revision"]) == (200, table["revision"])
        finally:
            await _thread(function.stop)


class Ask:
    """A browser behind an HTTP API, in front of the function."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._asked = 0

    async def get(self, path: str) -> tuple[int, list[tuple[str, str]]]:
        event = make_event("http", "GET", path.encode(), [(b"host", b"shop.example")])
        answer = await _thread(lambda: self._function.invoke(event))
        self._asked += 1
        status, fields, _ = read_answer(answer)
        return status, fields

    async def side(self) -> str:
        """Which side serves one user."""
        status, fields = await self.get("/api/users/17")
        assert status == 200, status
        servers = [value for name, value in fields if name.lower() == "server"]
        return "legacy" if servers == ["Wayfarer/2.9"] else "new"

    async def until(self, side: str) -> int:
        """How many requests it took until `side` served."""
        for number in range(1, 500):
            if await self.side() == side:
                return number
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{side} never served")

    @property
    def alive(self) -> bool:
        """The sandbox is the one that was started."""
        return self._function.process.poll() is None

    async def last(self, name: str) -> Any:
        """A field of the last request's line, once that was read."""

        def lines() -> list[dict[str, Any]]:
            return [line for line in self._function.lines if "total_us" in line]

        async def read() -> bool:
            return len(lines()) >= self._asked

        await until(read)
        return lines()[-1].get(name)


@asynccontextmanager
async def _functions(system: System, aws: Cloud) -> AsyncIterator[tuple[Ask, Function]]:
    environment = {
        **aws.environment,
        "FIGWAY_CONTROL_URL": system.place.admin,
        "FIGWAY_CONTROL_KEY_SECRET": aws.secret,
        "FIGWAY_TABLE_MAX_AGE_S": "0.2",
        "FIGWAY_REPORT_S": "0.5",
        "FIGWAY_SANDBOXES": "1",
        "FIGWAY_SETTLE_MS": "2000",
    }
    proxy = await _thread(lambda: Function(environment))
    worker = await _thread(lambda: Function(environment, "proxy.serverless.worker.handler"))
    try:
        yield Ask(proxy), worker
    finally:
        await _thread(proxy.stop)
        await _thread(worker.stop)


async def _work_off(aws: Cloud, worker: Function) -> int:
    """Trigger the worker until the queue is empty; how many messages there were."""

    def work() -> int:
        found = 0
        while (event := aws.take())["Records"]:
            failed = aws.settle(event, worker.invoke(event, timeout_ms=30_000))
            assert not failed, worker.output[-5:]
            found += len(event["Records"])
        return found

    return await _thread(work)


async def _verdicts(system: System) -> dict[str, int]:
    found = await system.call("GET", f"/comparisons/routes/{ROUTE}")
    total: dict[str, int] = {}
    for window in found["windows"]:
        for name, number in window["verdicts"].items():
            total[name] = total.get(name, 0) + number
    return {name: number for name, number in total.items() if number}


async def _thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
