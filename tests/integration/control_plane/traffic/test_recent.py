"""Lists of many routes read little: what was written or read once is kept, while it still holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, insert

from control_plane.auth.keys import generate
from control_plane.clock import now_ms
from control_plane.db.models import TrafficRow
from control_plane.traffic import service, store
from control_plane.traffic.recent import Bucket, Recent
from control_plane.traffic.sums import Sums, quantiles_ms
from figway.evidence.histogram import Histogram, bucket_of
from tests.support.control import Control, control_plane
from tests.support.counting import statements

ROUTES = 30


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Summaries are not remembered, but what they are made of is."""
    monkeypatch.setattr(service, "_CACHE_MS", -1)


def _report(sequence: int, *, boot: str = "b1", routes: int = ROUTES, **more: Any) -> Any:
    now = now_ms()
    series = [
        {"route": f"r{n}", "side": side, "backend": side, "requests": 2, "statuses": {"2xx": 2},
         "latency": {bucket_of(5_000): 2}}
        for n in range(routes) for side in ("legacy", "new")
    ]  # fmt: skip
    return {"instance": "p1", "boot": boot, "sequence": sequence, "from_ms": now - 2_000,
            "to_ms": now, "series": series, **more}  # fmt: skip


async def _whole(control: Control, minutes: int = 5) -> tuple[int, int]:
    """Requests of everything together, and of the routes added up."""
    routes = (await control.services.traffic.summary(minutes)).routes
    added = [
        side.requests
        for name, row in routes.items()
        if name != "*"
        for side in (row.legacy, row.new)
        if side is not None
    ]
    whole = routes["*"]
    assert whole.legacy is not None
    assert whole.new is not None
    return whole.legacy.requests + whole.new.requests, sum(added)


async def test_a_summary_reads_only_stamps_of_what_it_knows(control: Control) -> None:
    await control.post("/reports", _report(1))
    assert await _whole(control) == (120, 120)
    with statements(control.services.database, "FROM traffic") as asked:
        assert await _whole(control) == (120, 120)
    assert len(asked) == 1, "of a known bucket more was read than its stamp"


async def test_a_report_is_added_to_what_is_known(control: Control) -> None:
    await control.post("/reports", _report(1))
    with statements(control.services.database, "FROM traffic") as asked:
        for sequence in range(2, 6):
            await control.post("/reports", _report(sequence))
    # One stamp for each of the three buckets; a bucket that a clock began meanwhile is new.
    assert len(asked) == 3 * 4
    assert await _whole(control) == (600, 600)


async def test_what_another_control_plane_adds_is_seen(database_url: str) -> None:
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):
        for turn in range(1, 4):
            await one.post("/reports", _report(turn, boot="one"))
            assert await _whole(two) == (turn * 240 - 120, turn * 240 - 120)
            await two.post("/reports", _report(turn, boot="two"))
            for control in (one, two):
                assert await _whole(control) == (turn * 240, turn * 240)
    async with control_plane(database_url, key=key) as again:
        assert await _whole(again) == (720, 720), "a restart counts otherwise"


async def test_reports_at_once_at_two_control_planes(database_url: str) -> None:
    """What is kept beside the database is never written over what another has written."""
    key = str(generate())
    async with (
        control_plane(database_url, key=key) as one,
        control_plane(database_url, key=key) as two,
    ):

        async def some(control: Control, boot: str) -> None:
            for sequence in range(8):
                await control.post("/reports", _report(sequence, boot=boot, routes=3))
                await control.services.traffic.summary(5)

        await asyncio.gather(*(some(c, f"b{n}") for n, c in enumerate((one, two, one, two))))
        for control in (one, two):
            assert await _whole(control) == (32 * 12, 32 * 12)
            assert await _whole(control, 60) == (32 * 12, 32 * 12)


async def test_a_report_that_fails_leaves_nothing_known(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    await control.post("/reports", _report(1))

    async def fails(*_: Any) -> None:
        raise OSError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(store, "add_events", fails)
        assert (await control.post("/reports", _report(2))).status_code == 503
    assert await _whole(control) == (120, 120)
    assert (await control.post("/reports", _report(2))).json()["accepted"]
    assert await _whole(control) == (240, 240)


async def test_long_times_are_read_from_coarse_buckets(control: Control) -> None:
    database = control.services.database
    now = now_ms()
    first = now - now % 600_000 - 20 * 3_600_000
    empty = Sums(requests=1, counts={"statuses": {"2xx": 1}}, latency={70: 1}).columns()
    minutes = [
        {"step_s": 60, "bucket_ms": at, "route": "r0", "side": "new", "backend": "", **empty}
        for at in range(first, now, 60_000)
    ]
    # Coarse buckets began with a release, in the middle of the ninth hour.
    begun = first + 8 * 3_600_000 + 1_800_000
    ten = empty | {"requests": 10}
    coarse = [
        {"step_s": 600, "bucket_ms": at, "route": "r0", "side": "new", "backend": "", **ten}
        for at in range(begun, now, 600_000)
    ]
    coarse[0]["requests"] = 3  # of its ten minutes only three were counted
    async with database.write() as connection:
        await connection.execute(insert(TrafficRow), minutes + coarse)
    whole = len(minutes)
    traffic = control.services.traffic
    for step in (60, 600, 3_600, 900):
        found = await traffic.series("r0", first, now, step)
        assert found.total.new is not None
        assert found.total.new.requests == whole, step
        assert sum(point.new.requests for point in found.points if point.new) == whole
        sides = await traffic.requests("r0", first - first % (step * 1_000), now, step)
        assert sum(found["new"] for found in sides.values()) == whole, step
    cut = await traffic.series("r0", first, first + 12 * 3_600_000 + 180_000, 600)
    assert cut.total.new is not None
    assert cut.total.new.requests == 12 * 60 + 3, "more than was asked for"
    async with database.write() as connection:
        await connection.execute(
            delete(TrafficRow).where(TrafficRow.step_s == 60, TrafficRow.bucket_ms > begun)
        )
    sides = await traffic.requests("r0", first, now, 600)
    assert sum(found["new"] for found in sides.values()) >= whole - 30, "minutes were read"


def test_what_is_kept_is_bounded() -> None:
    recent = Recent(most_rows=100)
    for number in range(20):
        rows = {(f"r{n}", "new", ""): Sums() for n in range(30)}
        recent.put((60, number), Bucket(((number,),), rows))
        assert recent.rows <= 100
    assert recent.get((60, 0), ((0,),)) is None
    assert recent.get((60, 19), ((19,),)) is not None
    assert recent.get((60, 19), ((18,),)) is None, "another stamp, another bucket"
    recent.advance((60, 19), ((7,),), ((8,),), {})
    assert recent.get((60, 19), ((19,),)) is None, "it was written over by somebody else"
    recent.advance((60, 30), ((1,),), ((2,),), {("r", "new", ""): Sums()})
    assert recent.get((60, 30), ((2,),)) is None, "only a part of it is known"
    recent.advance((60, 31), (), ((1,),), {("r", "new", ""): Sums()})
    assert recent.get((60, 31), ((1,),)) is not None


def test_quantiles_are_those_of_the_histogram() -> None:
    for counts in ({5: 1}, {70: 10, 90: 1, 3: 4}, {n: n % 7 + 1 for n in range(40, 140)}):
        expected = [Histogram(counts).quantile(share) for share in (0.5, 0.95, 0.99)]
        assert quantiles_ms(counts, (0.5, 0.95, 0.99)) == [
            round((value or 0) / 1_000, 3) for value in expected
        ]
    assert quantiles_ms({}, (0.5,)) == [None]
