"""A route walks towards new by its evidence; its two control planes are killed in turn."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from control_plane import outbound
from control_plane.auth.keys import generate
from control_plane.cli.demo import start_shop
from control_plane.cli.processes import Group, answers, python_module
from control_plane.cli.up import LOOPBACK, free_port
from figway.routing.split import bucket
from tests.suites.story.chapters.shadow import _fix
from tests.suites.story.system import WORKERS, System
from tests.suites.story.tell import Tell
from tests.support import postgres
from tests.support.load import Connection, Load, get
from tests.support.until import until

ROUTE = "users-get"
WRONG = "$.loyalty.points"
PLANES = ("control plane", "second control plane")
STEPS = ("1 %", "5 %", "25 %")
KEYS = 200
PLAN: dict[str, Any] = {
    "target": {"route": ROUTE},
    "steps": [
        {"stage": "shadow", "sample": "100%"}, {"weight": "1%", "hold": "12s"},
        {"weight": "5%", "hold": "12s"}, {"weight": "25%", "hold": "10m"}, {"weight": "100%"},
    ],
    "gates": {"parity": "99%", "min_distinct": 20, "errors": False, "latency": False},
    "warmup": "0s",
    "stale_after": "60s",
}  # fmt: skip


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with _running(folder) as (system, planes), _receiver() as heard:
        secret = await _prepare(system, heard)
        starting: list[asyncio.Task[None]] = []
        make = lambda number: get(f"/api/users/{number % 200 + 1}", system.host)  # noqa: E731
        async with Load(system.facade, make, connections=2, pause=0.01) as load:
            async with tell.step("the shadow holds on a real difference and names it") as figures:
                await system.call(
                    "POST", f"/rollouts/{ROUTE}/start", {"reason": "the story", "plan": PLAN}
                )
                found = await _until(system, lambda now: WRONG in str(now["reasons"]), 120)
                figures["says"] = found["reasons"][0]["text"]
                assert found["stands"] == "shadow"
            async with tell.step("the difference is mended, and the route goes on") as figures:
                await _fix(system)
                await _restart(system)
                begun = time.perf_counter()
                await _until(system, lambda now: now["stands"] == STEPS[0], 200)
                figures["seconds"] = round(time.perf_counter() - begun)
            for stands in STEPS:
                async with tell.step(f"{stands} serves exactly the expected users") as figures:
                    await _until(system, lambda now, at=stands: now["stands"] == at, 200)
                    figures |= await _users(system, stands)
                    if stands != STEPS[-1]:
                        figures["killed"] = await _kill_the_one_that_acts(system, planes, starting)
            async with tell.step("new is killed at 25 %: the weight is back in 10 s") as figures:
                begun = time.perf_counter()
                await system.end("functions", signal.SIGKILL)
                await until(lambda: _below(system, 2_500), limit_s=30)
                figures["seconds"] = round(time.perf_counter() - begun, 1)
                assert figures["seconds"] < 10
            tally = await load.stop()
        async with tell.step("no user has noticed, and the event is verified") as figures:
            figures |= {"answered": tally.answered, "lost": sum(tally.lost.values())}
            assert not tally.lost, tally.lost
            assert set(tally.statuses) == {200}, tally.statuses
            await until(lambda: _told(heard, "figway.rollout.stepping_back"), limit_s=30)
            for headers, body in heard:
                Webhook(secret).verify(body, headers)
            figures["events"] = len({headers["webhook-id"] for headers, _ in heard})
        async with tell.step("no step was lost or done twice") as figures:
            timeline = await system.call("GET", f"/rollouts/{ROUTE}/timeline", limit=200)
            steps = [e["step"] for e in reversed(timeline["items"]) if e["revision"]]
            figures["steps"] = steps
            assert steps[:4] == [0, 1, 2, 3]
            assert steps[4] == 2
        async with tell.step("a person flips in between: the machine steps aside") as figures:
            by_hand = {"weight": 9_000, "reason": "by hand"}
            await system.call("POST", f"/routes/{ROUTE}/flip", by_hand, confirm="force")
            found = await _until(system, lambda now: now["phase"] == "superseded", 60)
            figures["says"] = found["reasons"][0]["text"]


# -- the system --------------------------------------------------------------------------------


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[System, dict[str, str]]]:
    """Legacy, functions and a proxy under two control planes on PostgreSQL, and their
    addresses."""
    async with AsyncExitStack() as stack:
        server = postgres.server()
        url = await asyncio.to_thread(server.__enter__)
        stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        group = await stack.enter_async_context(Group(folder / "logs"))
        system = System(group, folder)
        system.key = str(generate())
        await start_shop(group, system.legacy, system.functions, folder)
        second = f"{LOOPBACK}:{free_port(0)}"
        planes = {PLANES[0]: system.place.admin, PLANES[1]: f"http://{second}"}
        os.environ["FIGWAY_STORY_DATABASE"] = url
        for name in PLANES:
            await _start_plane(system, name, planes[name])
        await system.restart_proxy(FIGWAY_LEGACY_URL=system.legacy)
        yield system, planes


async def _start_plane(system: System, name: str, address: str) -> None:
    await system.group.start(
        name,
        python_module("control_plane"),
        env=system.place.environment(
            "control",
            FIGWAY_ADMIN_LISTEN=address.partition("://")[2],
            FIGWAY_DATABASE_URL=os.environ["FIGWAY_STORY_DATABASE"],
            FIGWAY_LEGACY_URL=system.legacy,
            FIGWAY_BOOTSTRAP_PROXY_KEY_FILE=str(system.place.key_file()),
            FIGWAY_BOOTSTRAP_ADMIN_KEY=system.key,
            FIGWAY_ROLLOUT_SECONDS="2",
        ),
        ready=answers(f"{address}/ready"),
        timeout=180,
    )


async def _kill_the_one_that_acts(
    system: System, planes: dict[str, str], starting: list[asyncio.Task[None]]
) -> str:
    """SIGKILL the control plane that has the lease, and start it anew in the background: the
    other one, which has to be there for that, goes on."""
    await asyncio.gather(*starting)
    for name, address in planes.items():
        async with outbound.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                f"{address}/api/v1/metrics", headers={"authorization": f"Bearer {system.key}"}
            )
        if re.search(r"^figway_rollout_acts 1$", answer.text, re.M):
            await system.end(name, signal.SIGKILL)
            starting.append(asyncio.create_task(_start_plane(system, name, address)))
            return name
    return "none acted"


@asynccontextmanager
async def _receiver() -> AsyncIterator[list[tuple[dict[str, str], bytes]]]:
    """A server that keeps what it is sent; its address is in the environment."""
    heard: list[tuple[dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        parts = [line.partition(": ") for line in head]
        headers = {name.lower(): value for name, _, value in parts}
        heard.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    os.environ["FIGWAY_STORY_HOOK"] = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield heard


async def _prepare(system: System, heard: list[Any]) -> str:
    """Routes, and an endpoint that is told of rollouts; its secret."""
    await system.define()
    await _edit(system, {"shadow": {"legacy_reads": "allowed"}})
    rule = {"kind": "ignore", "target": "header:vary", "note": "no cache stands before this"}
    await _sent(system, "POST", f"/routes/{ROUTE}/rules", rule)
    made = await system.call(
        "POST", "/webhooks",
        {"id": "story", "url": os.environ["FIGWAY_STORY_HOOK"], "types": ["figway.rollout.*"]},
    )  # fmt: skip
    secret: str = made["secret"]
    return secret


async def _edit(system: System, fields: dict[str, Any]) -> None:
    await _sent(system, "PATCH", f"/routes/{ROUTE}", fields)


async def _restart(system: System) -> None:
    await _sent(system, "POST", f"/routes/{ROUTE}/evidence/restart", None)


async def _sent(system: System, method: str, path: str, body: Any) -> None:
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.request(
            method,
            f"{system.place.admin}/api/v1{path}",
            json=body,
            params={"reason": "the story goes on"},
            headers={"if-match": "*", "authorization": f"Bearer {system.key}"},
        )
        assert answer.status_code < 300, answer.text


# -- what is seen ------------------------------------------------------------------------------


async def _until(system: System, holds: Any, limit_s: float) -> dict[str, Any]:
    """The rollout, once it is so. A control plane that has just been killed is asked again."""
    end, found = time.monotonic() + limit_s, {}
    while time.monotonic() < end:
        try:
            found = await system.call("GET", f"/rollouts/{ROUTE}")
        except Exception:
            await asyncio.sleep(0.5)
            continue
        if holds(found):
            return found
        await asyncio.sleep(0.25)
    wanted = {name: found.get(name) for name in ("phase", "waiting_for", "stands", "reasons")}
    raise TimeoutError(json.dumps(wanted))


async def _below(system: System, weight: int) -> bool:
    route = await system.call("GET", f"/routes/{ROUTE}")
    return bool(route["stage"] != "canary" or route["weight"] < weight)


async def _told(heard: list[tuple[dict[str, str], bytes]], event_type: str) -> bool:
    return any(event_type.encode() in body for _, body in heard)


async def _users(system: System, stands: str) -> dict[str, Any]:
    """Ask as so many users, and hold the side that served against the bucket of each."""
    weight = round(float(stands.removesuffix(" %")) * 100)
    await until(lambda: _everywhere(system), limit_s=120)
    connection = await Connection.open(system.facade)
    on_new, wrong = 0, []
    for number in range(KEYS):
        if not connection.open_still:
            connection = await Connection.open(system.facade)
        user = f"story-{number}"
        reply = await connection.ask(get("/api/users/17", system.host, f"Cookie: figway_id={user}"))
        new = reply.header(b"server") != b"Wayfarer/2.9"
        on_new += new
        if new != (bucket(b"users", user.encode()) < weight):
            wrong.append(user)
    connection.close()
    assert not wrong, wrong
    return {"users": KEYS, "on_new": on_new, "workers": WORKERS}


async def _everywhere(system: System) -> bool:
    """Whether every proxy serves the newest table."""
    try:
        fleet = await system.call("GET", "/fleet")
    except Exception:  # the control plane is being started again
        return False
    return bool(fleet["live"] and fleet["live"] == fleet["current"])
