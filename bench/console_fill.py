"""Fills a database as two weeks of a large migration would: routes, traffic, stored comparisons.

The table and its revisions are made by the control plane's own publisher; what comes in millions is
written in bulk, as the rows that reports and batches would have left. Everything is drawn from one
seed, so that two databases hold the same.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from control_plane.audit.entry import AuditEntry
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from control_plane.bootstrap import make_services, prepare
from control_plane.comparisons.batches import ExampleIn
from control_plane.comparisons.store import digest
from control_plane.db import models
from control_plane.publishing.service import Confirm
from control_plane.publishing.state import Snapshot
from control_plane.services import Services
from control_plane.settings import Settings
from figway.evidence.histogram import bucket_of
from figway.model import change
from figway.model.backend import Backend
from figway.model.change import Change, Kind
from figway.model.table import Capability, Route, RouteMatch, Stage
from figway.model.words import WEIGHT_SCALE, Side
from figway.rollout.parsing import parse_plan

WINDOW = "now"
PER_CAPABILITY = 8
SIGNATURES = 120
"""Kinds of differences a route; retention keeps 20 pairs of each."""
PATHS = 60
"""Fields that differ in a route; one route has as many as are counted at all."""
DAY_MS = 86_400_000
_STAGES = (
    (Stage.LEGACY, 30), (Stage.SHADOW, 25), (Stage.CANARY, 20), (Stage.NEW, 20), (Stage.RETIRED, 5)
)  # fmt: skip
_VERDICTS = (("mismatch", 70), ("match", 20), ("new_failed", 6), ("stale", 4))
_VARIANTS = 64
Write = Callable[[type[models.Base], Iterable[tuple[Any, ...]]], int]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to be."""

    routes: int
    comparisons: int
    hours: int
    revisions: int


ROLLOUT = "bench"
"""The one plan's id."""


def stage_of(number: int) -> Stage:
    """The stage of route `number`: the stages are mixed, not in blocks."""
    place = number * 37 % 100
    for stage, share in _STAGES:
        if place < share:
            return stage
        place -= share
    raise AssertionError("the shares make a hundred")


def route_id(number: int) -> str:
    """The id of route `number`."""
    return f"shop-{number:05}"


def compared(size: Size) -> list[int]:
    """The routes that were compared at all."""
    return [n for n in range(size.routes) if stage_of(n) is not Stage.LEGACY]


async def fill(url: str, size: Size) -> dict[str, Any]:
    """Fill an empty database; an admin key, and what was written in how many seconds."""
    begun = time.monotonic()
    services = make_services(Settings(database_url=url, log_level="warning"))
    try:
        await prepare(services)
        key = await create_key(
            services.database, name="bench", role=Role.ADMIN,
            entry=AuditEntry("bench", "", "key.create", "key"),
        )  # fmt: skip
        await _publish(services, size)
        await _plan(services, size)
    finally:
        await services.database.close()
    written = await (_to_sqlite if url.startswith("sqlite") else _to_postgres)(url, size)
    return {"key": str(key), "rows": written, "seconds": round(time.monotonic() - begun, 1)}


# -- the table and its revisions ---------------------------------------------------------------


async def _publish(services: Services, size: Size) -> None:
    def table(_: Snapshot) -> Iterator[Change]:
        legacy = Backend(id="legacy", side=Side.LEGACY, url="http://127.0.0.1:9000")
        yield Change(Kind.BACKEND, "legacy", legacy)
        for number in range(10):
            new = Backend(id=f"fn-{number}", side=Side.NEW, url=f"http://127.0.0.1:{9100 + number}")
            yield Change(Kind.BACKEND, new.id, new)
        yield Change(Kind.SETTING, "default_backend", "legacy")
        for number in range(-(-size.routes // PER_CAPABILITY)):
            yield Change(Kind.CAPABILITY, f"part-{number}", Capability(id=f"part-{number}"))
        for number in range(size.routes):
            yield Change(Kind.ROUTE, route_id(number), _route(number))

    await services.publisher.change(
        table,
        AuditEntry("bench", "", "table.apply", "table", "all of it"),
        confirm=Confirm.EXPOSURE,
    )
    canary = [n for n in range(size.routes) if stage_of(n) is Stage.CANARY]
    for turn in range(size.revisions):
        name = route_id(canary[turn * 7 % len(canary)])
        weight = 100 + turn * 13 % (WEIGHT_SCALE - 200)

        def flip(now: Snapshot, name: str = name, weight: int = weight) -> list[Change]:
            flipped = change.flip(now.table.routes[name], Stage.CANARY, weight)
            return [Change(Kind.ROUTE, name, flipped)]

        entry = AuditEntry(
            f"engineer {turn % 9}", "10.0.0.7", "route.flip", f"route {name}", "step by step"
        )
        await services.publisher.change(flip, entry, confirm=Confirm.EXPOSURE)


async def _plan(services: Services, size: Size) -> None:
    """A plan that has not begun."""
    moved = next(n for n in range(size.routes) if stage_of(n) is Stage.CANARY)
    steps = [{"weight": "99%"}, {"stage": "new"}]
    body = {"id": ROLLOUT, "target": {"route": route_id(moved)}, "steps": steps}
    plan, findings = parse_plan(body, "rollout")
    assert plan is not None, findings
    entry = AuditEntry("bench", "", "rollout.plan", f"rollout {ROLLOUT}")
    await services.rollouts.plans.put_plan(plan, entry)


def _route(number: int) -> Route:
    stage = stage_of(number)
    return Route(
        id=route_id(number),
        match=RouteMatch(path=f"/shop/part-{number}/{{id}}/items", methods=("GET", "POST")),
        stage=stage,
        weight=100 + number * 7 % 9_000 if stage is Stage.CANARY else 0,
        capability=f"part-{number // PER_CAPABILITY}",
        new=f"fn-{number % 10}",
        description=f"part {number} of the shop: its list and its items",
    )


# -- what comes in millions --------------------------------------------------------------------


def _tables(size: Size) -> Iterator[tuple[type[models.Base], Iterable[tuple[Any, ...]]]]:
    now = int(time.time() * 1_000)
    yield models.TrafficRow, _traffic(size, now)
    yield models.ComparedWindowRow, _windows(size, now)
    yield models.ComparedRouteRow, ((route_id(n), WINDOW, 2, now) for n in compared(size))
    yield models.ComparedFieldRow, _fields(size, now)
    yield models.ComparedMinuteRow, _minutes(size, now)
    yield models.ExampleRow, _examples(size, now)
    yield models.ExampleFieldRow, _places(size)
    yield models.ExampleUsageRow, ((route_id(n), many, many * 1_900) for n, many in _shares(size))


def sides(number: int) -> tuple[tuple[str, str], ...]:
    """The sides that serve route `number`, each with its backend."""
    stage, new = stage_of(number), ("new", f"fn-{number % 10}")
    if stage in (Stage.LEGACY, Stage.SHADOW):
        return (("legacy", "legacy"),)
    return (("legacy", "legacy"), new) if stage is Stage.CANARY else (new,)


def _counters() -> list[tuple[Any, ...]]:
    """The columns of a bucket of traffic after its key, in variants."""
    drawn = random.Random(7)
    found = []
    for _ in range(_VARIANTS):
        requests = drawn.randrange(20, 400)
        errors = drawn.choice((0, 0, 0, 1, 2))
        buckets: dict[int, int] = {}
        for _ in range(requests):
            number = bucket_of(int(1_000 * math.exp(drawn.gauss(3, 0.7))))
            buckets[number] = buckets.get(number, 0) + 1
        counts = {"statuses": {"2xx": requests - errors - 2, "4xx": 2, "5xx": errors}}
        found.append(
            (requests, errors, 0, requests * 600, requests * 4_000, orjson.dumps(counts).decode(),
             orjson.dumps(buckets, option=orjson.OPT_NON_STR_KEYS).decode())
        )  # fmt: skip
    return found


def _traffic(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    variants = _counters()
    series = [(route_id(n), *side) for n in range(size.routes) for side in sides(n)]
    whole = [("*", "legacy", ""), ("*", "new", "")]
    minute = now - now % 60_000
    for at in range(minute - 30 * DAY_MS, minute, 60_000):  # everything together, a month of it
        recent = at >= minute - size.hours * 3_600_000
        week = at >= minute - 7 * DAY_MS
        for place, key in enumerate(whole + (series if recent else series[:1] if week else [])):
            yield 60, at, *key, *variants[(at // 60_000 + place) % _VARIANTS]
    coarse = now - now % 600_000
    for at in range(coarse - 30 * DAY_MS, coarse + 1, 600_000):
        recent = at >= coarse - size.hours * 3_600_000
        week = at >= coarse - 7 * DAY_MS
        for place, key in enumerate(whole + (series if recent else series[:1] if week else [])):
            yield 600, at, *key, *variants[(at // 600_000 + place) % _VARIANTS]
    for at in range(minute - min(size.hours, 1) * 3_600_000, minute, 10_000):
        for place, key in enumerate(whole + series):
            yield 10, at, *key, *variants[(at // 10_000 + place) % _VARIANTS]


def _windows(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    latency = '{"legacy":%s,"new":%s}'
    variants = [row[-1] for row in _counters()]
    for n in compared(size):
        for age, name in enumerate((WINDOW, "before", "first")):
            bad = n * 31 % 400
            verdicts = {"match": 20_000 - bad, "mismatch": bad, "new_failed": n % 7, "stale": n % 3}
            counts = {"verdicts": verdicts, "skipped": {"body_limit": n % 5}, "dropped": {}}
            yield (
                route_id(n), name, 2, now - (age + 1) * DAY_MS, now - age * DAY_MS, 20_010, 400,
                orjson.dumps(counts).decode(), latency % (variants[n % 64], variants[n % 61]),
            )  # fmt: skip


def _path(number: int) -> str:
    return f"$.items[*].field_{number}"


def _fields(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    chosen = compared(size)
    for n in chosen:
        for number in range(2_000 if n == chosen[0] else PATHS):
            path = _path(number)
            key = f"{path}|changed"
            noisy = 40 if number % 5 == 0 else 0
            proposed = json.dumps({"kind": "ignore", "target": path})
            yield (
                route_id(n), WINDOW, digest(key), key, path, "changed", "", 1 + number % 97,
                0, noisy, "", proposed, now - DAY_MS, now,
            )  # fmt: skip


def _minutes(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    minute = now - now % 60_000
    for n in compared(size):
        for at in range(minute - size.hours * 3_600_000, minute, 60_000):
            yield route_id(n), at, WINDOW, "match", 14
            yield route_id(n), at, WINDOW, "captured", 15


def _shares(size: Size) -> list[tuple[int, int]]:
    """How many pairs of which route: some have three times as many as others."""
    chosen = compared(size)
    weights = [1 + (n * 7_919 % 97) / 48 for n in chosen]
    whole = sum(weights)
    found = [int(size.comparisons * weight / whole) for weight in weights]
    found[0] += size.comparisons - sum(found)
    return list(zip(chosen, found, strict=True))


def _kinds() -> list[tuple[str, str, tuple[str, ...], str, str]]:
    """Kinds of pairs: verdict, signature, places, summary, document with holes for id and time."""
    found = []
    for number in range(SIGNATURES):
        place = number * 100 // SIGNATURES
        verdict = next(name for name, share in _cumulated() if place < share)
        differs = verdict in ("mismatch", "stale")
        paths = [_path((number * 3 + i * 7) % PATHS) for i in range(1 + number % 3)] * differs
        keys = tuple(dict.fromkeys(digest(t) for p in paths for t in (p, f"{p}|changed")))
        document = _document(number, verdict, paths)
        summary = {
            "method": "GET", "target": f"/shop/part/{number}/items?page=2",
            "legacy_status": 200, "new_status": 0 if verdict == "new_failed" else 200,
            "legacy_ms": 21.5, "new_ms": 9.25, "reason": "", "differences": len(paths),
            "paths": paths,
        }  # fmt: skip
        found.append((verdict, f"s{number:03}", keys, json.dumps(summary), document))
    return found


def _cumulated() -> list[tuple[str, int]]:
    total, found = 0, []
    for name, share in _VERDICTS:
        total += share
        found.append((name, total))
    return found


def _document(number: int, verdict: str, paths: list[str]) -> str:
    def body(side: str) -> str:
        items = [
            {"id": i, "name": f"item {i}", "price": 9.5 + i, f"field_{number % PATHS}": side}
            for i in range(6)
        ]
        return json.dumps({"items": items, "page": 2})

    kind = {"headers": [["Content-Type", "application/json"]], "body_kind": "text"}
    failed = {"status": 0, "failure": "connect", "elapsed_ms": 9.25}
    new = {"status": 200, **kind, "body": body("new"), "elapsed_ms": 9.25}
    pair = ExampleIn.model_validate(
        {
            "id": "@id", "at_ms": 0, "verdict": verdict, "signature": f"s{number:03}",
            "served": "legacy", "revision": 2,
            "request": {"method": "GET", "target": f"/shop/part/{number}/items?page=2",
                        "headers": [["Host", "shop.example"], ["Accept", "application/json"]]},
            "legacy": {"status": 200, **kind, "body": body("legacy"), "elapsed_ms": 21.5},
            "new": failed if verdict == "new_failed" else new,
            "differences": [
                {"path": p, "kind": "changed", "exact": p.replace("*", "0"), "legacy": "legacy",
                 "new": "new", "proposed": {"kind": "ignore", "target": p}}
                for p in paths
            ],
        }
    )  # fmt: skip
    return json.dumps(pair.model_dump(mode="json"))


def _spread(size: Size) -> Iterator[tuple[int, int, int]]:
    """Pairs in the order of arrival, with routes mixed: number, route, kind."""
    left = [[n, many, 0] for n, many in _shares(size)]
    number = 0
    while left:
        for entry in left:
            number += 1
            entry[1] -= 1
            entry[2] += 1
            yield number, entry[0], (entry[2] * 7 + entry[0]) % SIGNATURES
        left = [entry for entry in left if entry[1] > 0]


def _examples(size: Size, now: int) -> Iterator[tuple[Any, ...]]:
    kinds = _kinds()
    for number, n, kind in _spread(size):
        verdict, signature, _, summary, document = kinds[kind]
        at = now - 10 * DAY_MS + int(number / size.comparisons * 10 * DAY_MS)
        name = f"pair-{number:08}"
        text = document.replace("@id", name, 1)
        yield (
            number, name, at, at, route_id(n), WINDOW, 2, "p1", verdict, signature, "legacy",
            len(text), summary, text,
        )  # fmt: skip


def _places(size: Size) -> Iterator[tuple[Any, ...]]:
    kinds = _kinds()
    for number, _, kind in _spread(size):
        for key in kinds[kind][2]:
            yield number, key


# -- bulk --------------------------------------------------------------------------------------


async def _to_sqlite(url: str, size: Size) -> dict[str, int]:
    def write() -> dict[str, int]:
        database = sqlite3.connect(make_url(url).database or "", isolation_level=None)
        for pragma in ("synchronous=OFF", "cache_size=-400000", "wal_autocheckpoint=0"):
            database.execute(f"PRAGMA {pragma}")
        found = {}
        for table, rows in _tables(size):
            names = [f'"{column.name}"' for column in table.__table__.columns]
            into = f"INSERT INTO {table.__tablename__} ({','.join(names)})"
            database.execute("BEGIN")
            done = database.executemany(f"{into} VALUES ({','.join('?' * len(names))})", rows)
            found[table.__tablename__] = done.rowcount
            database.execute("COMMIT")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return found

    return await asyncio.to_thread(write)


async def _to_postgres(url: str, size: Size) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    found = {}
    try:
        for table, rows in _tables(size):
            columns = [column.name for column in table.__table__.columns]
            said = await connection.copy_records_to_table(
                table.__tablename__, records=rows, columns=columns, timeout=1_800
            )
            found[table.__tablename__] = int(said.split()[-1])
        await connection.execute(
            "SELECT setval(pg_get_serial_sequence('compared_examples', 'number'), $1::bigint)",
            size.comparisons,
        )
        await connection.execute("ANALYZE", timeout=600)
    finally:
        await connection.close()
    return found
