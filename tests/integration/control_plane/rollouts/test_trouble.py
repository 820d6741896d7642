"""A rollout in trouble: a restored database, the kill switch, a silent proxy, no traffic."""

from __future__ import annotations

import shutil
from pathlib import Path

from control_plane.db.models import InstanceRow
from figway.rollout.observation import ParityCounts
from tests.support.control import Control, control_plane
from tests.support.rollouts import Heard


async def test_a_restored_older_database_goes_on_from_what_it_says(
    tmp_path: Path, migrated_file: Path
) -> None:
    """State and table are of one moment, as they are written together: the rollout waits for the
    proxies that are ahead, and walks on from the older step."""
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
        ahead = Heard(control)
        ahead._sequence = 100
        await ahead.walk_to("25 %")
        newest = control.services.state.current
    for path in tmp_path.glob("figway.sqlite3*"):  # noqa: ASYNC240
        path.unlink()
    shutil.copy(kept, file)
    async with control_plane(url, rollout_seconds=60) as control:
        again = Heard(control)
        again._sequence = 200
        assert await again.stands() == "5 %"
        await control.ack("p1", newest.revision, newest.etag)
        await again.report()
        await control.services.ticker.round()
        found = await control.get("/rollouts/orders")
        assert (found["waiting_for"], found["stands"]) == ("proxies", "5 %")
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
    heard.evidence.says = ParityCounts()
    await heard.start()
    await heard.proxy()
    await control.services.ticker.round()
    found = await control.get("/rollouts/orders")
    assert found["reasons"][0]["code"] == "data_stale"
    await heard.walk_to("shadow")
    found = await heard.tick()
    assert "none arrive now" in found["reasons"][0]["text"]


async def _seen_ago(control: Control, instance: str, ms: int) -> None:
    from sqlalchemy import update

    async with control.services.database.write() as connection:
        await connection.execute(
            update(InstanceRow)
            .where(InstanceRow.instance == instance)
            .values(seen_ms=InstanceRow.seen_ms - ms)
        )
