"""A capability walks towards new by its evidence, under reads and writes.

Two control planes on PostgreSQL share the work; whichever acts is killed between every two steps.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from control_plane import outbound
from control_plane.auth.keys import generate
from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.client import Api
from control_plane.cli.demo import start_shop
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.processes import Group, answers, python_module, said
from figway.routing.split import bucket
from tests.suites.story.system import WORKERS, System
from tests.suites.story.tell import Tell
from tests.support import postgres
from tests.support.load import Connection, Failed, Load, get, post
from tests.support.until import until

NAME = "accounts"
READS, WRITES = "users-get", "users-create"
WRONG = "$.loyalty.points"
PLANES = ("control plane", "second control plane")
KEYS = 200
WRITERS = 2
"""Connections that write, each one request at a time."""
FEWEST = 5
"""So many users of new are asked for at every weight."""
PLAN: dict[str, Any] = {
    "target": {"capability": NAME},
    "steps": [
        {"stage": "shadow", "sample": "100%"}, {"weight": "1%", "hold": "15s"},
        {"weight": "5%", "hold": "10s"}, {"weight": "25%", "hold": "30s"}, {"weight": "100%"},
    ],
    "gates": {"parity": "99%", "min_distinct": 20, "errors": False, "latency": False},
    "warmup": "0s",
    "stale_after": "60s",
}  # fmt: skip
LAYOUT = Path(__file__).parents[4] / "new_services" / "functions.toml"
FIRST_OF_NEW = 1_000_001
"""Ids that new gives to users begin here."""


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with _running(folder) as (system, planes), _receiver() as receiver:
        receiver.knows(await _prepare(system))
        story = Story(system, planes)
        reads = Load(system.facade, lambda n: _read(n, system.host), connections=2, pause=0.01)
        writes = Load(
            system.facade, lambda n: _write(n, system.host), pause=0.2, connections=WRITERS
        )
        async with reads, writes:
            await _mended(tell, story)
            await _walks(tell, story)
            await _breaks(tell, story)
            await _arrives(tell, story)
            await story.settled()
            read, wrote = await reads.stop(), await writes.stop()
        async with tell.step("no reader has noticed anything") as figures:
            figures |= {"answered": read.answered, "lost": sum(read.lost.values())}
            assert not read.lost, read.lost
            assert set(read.statuses) == {200}, read.statuses
        async with tell.step("no write was doubled") as figures:
            figures["statuses"] = dict(wrote.statuses)
            assert not wrote.lost, wrote.lost
            cut = [_cut(failed, story.killed) for failed in wrote.failed]
            assert len(cut) <= WRITERS, cut
            figures |= await _written(system, wrote.sent, cut)
        async with tell.step("the events are verified by a public library") as figures:
            await until(lambda: "completed" in receiver.kinds, limit_s=30)
            figures |= {"events": len(receiver.ids), "kinds": sorted(receiver.kinds)}
            assert not receiver.refused, receiver.refused
            assert {"moved", "stepping_back", "paused", "superseded", "completed"} <= receiver.kinds
        async with tell.step("no step was lost or done twice") as figures:
            figures["moves"] = await _moves(system)


async def _mended(tell: Tell, story: Story) -> None:
    """The shadow holds on a difference, until another build of new is deployed."""
    async with tell.step("the shadow holds on a real difference and names it") as figures:
        body = {"reason": "the story", "plan": PLAN}
        await story.system.call("POST", f"/rollouts/{NAME}/start", body)
        found = await story.until(lambda now: WRONG in str(now["reasons"]), 120)
        figures["says"] = found["reasons"][0]["text"]
        figures["killed"] = await story.kill_the_one_that_acts()
        assert found["stands"] == "shadow"
        assert found["build"] == "1"
    async with tell.step("another build is deployed, and the route goes on") as figures:
        await _deploy(story.system, "2")
        begun = time.perf_counter()
        found = await story.until(lambda now: now["build"] == "2", 120)
        figures["says"] = [reason["text"] for reason in found["reasons"]]
        await story.until(lambda now: now["stands"] == "1 %", 200)
        figures["seconds"] = round(time.perf_counter() - begun)


async def _walks(tell: Tell, story: Story) -> None:
    """1, 5 and 25 %; a person takes it back once in between."""
    async with tell.step("1 % serves exactly the expected users") as figures:
        figures |= await story.users("1 %")
        figures["killed"] = await story.kill_the_one_that_acts()
    async with tell.step("5 % serves exactly the expected users") as figures:
        figures |= await story.users("5 %")
        figures["killed"] = await story.kill_the_one_that_acts()
    async with tell.step("a person flips back: it pauses and says so") as figures:
        await story.flip(100)
        found = await story.until(lambda now: now["phase"] == "paused", 60)
        figures["says"] = found["reasons"][0]["text"]
        await story.say("resume")
        figures["killed"] = await story.kill_the_one_that_acts()
    async with tell.step("it goes on from there, and 5 % serves the same users again") as figures:
        figures |= await story.users("5 %")
        figures["killed"] = await story.kill_the_one_that_acts()
    async with tell.step("25 % serves exactly the expected users") as figures:
        figures |= await story.users("25 %")


async def _breaks(tell: Tell, story: Story) -> None:
    """New is killed and started again."""
    async with tell.step("new is killed at 25 %: the weight is back in 10 s") as figures:
        begun = time.perf_counter()
        await story.kill_new()
        await until(lambda: story.below(2_500), limit_s=30)
        figures["seconds"] = round(time.perf_counter() - begun, 1)
        assert figures["seconds"] < 10
        timeline = await story.timeline()
        back = next(entry for entry in timeline if entry["phase"] == "stepping_back")
        figures["says"] = back["reasons"][0]["text"]
    async with tell.step("a build that stands is deployed: it walks on by itself") as figures:
        # Its failures are held against the build that died, as long as that one is served.
        await _start_build(story.system, "3")
        begun = time.perf_counter()
        figures["killed"] = await story.kill_the_one_that_acts()
        await story.until(lambda now: now["build"] == "3", 120)
        figures |= await story.users("25 %")
        figures["seconds"] = round(time.perf_counter() - begun)


async def _arrives(tell: Tell, story: Story) -> None:
    """A person goes further by hand; the rollout is started once more, and ends."""
    async with tell.step("a person flips further: the machine steps aside") as figures:
        await story.flip(9_000)
        found = await story.until(lambda now: now["phase"] == "superseded", 60)
        figures["says"] = found["reasons"][0]["text"]
    async with tell.step("it is started once more, and 100 % serves everybody") as figures:
        await story.say("start")
        figures["killed"] = await story.kill_the_one_that_acts()
        figures |= await story.users("100 %")
        await story.until(lambda now: now["phase"] == "completed", 60)


class Story:
    """The rollout of the chapter, its control planes, and what people do."""

    def __init__(self, system: System, planes: dict[str, str]) -> None:
        self.system = system
        self._planes = planes
        self._starting: list[asyncio.Task[None]] = []
        self.killed = (0.0, 0.0)
        """When new was killed and when it had ended, in seconds of `time.perf_counter`."""

    async def kill_new(self) -> None:
        """SIGKILL the functions."""
        begun = time.perf_counter()
        await self.system.end("functions", signal.SIGKILL)
        self.killed = (begun, time.perf_counter())

    async def settled(self) -> None:
        """Until every control plane that was killed serves again."""
        await asyncio.gather(*self._starting)
        self._starting.clear()

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Ask the first control plane that answers: of two at least one is there."""
        headers = {"if-match": "*"} if path.endswith("/flip") else None
        for address in (*self._planes.values(), *self._planes.values()):
            api = Api(address, self.system.key)
            asked = {**query, "confirm": "exposure"}
            try:
                answer, _ = await asyncio.to_thread(
                    api.call, method, path, body, query=asked, headers=headers
                )
            except CliError as error:
                if error.code is not Exit.UNREACHABLE:
                    raise
                continue
            return answer
        raise AssertionError("no control plane answers")

    async def until(self, holds: Any, limit_s: float) -> dict[str, Any]:
        """The rollout, once it is so."""
        end, found = time.monotonic() + limit_s, {}
        while time.monotonic() < end:
            found = await self.call("GET", f"/rollouts/{NAME}")
            if holds(found):
                return found
            await asyncio.sleep(0.25)
        wanted = {name: found.get(name) for name in ("phase", "waiting_for", "stands", "reasons")}
        raise TimeoutError(json.dumps(wanted))

    async def users(self, stands: str) -> dict[str, Any]:
        """Wait until it stands there, and hold the side of many users against their buckets."""
        await self.until(lambda now: now["stands"] == stands, 300)
        await until(self.everywhere, limit_s=120)
        return await _users(self.system, stands)

    async def everywhere(self) -> bool:
        """Whether every proxy serves the newest table."""
        fleet = await self.call("GET", "/fleet")
        return bool(fleet["live"] and fleet["live"] == fleet["current"])

    async def below(self, weight: int) -> bool:
        """Whether the route is back below a weight."""
        route = await self.call("GET", f"/routes/{READS}")
        return bool(route["stage"] != "canary" or route["weight"] < weight)

    async def say(self, word: str) -> None:
        """A person's word."""
        await self.call("POST", f"/rollouts/{NAME}/{word}", {"reason": "the story"})

    async def flip(self, weight: int) -> None:
        """A person flips the capability, past the rollout."""
        body = {"weight": weight, "reason": "by hand"}
        await self.call("POST", f"/capabilities/{NAME}/flip", body)

    async def timeline(self) -> list[dict[str, Any]]:
        """What it did, newest first."""
        found = await self.call("GET", f"/rollouts/{NAME}/timeline", limit=500)
        items: list[dict[str, Any]] = found["items"]
        return items

    async def kill_the_one_that_acts(self) -> str:
        """SIGKILL the control plane that has the lease, and start it anew in the background: the
        other one, which has to be there for that, goes on."""
        await self.settled()
        async with asyncio.timeout(60):
            while True:
                for name, address in self._planes.items():
                    if await _acts(self.system, address):
                        await self.system.end(name, signal.SIGKILL)
                        starting = asyncio.create_task(_start_plane(self.system, name, address))
                        self._starting.append(starting)
                        return name
                await asyncio.sleep(0.5)


async def _acts(system: System, address: str) -> bool:
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{address}/api/v1/metrics", headers={"authorization": f"Bearer {system.key}"}
        )
    return bool(re.search(r"^figway_rollout_acts 1$", answer.text, re.M))


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


class Receiver:
    """What an endpoint is sent. Each message is verified as it comes, as its time is signed too and
    counts for five minutes."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.kinds: set[str] = set()
        self.refused: list[str] = []
        self._early: list[tuple[dict[str, str], bytes]] = []
        self._webhook: Webhook | None = None

    def knows(self, secret: str) -> None:
        """The endpoint was made: this is what its messages are signed with."""
        self._webhook = Webhook(secret)
        for headers, body in self._early:
            self.hear(headers, body)

    def hear(self, headers: dict[str, str], body: bytes) -> None:
        """One message."""
        if self._webhook is None:
            self._early.append((headers, body))
            return
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError as error:
            self.refused.append(f"{error}: {body.decode()}")
        self.ids.add(headers["webhook-id"])
        self.kinds.add(json.loads(body)["type"].rpartition(".")[2])


@asynccontextmanager
async def _receiver() -> AsyncIterator[Receiver]:
    """A server that hears what it is sent; its address is in the environment."""
    receiver = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        parts = [line.partition(": ") for line in head]
        headers = {name.lower(): value for name, _, value in parts}
        receiver.hear(headers, await reader.readexactly(int(headers["content-length"])))
        writer.write(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    os.environ["FIGWAY_STORY_HOOK"] = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield receiver


async def _prepare(system: System) -> str:
    """One read and one write that move together, and an endpoint that is told of rollouts; its
    secret."""
    await system.define()
    await _sent(system, "POST", "/capabilities", {"id": NAME})
    for route in (READS, WRITES):
        await _sent(system, "PATCH", f"/backends/{route}", {"function": f"{route}:live"})
        fields: dict[str, Any] = {"capability": NAME}
        if route == READS:
            fields["shadow"] = {"legacy_reads": "allowed"}
        await _sent(system, "PATCH", f"/routes/{route}", fields)
    await system.call(
        "POST", f"/capabilities/{NAME}/flip", {"stage": "legacy", "reason": "all at one place"}
    )
    rule = {"kind": "ignore", "target": "header:vary", "note": "no cache stands before this"}
    await _sent(system, "POST", f"/routes/{READS}/rules", rule)
    made = await system.call(
        "POST", "/webhooks",
        {"id": "story", "url": os.environ["FIGWAY_STORY_HOOK"], "types": ["figway.rollout.*"]},
    )  # fmt: skip
    secret: str = made["secret"]
    return secret


async def _deploy(system: System, version: str) -> None:
    """Deploy the functions again as another version under the alias, without the difference."""
    await system.end("functions")
    await _start_build(system, version)


async def _start_build(system: System, version: str) -> None:
    """Start the functions, which do not run, as a version without the difference."""
    layout = system.state / f"functions-{version}.toml"
    text = LAYOUT.read_text(encoding="utf-8").replace('version = "1"', f'version = "{version}"')
    layout.write_text(text, encoding="utf-8")
    command = [*system.group.child("functions").command]
    if "--layout" in command:
        command = command[: command.index("--layout")]
    command += ["--layout", str(layout), "--differences", "none"]
    await system.group.start("functions", command, ready=said("functions ready on"))


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


def _read(number: int, host: str) -> bytes:
    return get(f"/api/users/{number % 200 + 1}", host)


def _email(number: int) -> str:
    return f"story{number}@example.org"


def _write(number: int, host: str) -> bytes:
    user = {"email": _email(number), "first_name": "Ada", "last_name": "Story"}
    # A visitor of their own, so that each weight sends its share to new.
    return post("/api/users", host, json.dumps(user).encode(), f"Cookie: figway_id=w{number}")


def _cut(failed: Failed, killed: tuple[float, float]) -> str:
    """The user of a write that failed. Only one that was on its way to new when that was killed
    may: it may have run there, so that legacy must not run it as well."""
    begun, ended = killed
    told = json.loads(failed.reply.body)
    assert failed.reply.status == 502, told
    assert told["type"] == "urn:figway:problem:backend_reset", told
    assert failed.asked <= ended, (failed, killed)
    assert failed.answered >= begun, (failed, killed)
    email: str = json.loads(failed.request.partition(b"\r\n\r\n")[2])["email"]
    return email


async def _written(system: System, sent: int, cut: list[str]) -> dict[str, Any]:
    """Where the users of the story were made: each once, on one side; of those whose write was cut
    at new, each at most once, and there."""
    legacy = [
        user["email"] for user in await _of_legacy(system) if user["email"].startswith("story")
    ]
    path = system.state / "functions" / "read_model.sqlite3"
    query = "SELECT email FROM users WHERE id >= ? AND email LIKE 'story%'"
    store = sqlite3.connect(path)
    new = [row[0] for row in store.execute(query, (FIRST_OF_NEW,))]
    store.close()
    made = legacy + new
    assert len(set(made)) == len(made), "a write ran twice"
    assert not set(cut) & set(legacy), "legacy ran what new may have run"
    assert set(made) | set(cut) == {_email(number) for number in range(sent)}
    assert new
    return {"sent": sent, "by_legacy": len(legacy), "by_new": len(new), "cut": len(cut)}


async def _of_legacy(system: System) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with outbound.AsyncClient(trust_env=False) as client:
        for page in range(1, 1_000):
            answer = await client.get(f"{system.legacy}/api/users?size=100&page={page}")
            items = answer.json()["items"]
            if not items:
                break
            found += items
    return found


async def _moves(system: System) -> list[str]:
    """Every revision of the rollout: each is told of once, and none does what the revision before
    it, whoever made that, had done already."""
    timeline = await system.call("GET", f"/rollouts/{NAME}/timeline", limit=500)
    told = [entry["revision"] for entry in reversed(timeline["items"]) if entry["revision"]]
    pages = await system.call("GET", "/revisions", limit=200)
    items = sorted(pages["items"], key=lambda entry: entry["revision"])
    made = {
        entry["revision"]: entry["summary"] for entry in items if entry["source"] == "rollout"
    }  # fmt: skip
    assert told == sorted(made), (told, sorted(made))
    for one, other in pairwise(items):
        assert one["summary"] != other["summary"], (one, other)
    return [made[revision] for revision in told]


async def _users(system: System, stands: str) -> dict[str, Any]:
    """Ask as so many users, and hold the side that served against the bucket of each."""
    weight = round(float(stands.removesuffix(" %")) * 100)
    connection = await Connection.open(system.facade)
    on_new, wrong = 0, []
    users = _asked(weight)
    for user in users:
        if not connection.open_still:
            connection = await Connection.open(system.facade)
        reply = await connection.ask(get("/api/users/17", system.host, f"Cookie: figway_id={user}"))
        new = reply.header(b"server") != b"Wayfarer/2.9"
        on_new += new
        if new != (_bucket(user) < weight):
            wrong.append(user)
    connection.close()
    assert not wrong, wrong
    assert on_new >= FEWEST
    return {"users": len(users), "on_new": on_new, "workers": WORKERS}


def _asked(weight: int) -> list[str]:
    """So many users, and as many more as it takes for some of them to be new's."""
    users = [f"story-{number}" for number in range(KEYS)]
    more = (f"story-{number}" for number in count(KEYS))
    return users + list(islice((user for user in more if _bucket(user) < weight), FEWEST))


def _bucket(user: str) -> int:
    return bucket(NAME.encode(), user.encode())
