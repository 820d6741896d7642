"""A rollout in trouble: a restored database, the kill switch, a silent proxy, no traffic."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control_plane.db.models import InstanceRow
from figway.rollout.observation import ParityCounts
from tests.support import postgres
from tests.support.control import Control, control_plane
from tests.support.databases import CopyOf
from tests.support.rollouts import Heard, set_clock


async def test_a_restored_older_database_goes_on_from_what_it_says(
    migrated_url: str, copy_of: CopyOf
) -> None:
    """State and table are of one moment, as they are written together: the rollout waits for the
    proxies that are ahead, and walks on from the older step."""
    async with control_plane(migrated_url, rollout_seconds=60) as control:
        await control.seed()
        heard = Heard(control)
        await heard.start()
        await heard.walk_to("5 %")
    with copy_of(migrated_url) as kept:
        async with control_plane(migrated_url, rollout_seconds=60) as control:
            ahead = Heard(control)
            ahead._sequence = 100
            await ahead.walk_to("25 %")
            newest = control.services.state.current
        async with control_plane(kept, rollout_seconds=60) as control:
            again = Heard(control)
            again._sequence = 200
            assert await again.stands() == "5 %"
            await control.ack("p1", newest.revision, newest.etag)
            await again.report()
            await control.services.ticker.round()
            found = await control.get("/rollouts/orders")
            assert (found["waiting_for"], found["stands"]) == ("proxies", "5 %")
            await again.walk_to("25 %")


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL of its own."""
    with postgres.stoppable() as found:
        yield found


@pytest.mark.postgres
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_database_that_is_restored_under_it_is_nobodys_flip(
    server: postgres.Server,
) -> None:
    """A server that comes back with an older state, under a control plane that goes on: its table
    in memory is ahead of the rollout. The rollout walks on from the older step."""
    async with control_plane(server.url, rollout_seconds=60) as control:
        await control.seed()
        heard = Heard(control)
        await heard.start()
        await heard.walk_to("5 %")
        await _stopped(server, control, server.copy)
        await heard.walk_to("25 %")
        await _stopped(server, control, server.restore)
        await control.services.ticker.round()
        found = await control.get("/rollouts/orders")
        assert found["phase"] in ("running", "waiting"), found["reasons"]
        assert (found["stands"], await heard.stands()) == ("5 %", "5 %")
        await heard.walk_to("25 %")
    gc.collect()  # what asyncpg leaves of connections that a server broke: here, in no other test


async def _stopped(
    server: postgres.Server, control: Control, meanwhile: Callable[[], None]
) -> None:
    for work in (server.stop, meanwhile, server.start):
        await asyncio.to_thread(work)
    await control.services.database.engine.dispose()


async def test_a_file_that_is_replaced_under_it_holds_and_says_so(
    tmp_path: Path, migrated_file: Path
) -> None:
    """SQLite goes on in a file that nobody sees any more: nothing moves there, and the next start
    goes on from what was put in its place."""
    file, kept = tmp_path / "figway.sqlite3", tmp_path / "kept.sqlite3"
    shutil.copy(migrated_file, file)
    url = f"sqlite:///{file}"
    async with control_plane(url, rollout_seconds=60) as control:
        await control.seed()
        heard = Heard(control)
        await heard.start()
        await heard.walk_to("5 %")
    shutil.copy(file, kept)
    async with control_plane(url, rollout_seconds=60) as control:
        heard = Heard(control)
        heard._sequence = 100
        await heard.proxy()
        await heard.report()
        for path in tmp_path.glob("figway.sqlite3*"):  # noqa: ASYNC240
            path.unlink()
        shutil.copy(kept, file)
        await control.services.ticker.round()
        assert "was deleted or replaced" in control.services.ticker.failing["orders"]
        assert control.services.state.current.table.routes["orders"].weight == 500
    async with control_plane(url, rollout_seconds=60) as control:
        again = Heard(control)
        again._sequence = 200
        await again.walk_to("25 %")


async def test_the_kill_switch_holds_it_and_lets_it_go_on(control: Control) -> None:
    """Nothing moves while all goes to legacy; afterwards it goes on by itself."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    await control.post("/kill", {"on": True, "reason": "test"})
    for _ in range(3):
        found = await heard.tick()
        assert (found["waiting_for"], await heard.stands()) == ("kill", "5 %")
    await control.post("/kill", {"on": False, "reason": "test"})
    await heard.walk_to("25 %")


async def test_a_silent_proxy_holds_it_until_it_is_gone(control: Control) -> None:
    """One that fell silent may still serve users by an older table."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    now = control.services.state.current
    await control.ack("p2", now.revision, now.etag)
    await _seen_ago(control, "p2", 60_000)
    found = await heard.tick()
    assert (found["waiting_for"], found["reasons"][0]["code"]) == ("proxies", "proxies_silent")
    await _seen_ago(control, "p2", 900_000)
    await heard.tick()
    assert await heard.stands() == "25 %"


async def test_no_traffic_at_all_holds_and_says_so(control: Control) -> None:
    """Nothing was ever compared, and no report came."""
    await control.seed()
    heard = Heard(control)
    heard.evidence.says = ParityCounts(pairs_now_per_s=0.0)
    await heard.start()
    await heard.proxy()
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert found["reasons"][0]["code"] == "data_stale"
    await heard.walk_to("shadow")
    found = await heard.tick()
    assert "none arrive now" in found["reasons"][0]["text"]


async def test_a_refused_table_holds_it_until_it_is_taken(control: Control) -> None:
    """A proxy that refused the move serves users by the table before."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    now = control.services.state.current
    refused = {"revision": now.revision, "etag": now.etag, "findings": []}
    await control.ack("p2", now.revision - 1, "before", refused=refused)
    found = await heard.tick()
    assert found["reasons"][0]["text"] == "1 of 2 proxies refused the table"
    assert (found["waiting_for"], await heard.stands()) == ("proxies", "5 %")
    await control.ack("p2", now.revision, now.etag)
    await heard.tick()
    assert await heard.stands() == "25 %"


async def test_a_backend_that_a_proxy_cannot_open_holds_it(control: Control) -> None:
    """The proxy serves the newest table, but without new: nothing is learnt from its users. That
    of another route is no matter."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    now = control.services.state.current
    part = {"kind": "backend", "id": "fn", "code": "ca_file", "text": "ca.pem is not there"}
    await control.ack("p2", now.revision, now.etag, quarantine=[part])
    for _ in range(3):
        found = await heard.tick()
        assert (found["waiting_for"], await heard.stands()) == ("proxies", "5 %")
    assert found["reasons"][0]["text"] == "p2 leaves out backend fn: ca.pem is not there"
    other = {**part, "id": "other"}
    await control.ack("p2", now.revision, now.etag, quarantine=[other])
    await heard.tick()
    assert await heard.stands() == "25 %"


async def test_what_new_was_not_asked_for_is_no_failure_of_new(control: Control) -> None:
    """B1: one proxy cannot open new and serves from legacy. That holds the walk there, and takes no
    user back."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    now = control.services.state.current
    part = {"kind": "backend", "id": "fn", "code": "secret", "text": "env:X is not set"}
    await control.ack("p2", now.revision, now.etag, quarantine=[part])
    for _ in range(3):
        found = await heard.tick(failed=400, why="quarantine")
        assert (found["waiting_for"], await heard.stands()) == ("proxies", "5 %")
    assert found["reasons"][0]["code"] == "proxies_quarantine"


async def test_a_clock_that_jumps_is_no_hold(control: Control) -> None:
    """A day forward: of an hour's hold two minutes count. A day back: it goes on by itself, and
    nothing is lost."""
    await control.seed()
    heard = Heard(control)
    steps = [{"stage": "shadow"}, {"weight": "5%", "hold": "1h"}, {"weight": "25%"}]
    await heard.start(steps=steps)
    await heard.walk_to("5 %")
    await heard.tick()
    day = 24 * 3_600_000
    for jump in (day, 0, -day, 0):
        with pytest.MonkeyPatch.context() as patch:
            set_clock(patch, jump)
            found = await heard.tick()
            assert (found["waiting_for"], found["stands"]) == ("hold", "5 %"), jump
            assert found["held_ms"] <= 4 * 120_000
    for minute in range(1, 80):
        with pytest.MonkeyPatch.context() as patch:
            set_clock(patch, minute * 60_000)
            await heard.tick()
            if await heard.stands() == "25 %":
                break
    assert await heard.stands() == "25 %"
    assert minute > 40


async def test_traffic_that_stops_holds_and_goes_on_when_it_comes_back(control: Control) -> None:
    """Reports came, then none: it says how old the newest is, whatever is proven."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, 600_000)
        await heard.proxy()
        await control.services.ticker.round()
        found = await control.get("/rollouts/orders")
        assert (found["waiting_for"], found["stands"]) == ("data", "5 %")
        assert "the newest report is about" in found["reasons"][0]["text"]
        await heard.tick()
        assert await heard.stands() == "25 %"


async def test_reports_of_a_clock_that_was_ahead_are_not_fresh(control: Control) -> None:
    """The clock was a day ahead while the last reports came, and is right again: that nothing comes
    any more is seen at once, and not in a day. With the next report it goes on."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    await heard.walk_to("5 %")
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, 24 * 3_600_000)
        await heard.report()
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, 120_000)
        await heard.proxy()
        await control.services.ticker.round()
        found = await control.get("/rollouts/orders")
        assert (found["waiting_for"], found["reasons"][0]["code"]) == ("data", "data_stale")
        await heard.tick()
        assert await heard.stands() == "25 %"


async def _seen_ago(control: Control, instance: str, ms: int) -> None:
    from sqlalchemy import update

    async with control.services.database.write() as connection:
        await connection.execute(
            update(InstanceRow)
            .where(InstanceRow.instance == instance)
            .values(seen_ms=InstanceRow.seen_ms - ms)
        )
