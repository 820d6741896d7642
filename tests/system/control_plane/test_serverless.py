"""The control plane as a function: events through Mangum, a schedule, another sandbox's changes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from control_plane.db.engine import DatabaseAway
from control_plane.serverless import Serverless
from control_plane.settings import Settings, SettingsError
from tests.support import postgres
from tests.support.serverless.events import make_event, read_answer
from tests.support.serverless.platform import Function
from tests.support.serverless.pooler import Pooler

ADMIN = "fgw_abcdefgh_" + "a" * 40
PROXY = "fgw_abcdefgi_" + "b" * 40
CONTEXT = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 60_000)
SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of our own: the pooler looks for its Unix socket."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def direct(server: str) -> Iterator[str]:
    with postgres.database(server) as url:
        yield url


@pytest.fixture
def pooler(direct: str) -> Pooler:
    url = make_url(direct)
    return Pooler(str(url.query["host"]), str(url.database), sessions=3)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A file, or a PostgreSQL behind a pooler that lends sessions by the transaction."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/figway.sqlite3"
        return
    with request.getfixturevalue("pooler").running() as url:
        yield url


@pytest.fixture
def sandboxes(database: str) -> Iterator[Callable[[int], list[Serverless]]]:
    """Sandboxes of one function."""
    made: list[Serverless] = []

    def start() -> Serverless:
        settings = Settings(
            database_url=database,
            database_pool=0,
            bootstrap_admin_key=ADMIN,
            bootstrap_proxy_key=PROXY,
            legacy_url="http://legacy.example",
            poll_seconds=0.001,
            console_link=False,
        )
        return Serverless(settings)

    def make(number: int) -> list[Serverless]:
        made.extend(start() for _ in range(number))
        return made

    yield make
    for one in made:
        one.close()


def event_of(
    method: str, path: str, body: Any = None, key: str = ADMIN, **fields: str
) -> dict[str, Any]:
    headers = [(b"host", b"admin.example"), (b"authorization", b"Bearer " + key.encode())]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        headers.append((b"content-type", b"application/json"))
    return make_event("url", method, path.encode(), headers, content)


def ask(
    one: Serverless, method: str, path: str, body: Any = None, key: str = ADMIN, **fields: str
) -> tuple[int, Any]:
    event = event_of(method, path, body, key, **fields)
    status, _, data = read_answer(one.handle(event, CONTEXT))
    return status, json.loads(data or b"null")


Make = Callable[[int], list[Serverless]]


def test_a_change_in_one_sandbox_is_seen_by_another(sandboxes: Make) -> None:
    """No task follows the database here: each request looks first."""
    one, other = sandboxes(2)
    backend = {"id": "new", "side": "new", "url": "http://new.example"}
    before = ask(other, "GET", "/api/v1/table")[1]["revision"]
    status, shown = ask(one, "POST", "/api/v1/backends", backend)
    assert status in (200, 201), shown
    assert ask(other, "GET", "/api/v1/table")[1]["revision"] == before + 1
    route = {"id": "a", "match": {"path": "/a"}, "stage": "legacy", "new": "new"}
    assert ask(other, "POST", "/api/v1/routes", route)[0] in (200, 201)
    status, shown = ask(one, "POST", "/api/v1/routes/a/flip", {"stage": "shadow", "reason": "try"})
    assert status == 428, shown  # If-Match is asked for here too
    _, fields, _ = read_answer(one.handle(event_of("GET", "/api/v1/routes/a"), CONTEXT))
    etag = next(value for name, value in fields if name.lower() == "etag")
    flip = {"stage": "shadow", "reason": "try"}
    status, shown = ask(one, "POST", "/api/v1/routes/a/flip", flip, if_match=etag)
    assert status == 200, shown
    table = ask(other, "GET", "/api/v1/table", key=PROXY)[1]
    assert [route["stage"] for route in table["table"]["routes"]] == ["shadow"]
    status, _ = ask(other, "POST", "/api/v1/routes/a/flip", flip, if_match=etag)
    assert status == 412  # trap 54: the other sandbox's change is not lost


def test_streams_are_refused(sandboxes: Make) -> None:
    (one,) = sandboxes(1)
    status, problem = ask(one, "GET", "/api/v1/table/stream")
    assert (status, problem["type"]) == (501, "urn:figway:problem:no_stream")


def test_a_schedule_does_the_rounds(sandboxes: Make, database: str) -> None:
    """An EventBridge rule: retention, and proxies that are gone."""
    (one,) = sandboxes(1)
    report = {
        "instance": "proxy",
        "boot": "b",
        "sequence": 1,
        "from_ms": 1,
        "to_ms": 2,
        "series": [],
        "events": [],
    }
    assert ask(one, "POST", "/api/v1/reports", report, key=PROXY)[0] == 200
    ack = {"instance": "proxy", "boot": "b", "revision": 1, "etag": "0" * 32}
    status, shown = ask(one, "POST", "/api/v1/fleet/acks", ack, key=PROXY)
    assert status in (200, 204), shown

    async def execute(statement: str) -> int:
        async with one.services.database.write() as connection:
            result = await connection.execute(text(statement))
            return int(result.scalar_one()) if result.returns_rows else 0

    def run(statement: str) -> int:
        return one.loop.run_until_complete(execute(statement))

    counts = {name: f"SELECT count(*) FROM {name}" for name in ("instances", "reports_seen")}
    assert {name: run(count) for name, count in counts.items()} == dict.fromkeys(counts, 1)
    assert {"traffic", "comparisons", "fleet"} <= set(one.handle(SCHEDULE, CONTEXT)["done"])
    assert run(counts["instances"]) == 1  # heard of just now
    run("UPDATE instances SET seen_ms = 1")
    run("UPDATE reports_seen SET at_ms = 1")
    one.handle(SCHEDULE, CONTEXT)
    assert {name: run(count) for name, count in counts.items()} == dict.fromkeys(counts, 0)


def test_a_schedule_moves_rollouts_and_sends_events(sandboxes: Make) -> None:
    """Each event of the schedule is one look: a move, and what is told of it, go out with it. The
    next look waits for the proxy."""
    (one,) = sandboxes(1)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    there = one.loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    hook = {"id": "hook", "url": f"http://127.0.0.1:{there.sockets[0].getsockname()[1]}/",
            "types": ["figway.rollout.moved"]}  # fmt: skip
    route = {"id": "a", "match": {"path": "/a"}, "stage": "legacy", "new": "new"}
    plan = {"target": {"route": "a"}, "steps": [{"stage": "shadow"}, {"weight": "5%"}],
            "gates": {"parity": False, "errors": False, "latency": False}, "warmup": "0s",
            "stale_after": "1h"}  # fmt: skip
    for path, body in (
        ("webhooks", hook), ("backends", {"id": "new", "side": "new", "url": "http://new.example"}),
        ("routes", route), ("rollouts/a/start", {"reason": "go", "plan": plan}),
    ):  # fmt: skip
        status, shown = ask(one, "POST", f"/api/v1/{path}", body)
        assert status in (200, 201), shown
    report = {"instance": "proxy", "boot": "b", "sequence": 1, "from_ms": 1, "to_ms": 2,
              "series": [], "events": []}  # fmt: skip
    assert ask(one, "POST", "/api/v1/reports", report, key=PROXY)[0] == 200
    stood = []
    for _ in range(3):
        table = ask(one, "GET", "/api/v1/table", key=PROXY)[1]
        ack = {"instance": "proxy", "boot": "b", "revision": table["revision"],
               "etag": table["etag"]}  # fmt: skip
        assert ask(one, "POST", "/api/v1/fleet/acks", ack, key=PROXY)[0] == 204
        assert "rollouts" in one.handle(SCHEDULE, CONTEXT)["done"]
        assert one.handle(SCHEDULE, CONTEXT)["done"]  # the proxy is behind: nothing moves
        stood.append(ask(one, "GET", "/api/v1/rollouts/a")[1]["stands"])
    assert stood == ["shadow", "5 %", "5 %"]
    assert ask(one, "GET", "/api/v1/rollouts/a")[1]["phase"] == "completed"
    assert len(heard) == 2
    there.close()


ROUTE = {"id": "a", "match": {"path": "/a"}, "stage": "legacy", "new": "new"}
PLAN = {"target": {"route": "a"}, "steps": [{"stage": "shadow"}, {"weight": "5%"},
                                            {"weight": "25%"}, {"stage": "new"}],
        "gates": {"parity": False, "errors": False, "latency": False}, "warmup": "0s",
        "stale_after": "1h"}  # fmt: skip


def started(one: Serverless) -> None:
    """A rollout that has begun, and an endpoint that is told of it and is not there."""
    hook = {"id": "hook", "url": "http://127.0.0.1:1/", "types": ["figway.rollout.*"]}
    for path, body in (
        ("webhooks", hook), ("backends", {"id": "new", "side": "new", "url": "http://new.example"}),
        ("routes", ROUTE), ("rollouts/a/start", {"reason": "go", "plan": PLAN}),
    ):  # fmt: skip
        status, shown = ask(one, "POST", f"/api/v1/{path}", body)
        assert status in (200, 201), shown


def reported(one: Serverless, boot: str, sequence: int, serves: str) -> None:
    """A sandbox of the proxy hands in its counters, and says what it serves."""
    report = {"instance": f"lambda {boot}", "boot": boot, "sequence": sequence, "from_ms": 1,
              "to_ms": 2, "series": [], "events": [], "serves": serves}  # fmt: skip
    assert ask(one, "POST", "/api/v1/reports", report, key=PROXY)[0] == 200


def moves(one: Serverless) -> list[str]:
    """Where the timeline says that the routes were led, oldest first."""
    found = ask(one, "GET", "/api/v1/rollouts/a/timeline")[1]["items"]
    return [reason["text"] for entry in reversed(found) for reason in entry["reasons"]
            if reason["code"] == "moved"]  # fmt: skip


def test_an_installation_of_functions_alone_walks_its_rollouts(sandboxes: Make) -> None:
    """No sandbox of a proxy acknowledges anything: its reports say which table it serves. A step
    waits until each that is heard of serves the newest one, or has been frozen for two minutes."""
    (one,) = sandboxes(1)
    started(one)
    one.handle(SCHEDULE, CONTEXT)
    waits = ask(one, "GET", "/api/v1/rollouts/a")[1]
    assert (waits["waiting_for"], waits["reasons"][0]["code"]) == ("proxies", "proxies_none")
    first = ask(one, "GET", "/api/v1/table", key=PROXY)[1]["etag"]
    reported(one, "s1", 1, first)
    reported(one, "s2", 1, first)
    one.handle(SCHEDULE, CONTEXT)
    assert ask(one, "GET", "/api/v1/rollouts/a")[1]["stands"] == "shadow"
    second = ask(one, "GET", "/api/v1/table", key=PROXY)[1]["etag"]
    reported(one, "s1", 2, second)
    one.handle(SCHEDULE, CONTEXT)
    waits = ask(one, "GET", "/api/v1/rollouts/a")[1]
    assert waits["reasons"][0]["text"] == "1 of 2 proxies serve the newest table"
    reported(one, "s2", 3, second)
    reported(one, "s2", 2, first)  # a message that was late: the newer one counts
    one.handle(SCHEDULE, CONTEXT)
    assert ask(one, "GET", "/api/v1/rollouts/a")[1]["stands"] == "5 %"

    async def frozen() -> None:
        async with one.services.database.write() as connection:
            await connection.execute(
                text("UPDATE reports_seen SET at_ms = at_ms - 121000 WHERE boot = 's2'")
            )

    reported(one, "s1", 3, ask(one, "GET", "/api/v1/table", key=PROXY)[1]["etag"])
    one.loop.run_until_complete(frozen())
    one.handle(SCHEDULE, CONTEXT)
    assert moves(one) == ["to shadow", "to 5 %", "to 25 %"]


def test_schedules_that_come_twice_late_or_at_once_do_nothing_twice(sandboxes: Make) -> None:
    """The platform promises at least one event, not one: two sandboxes get the same at the same
    moment, again and again. Each step is one revision, one line, one event."""
    made = sandboxes(2)
    one, _ = made
    started(one)
    stood = []
    for sequence in range(1, 7):
        serves = ask(one, "GET", "/api/v1/table", key=PROXY)[1]["etag"]
        reported(one, "s1", sequence, serves)
        with ThreadPoolExecutor(2) as threads:
            rounds = [threads.submit(each.handle, SCHEDULE, CONTEXT) for each in made]
            assert all("rollouts" in ended.result()["done"] for ended in rounds)
        for each in made:
            each.handle(SCHEDULE, CONTEXT)  # once more, late
        stood.append(ask(one, "GET", "/api/v1/rollouts/a")[1]["stands"])
    assert stood[:4] == ["shadow", "5 %", "25 %", "new"]
    assert moves(one) == ["to shadow", "to 5 %", "to 25 %", "to new"]
    assert ask(one, "GET", "/api/v1/rollouts/a")[1]["phase"] == "completed"
    events = ask(one, "GET", "/api/v1/out-events")[1]["items"]
    types = Counter(event["type"] for event in events)
    assert (types["figway.rollout.moved"], types["figway.rollout.completed"]) == (4, 1)
    audit = ask(one, "GET", "/api/v1/audit")[1]["items"]
    assert sum(entry["actor"] == "rollout:a" for entry in audit) == 4


def test_an_endpoint_that_hangs_takes_no_time_from_the_rest(sandboxes: Make) -> None:
    """A schedule with eight seconds left begins no round of deliveries that may last ten; trimming
    and rollouts are done all the same."""
    (one,) = sandboxes(1)
    started(one)
    little = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 8_000)
    assert one.handle(SCHEDULE, little)["done"][-1] == "events"
    found = ask(one, "GET", "/api/v1/deliveries")[1]["items"]
    assert not any(delivery["attempts"] for delivery in found)


@pytest.mark.postgres
def test_a_pooler_is_left_as_it_was(direct: str, pooler: Pooler) -> None:
    """Every transaction may meet another session: none keeps a lock or a setting of ours. Without
    `database_pool=0` a prepared statement is looked for in a session that does not know it."""
    with pooler.running() as url:
        settings = Settings(
            database_url=url, database_pool=0, bootstrap_admin_key=ADMIN, console_link=False
        )
        one = Serverless(settings)
        try:
            begun = pooler.lent
            for _ in range(5):
                assert ask(one, "GET", "/api/v1/audit")[0] == 200
            assert pooler.lent >= begun + 5

            async def left() -> list[int]:
                connection = await asyncpg.connect(direct)
                try:
                    return [
                        await connection.fetchval(statement)
                        for statement in (
                            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
                            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'",
                        )
                    ]
                finally:
                    await connection.close()

            assert asyncio.run(left()) == [0, 0]
        finally:
            one.close()


@pytest.mark.postgres
def test_sandboxes_that_start_at_once_share_an_empty_database(pooler: Pooler) -> None:
    """Real processes under the runtime client, on a database that nobody has migrated: one of them
    does, through the pooler; a change in one is served by the other; a schedule does its rounds."""
    with pooler.running() as url:
        environment = {
            "FIGWAY_DATABASE_URL": url,
            "FIGWAY_DATABASE_POOL": "0",
            "FIGWAY_BOOTSTRAP_ADMIN_KEY": ADMIN,
            "FIGWAY_LEGACY_URL": "http://legacy.example",
            "FIGWAY_POLL_SECONDS": "0.001",
        }
        made = [Function(environment, "control_plane.serverless.handler") for _ in range(2)]
        try:
            events = [event_of("GET", "/api/v1/table") for _ in made]
            begun = [one.start(event) for one, event in zip(made, events, strict=True)]
            for one, invocation in zip(made, begun, strict=True):
                one.finish(invocation)
                assert json.loads(invocation.result)["statusCode"] == 200, invocation.result
            backend = {"id": "new", "side": "new", "url": "http://new.example"}
            answer = made[0].invoke(event_of("POST", "/api/v1/backends", backend))
            assert answer["statusCode"] in (200, 201), answer
            table = json.loads(made[1].invoke(event_of("GET", "/api/v1/table"))["body"])
            assert "new" in [backend["id"] for backend in table["table"]["backends"]]
            assert "traffic" in made[1].invoke(SCHEDULE)["done"]
        finally:
            for one in made:
                one.stop()


def test_a_function_keeps_no_files() -> None:
    with pytest.raises(SettingsError, match="FIGWAY_DATABASE_URL"):
        Serverless(Settings(database_url=""))


def test_without_the_database_the_kill_switch_works(
    sandboxes: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: each request asked the database first, and none was answered while that was away; the
    press is in the memory of a sandbox, which the proxies carry to the next one."""
    one, other = sandboxes(2)

    def away() -> None:
        raise DatabaseAway("refused")

    with monkeypatch.context() as patch:
        for name in ("read", "write"):
            patch.setattr(one.services.database, name, away)
        status, made = ask(one, "POST", "/api/v1/kill", {"on": True, "reason": "it burns"})
        assert (status, made["on"], made["stored"]) == (200, True, False)
        assert ask(one, "GET", "/api/v1/kill")[1]["on"]
        assert ask(one, "POST", "/api/v1/kill", {"on": False, "reason": "r"})[0] == 503
    heard = {
        "figway_kill": "on",
        "figway_kill_number": str(made["number"]),
        "figway_installation": other.services.state.installation,
    }
    assert ask(other, "GET", "/api/v1/kill/notice", key=PROXY, **heard)[0] == 204
    found = ask(other, "GET", "/api/v1/kill")[1]
    assert (found["on"], found["stored"]) == (True, True)
