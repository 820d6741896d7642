"""Noise, hostile bodies, codings, table changes and replays, through real processes."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import uuid
import zlib
from dataclasses import replace
from pathlib import Path

import brotli
import httpx
import pytest
import zstandard

from figway.model.comparison import ComparisonPolicy, ComparisonRule, RuleKind
from figway.model.table import Stage
from tests.support.children import children
from tests.support.shadow_world import Reply, Request, shadow_world
from tests.support.until import until

COUNTER = itertools.count()


def shifting(request: Request) -> Reply:
    """Answers with what changes every time, and what does not."""
    body = {
        "id": str(uuid.uuid4()),
        "views": next(COUNTER),
        "room": "single",
        "at": f"2026-01-01T00:{next(COUNTER) // 60 % 60:02}:{next(COUNTER) % 60:02}Z",
    }
    return Reply(json.dumps(body).encode())


def wrong(request: Request) -> Reply:
    found = json.loads(shifting(request).body)
    if request.target.endswith("7"):
        found["room"] = "double"
    return Reply(json.dumps(found).encode())


async def test_noise_is_learned_and_a_real_difference_is_still_found(tmp_path: Path) -> None:
    """trap 29"""
    async with shadow_world(tmp_path) as w:
        w.route = replace(w.route, comparison=ComparisonPolicy())
        w.legacy.script, w.new.script = shifting, wrong
        proxy = await w.start()
        for number in range(40):
            await proxy.get(f"/r/{number}")
        await w.settled(40)
        for number in range(40, 100):
            await proxy.get(f"/r/{number}")
        batches = await w.settled(100)
        assert batches.verdicts["mismatch"] == 10, batches.fields()
        assert batches.verdicts["match"] >= 80, batches.verdicts  # the rest: forms yet unknown
        pairs = sum(row["noise"]["pairs"] for row in batches.rows)
        assert 5 <= pairs <= 60  # what differed in an unknown form, then a small sample
        noisy = {item["path"] for row in batches.rows for item in row["noise"]["fields"]}
        assert noisy == {"$.id", "$.views", "$.at"}
        shown = {item["path"] for row in batches.rows for item in row["fields"]}
        assert shown == {"$.id", "$.views", "$.at", "$.room"}


async def test_an_ignore_rule_applies_and_keeps_the_window(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.new.script = lambda request: Reply(b'{"path":"elsewhere"}')
        proxy = await w.start()
        await proxy.get("/r/x")
        batches = await w.settled(1)
        assert batches.verdicts == {"mismatch": 1}
        rule = ComparisonRule(id="known", kind=RuleKind.IGNORE, target="$.path")
        w.route = replace(w.route, comparison=ComparisonPolicy(rules=(rule,), noise_sample=0))
        w.control.publish(w.table())
        await until(lambda: w.control.ack["revision"] == 2, "applied")
        await proxy.get("/r/x")
        batches = await w.settled(2)
        assert batches.verdicts == {"mismatch": 1, "match": 1}
        assert len({row["window"] for row in batches.rows}) == 1
        assert [item["rule"] for row in batches.rows for item in row["fields"]] == ["", "known"]


async def test_a_flip_while_pairs_are_open_loses_none(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.new.script = lambda request: Reply(delay_s=0.05)
        w.legacy.script = lambda request: Reply()
        proxy = await w.start()
        for stage in (Stage.LEGACY, Stage.SHADOW, Stage.CANARY, Stage.SHADOW):
            await asyncio.gather(*(proxy.get(f"/r/{n}") for n in range(20)))
            w.route = replace(w.route, stage=stage, weight=0)
            w.control.publish(w.table())
            await asyncio.gather(*(proxy.get(f"/r/{n}") for n in range(20)))
        assert await proxy.stop() == 0
        assert w.batches.balanced, (w.batches.verdicts, w.batches.dropped, w.batches.captured)
        assert w.batches.captured > 60


async def test_what_new_serves_is_copied_back_to_legacy(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.policy(from_new=True)
        w.route = replace(w.route, stage=Stage.NEW)
        w.legacy.script = lambda request: Reply(b'{"a":"one"}')
        w.new.script = lambda request: Reply(b'{"a":"two"}')
        proxy = await w.start()
        assert (await proxy.get("/r/x")).json() == {"a": "two"}
        batches = await w.settled(1)
        assert batches.verdicts == {"mismatch": 1}
        (example,) = batches.examples
        assert example["served"] == "new"
        (difference,) = example["differences"]
        assert (difference["legacy"], difference["new"]) == ("one", "two")


async def test_the_sample_is_kept_to(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.policy(sample=2_500)
        proxy = await w.start()
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for number in range(400):
                await client.get(f"/r/{number}")
        await until(lambda: w.batches.balanced and w.batches.captured > 50, "settled")
        assert await proxy.stop() == 0
        assert 60 <= w.batches.captured <= 140
        assert w.batches.verdicts["match"] == w.batches.captured


BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
HOSTILE = {
    "deep": (b"[" * 10_000 + b"]" * 10_000, ""),
    "bomb": (BOMB.compress(bytes(100_000_000)) + BOMB.flush(), "gzip"),
    "brotli-bomb": (brotli.compress(bytes(100_000_000), quality=5), "br"),
    "zstd-bomb": (zstandard.compress(bytes(100_000_000)), "zstd"),
    "bad-utf8": (b'{"a":"\xff\xfe"}', ""),
    "nan": (b'{"a":NaN}', ""),
    "huge": (b'{"a":' + b"9" * 100_000 + b"}", ""),
    "twice": (b'{"a":1,"a":2}', ""),
    "cut-gzip": (gzip.compress(b'{"a":1}' * 100, mtime=0)[:-20], "gzip"),
    "cut-br": (brotli.compress(b'{"a":1}' * 100)[:-5], "br"),
    "cut-zstd": (zstandard.compress(bytes(range(256)) * 10)[:-50], "zstd"),
    "unknown": (b"x", "sdch"),
}


async def test_hostile_bodies_end_as_a_verdict_in_bounded_time(tmp_path: Path) -> None:
    """trap 36"""

    def hostile(request: Request) -> Reply:
        body, coding = HOSTILE[request.target.rpartition("/")[2]]
        return Reply(body, headers=(("Content-Encoding", coding),) if coding else ())

    async with shadow_world(tmp_path) as w:
        w.new.script = hostile
        w.legacy.script = lambda request: Reply(b'{"a":1}')
        proxy = await w.start()
        for name in HOSTILE:
            await proxy.get(f"/r/{name}")
        batches = await w.settled(len(HOSTILE))
        found = {
            item["request"]["target"].rpartition("/")[2]: (item["verdict"], item["reason"])
            for item in batches.examples
        }
        cut = {name for name in HOSTILE if name.startswith("cut-")}
        assert {name for name, told in found.items() if told[0] == "new_failed"} == cut
        assert batches.verdicts["new_failed"] == len(cut)
        rest = batches.verdicts["compare_error"] + batches.verdicts["mismatch"]
        assert rest == len(HOSTILE) - len(cut)
        assert found["bomb"] == ("compare_error", "too_large")
        assert proxy.event("shadow_worker_died") is None
        assert proxy.event("shadow_fault") is None


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("br", brotli.compress), ("zstd", zstandard.compress), ("gzip", gzip.compress)],
)
async def test_a_coding_has_no_meaning(tmp_path: Path, coding: str, pack: object) -> None:
    """trap 30"""
    async with shadow_world(tmp_path) as w:
        packed = pack(b'{"a": 1.0, "b": 2}')  # type: ignore[operator]
        w.legacy.script = lambda request: Reply(b'{"b":2,"a":1}')
        w.new.script = lambda request: Reply(packed, headers=(("Content-Encoding", coding),))
        proxy = await w.start()
        await proxy.get("/r/x")
        batches = await w.settled(1)
        assert batches.verdicts == {"match": 1}


async def test_stored_examples_are_replayed(tmp_path: Path) -> None:
    """Fix the function, press replay, see which differences are gone; credentials, which were not
    stored, stand in the way only where legacy needs them."""

    def guarded(request: Request) -> Reply:
        if request.target == "/r/secret" and "authorization" not in request.headers:
            return Reply(b'{"error":"who are you"}', status=401)
        return Reply(json.dumps({"path": request.target}).encode())

    async with shadow_world(tmp_path) as w:
        w.legacy.script = guarded
        w.new.script = lambda request: Reply(b'{"path":"wrong"}')
        proxy = await w.start()
        await proxy.get("/r/plain")
        for path in ("/r/secret", "/r/open"):
            await proxy.get(path, authorization="Bearer abcdefghijklmnop")
        batches = await w.settled(3)
        examples = batches.examples
        assert len(examples) == 3

        def fixed(request: Request) -> Reply:
            return Reply(json.dumps({"path": request.target}).encode())

        w.new.script = fixed
        w.control.jobs = [{"id": "job-1", "route": "r", "examples": examples}]
        results = await until(lambda: w.control.results.get("job-1"), "replayed")
        by_target = {
            example["request"]["target"]: result
            for example, result in zip(examples, results, strict=True)
        }
        assert by_target["/r/plain"]["verdict"] == "match"
        assert by_target["/r/open"]["verdict"] == "match"
        assert by_target["/r/secret"]["verdict"] == "not_replayable"
        assert "authorization" in by_target["/r/secret"]["reason"]
        assert w.batches.captured == 3


async def test_no_worker_runs_where_no_route_wants_one(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.route = replace(w.route, stage=Stage.LEGACY)
        proxy = await w.start()
        await proxy.get("/r/x")
        assert children(proxy, "proxy.processes.shadow.worker") == []
        w.route = replace(w.route, stage=Stage.SHADOW)
        w.control.publish(w.table())
        await until(lambda: children(proxy, "proxy.processes.shadow.worker"), "started")
        await until(lambda: w.control.ack["revision"] == 2, "applied")
        await proxy.get("/r/x")
        await w.settled(1)
