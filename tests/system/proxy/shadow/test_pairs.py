"""Pairs through real processes: what is copied, how it is compared, what is told."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.support.shadow_world import Reply, Request, shadow_world


async def test_a_served_read_is_copied_compared_and_told(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        proxy = await w.start()
        for number in range(10):
            answer = await proxy.get(f"/r/{number}?q=1", cookie="sid=1")
            assert answer.status_code == 200
        batches = await w.settled(10)
        assert batches.verdicts == {"match": 10}
        assert len(w.legacy.seen) == len(w.new.seen) == 10
        copy = w.new.seen[0]
        assert copy.headers["figway-shadow"] == "1"
        assert copy.headers["cookie"] == "sid=1"
        assert copy.headers["x-forwarded-for"] == "127.0.0.1"
        assert copy.headers["figway-hop"] == "1"
        assert "figway-shadow" not in w.legacy.seen[0].headers
        assert {request.target for request in w.new.seen} == {
            f"/r/{number}?q=1" for number in range(10)
        }
        row = batches.rows[0]
        assert row["route"] == "r"
        assert len(row["window"]) == 32
        assert sum(sum(row["latency"]["new"].values()) for row in batches.rows) == 10
        assert await proxy.metric("figway_shadow_pairs_total") == 10
        assert await proxy.metric("figway_shadow_worker_up") == 1
        assert await proxy.stop() == 0


def everything_below(directory: Path) -> str:
    """All that was written to files."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    return "".join(file.read_bytes().decode("latin-1") for file in files)


async def test_a_difference_is_named_by_its_path_with_a_redacted_example(tmp_path: Path) -> None:
    """trap 34, trap 35"""

    def new(request: Request) -> Reply:
        body = {"items": [{"price": 2}], "password": "hunter2-new", "same": 1}
        return Reply(json.dumps(body).encode(), headers=(("Set-Cookie", "sid=geheim; Path=/"),))

    def legacy(request: Request) -> Reply:
        body = {"items": [{"price": 1}], "password": "hunter2-old", "same": 1}
        return Reply(json.dumps(body).encode(), headers=(("Set-Cookie", "sid=geheim; Path=/"),))

    async with shadow_world(tmp_path) as w:
        w.legacy.script, w.new.script = legacy, new
        proxy = await w.start()
        secret = "Bearer abcdefghijklmnop"
        for number in range(8):
            path = f"/r/{number}?token=topsecretvalue"
            await proxy.get(path, authorization=secret, cookie="sid=geheim")
        batches = await w.settled(8)
        # Answers that set cookies are never asked for again, whatever a route allows.
        assert batches.verdicts == {"unconfirmed": 8}
        assert w.legacy.copies == []
        assert batches.fields() == {"$.items[*].price changed": 8, "$.password changed": 8}
        assert len(batches.examples) == 8  # of one signature, in its first hour
        example = batches.examples[0]
        assert example["served"] == "legacy"
        assert example["differences"][0]["path"] == "$.items[*].price"
        assert (example["legacy"]["status"], example["new"]["status"]) == (200, 200)
        assert json.loads(example["new"]["body"])["items"] == [{"price": 2}]
        told = json.dumps(batches.found[next(iter(batches.found))])
        told += json.dumps(list(batches.found.values())[-1]) + str(proxy.events)
        written = everything_below(tmp_path)
        assert written
        told += written
        for word in ("hunter2", "geheim", "topsecretvalue", "abcdefghijklmnop"):
            assert word not in told, word


async def test_a_mismatch_that_is_gone_when_both_are_asked_again_is_stale(tmp_path: Path) -> None:
    """trap 32"""

    def new(request: Request) -> Reply:
        return Reply(json.dumps({"stock": 5}).encode())

    def legacy(request: Request) -> Reply:
        return Reply(json.dumps({"stock": 5 if request.copied else 1}).encode())

    async with shadow_world(tmp_path) as w:
        w.legacy.script, w.new.script = legacy, new
        proxy = await w.start()
        await proxy.get("/r/x")
        batches = await w.settled(1)
        assert batches.verdicts == {"stale": 1}
        assert len(w.legacy.copies) == 1
        assert len(w.new.seen) == 2


async def test_a_mismatch_waits_until_legacy_may_be_asked_again(tmp_path: Path) -> None:
    """trap 32, trap 28: legacy bears one more read for each pair, and every pair differs. None is
    called a mismatch without its second look."""
    pairs = 60

    def moved_on(request: Request) -> Reply:
        return Reply(json.dumps({"stock": 2 if request.copied else 1}).encode())

    async with shadow_world(tmp_path) as w:
        w.legacy.script = w.new.script = moved_on
        proxy = await w.start(shadow_legacy_percent="100")
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for number in range(pairs):
                await client.get(f"/r/{number}")
        batches = await w.settled(pairs)
        assert set(batches.verdicts) <= {"stale", "match"}
        assert 0 < len(w.legacy.copies) <= pairs


async def test_both_failed_is_no_match_and_404_against_200_is_a_mismatch(tmp_path: Path) -> None:
    """trap 33"""

    def side(mine: dict[str, int]) -> object:
        def answer(request: Request) -> Reply:
            return Reply(status=mine.get(request.target, 200))

        return answer

    async with shadow_world(tmp_path) as w:
        w.legacy.script = side({"/r/both": 500, "/r/legacy": 503})  # type: ignore[assignment]
        w.new.script = side({"/r/both": 502, "/r/new": 500, "/r/404": 404})  # type: ignore[assignment]
        proxy = await w.start()
        for path in ("both", "legacy", "new", "404", "fine"):
            await proxy.get(f"/r/{path}")
        batches = await w.settled(5)
        assert batches.verdicts == {
            "both_failed": 1,
            "legacy_failed": 1,
            "new_failed": 1,
            "mismatch": 1,
            "match": 1,
        }
        errors = [row["errors"]["new"] for row in batches.rows]
        assert sum(found.get("5xx", 0) for found in errors) == 2


async def test_what_is_not_compared_is_counted_with_its_reason(tmp_path: Path) -> None:
    """traps 24, 25, 26: writes are never copied; each skip has its reason"""

    def legacy(request: Request) -> Reply:
        if request.target == "/r/big":
            return Reply(b"x" * 3_000)
        if request.target == "/r/events":
            return Reply(b"data: 1\n\n", content_type="text/event-stream")
        if request.target == "/r/cached":
            return Reply(b"", status=304)
        return Reply()

    def new(request: Request) -> Reply:
        return Reply(b"y" * 3_000) if request.target == "/r/bigger" else Reply()

    async with shadow_world(tmp_path) as w:
        w.policy(body_limit=2_000)
        w.legacy.script, w.new.script = legacy, new
        proxy = await w.start()
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for path in ("big", "events", "cached", "bigger", "fine"):
                await client.get(f"/r/{path}")
            await client.post("/r/order", json={"pay": 100})
            await client.delete("/r/order")
            await client.get("/r/once", headers={"Figway-Shadow": "1"})
        batches = await w.settled(7)
        assert batches.skipped == {
            "body_over_cap": 2,
            "event_stream": 1,
            "not_modified": 1,
            "unsafe_method": 2,
        }
        assert batches.verdicts == {"skipped": 6, "match": 1}
        assert {request.method for request in w.new.seen} == {"GET"}
        targets = {request.target for request in w.new.seen}
        assert targets == {"/r/bigger", "/r/cached", "/r/fine"}


async def test_an_event_stream_that_ends_is_compared_where_the_route_says_so(
    tmp_path: Path,
) -> None:
    """Line 3: comments and what is never dispatched are no difference; another event is one."""

    def legacy(request: Request) -> Reply:
        return Reply(b": hello\n\ndata: 1\n\n", content_type="text/event-stream")

    def new(request: Request) -> Reply:
        last = b"2" if request.target == "/r/other" else b"1"
        return Reply(b"data: %b\n\ndata: cut" % last, content_type="text/event-stream")

    async with shadow_world(tmp_path) as w:
        w.policy(event_streams=True)
        w.legacy.script, w.new.script = legacy, new
        proxy = await w.start()
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for path in ("same", "other"):
                await client.get(f"/r/{path}")
        batches = await w.settled(2)
        assert batches.skipped == {}
        assert batches.verdicts["match"] == 1
        assert set(batches.fields()) == {"$[*].data changed"}


async def test_a_write_is_copied_under_a_dry_run_contract_and_never_sent_again(
    tmp_path: Path,
) -> None:
    """trap 24"""
    async with shadow_world(tmp_path) as w:
        w.policy(dry_run="The functions write nothing when Figway-Dry-Run is 1.")
        w.new.script = lambda request: Reply(b'{"other":1}')
        proxy = await w.start()
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            await client.post("/r/order", json={"pay": 100})
        batches = await w.settled(1)
        assert batches.verdicts == {"mismatch": 1}
        assert len(w.legacy.seen) == 1
        (copy,) = w.new.seen
        assert (copy.method, json.loads(copy.body)) == ("POST", {"pay": 100})
        assert copy.headers["figway-dry-run"] == "1"


async def test_reads_marked_as_unsafe_are_not_copied(tmp_path: Path) -> None:
    """trap 25"""
    async with shadow_world(tmp_path) as w:
        w.policy(unsafe_get=True)
        proxy = await w.start()
        await proxy.get("/r/logout")
        batches = await w.settled(1)
        assert batches.skipped == {"unsafe_get": 1}
        assert w.new.seen == []


async def test_head_is_compared_though_its_length_is_over_the_cap(tmp_path: Path) -> None:
    """trap 12, trap 26"""
    async with shadow_world(tmp_path) as w:
        w.policy(body_limit=2_000)
        w.legacy.script = w.new.script = lambda request: Reply(b"x" * 3_000)
        proxy = await w.start()
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            assert (await client.head("/r/x")).headers["content-length"] == "3000"
            await w.settled(1)
            assert w.new.seen == []  # a GET of the route has to agree before
            w.legacy.script = w.new.script = lambda request: Reply(b"x" * 300)
            await client.get("/r/x")
            await w.settled(2)
            w.legacy.script = w.new.script = lambda request: Reply(b"x" * 3_000)
            await client.head("/r/x")
        batches = await w.settled(3)
        assert batches.skipped == {"head_before_get": 1}
        assert batches.verdicts == {"skipped": 1, "match": 2}
