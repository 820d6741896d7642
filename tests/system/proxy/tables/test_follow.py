"""A proxy and its control plane: follow, refuse, survive, start without it."""

from __future__ import annotations

from pathlib import Path

from figway.model.codec import from_data, table_hash, to_data
from figway.model.table import Stage, Table
from tests.support.fleet import Proxy, world
from tests.support.until import until


async def test_a_flip_reaches_every_worker_and_is_acknowledged(tmp_path: Path) -> None:
    """Trap 51: each worker says which revision it serves."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        assert await proxy.served_by() == "new"
        whole = w.control.whole
        w.control.publish(w.make_table(Stage.LEGACY))
        await until(lambda: w.control.ack["revision"] == 2, "acknowledged by all workers")
        assert {item["etag"] for item in w.control.ack["workers"]} == {w.control.etag}
        assert len(w.control.ack["workers"]) == 2
        for _ in range(8):
            assert await proxy.served_by() == "legacy"
        assert w.control.whole == whole, "the changes alone were enough"


async def test_the_same_content_under_a_new_number_is_acknowledged(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.proxy()
        w.control.publish(w.control.table)
        await until(lambda: w.control.ack["revision"] == 2, "the new number served")


async def test_a_bad_table_is_refused_with_findings(tmp_path: Path) -> None:
    """Trap 53: the last good table stays, and the proxy says so."""
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        bad = w.make_table(Stage.NEW)
        good = w.control.table
        data = to_data(bad)
        data["routes"][0]["new"] = "nowhere"
        w.control.publish_raw(data, table_hash(from_data(Table, data)))
        refused = await until(lambda: w.control.ack["refused"], "refused")
        assert refused["revision"] == 2
        assert refused["findings"][0]["code"] == "backend_unknown"
        assert refused["findings"][0]["resolution"]
        assert w.control.ack["revision"] == 1
        assert await proxy.served_by() == "new"
        assert await proxy.metric("figway_table_refused") == 1
        w.control.publish(good)
        await until(lambda: w.control.ack["refused"] is None, "accepted again")


async def test_traffic_and_a_cold_start_without_the_control_plane(tmp_path: Path) -> None:
    """Trap 52: neither traffic nor a start needs the control plane."""
    async with world(tmp_path) as w:
        first = await w.proxy()
        await until(lambda: (tmp_path / "table.json").exists(), "table on disk")
        assert (tmp_path / "table.json").stat().st_mode & 0o777 == 0o600
        w.control.stop()
        await until(lambda: first.event("control_plane_lost"), "noticed")
        assert await first.served_by() == "new"
        assert await first.ready()
        assert await first.stop() == 0

        second = await w.proxy()
        assert (await second.table())["source"] == "last_good"
        assert await second.served_by() == "new"

        await w.control.start()
        w.control.publish(w.make_table(Stage.LEGACY))
        await until(lambda: w.control.ack["revision"] == 2, "follows again")
        assert await second.served_by() == "legacy"


async def test_a_damaged_last_good_table_is_put_aside(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.proxy()
        path = tmp_path / "table.json"
        await until(path.exists, "table on disk")
        await first.stop()
        w.control.stop()
        path.write_bytes(path.read_bytes().replace(b"moved", b"mixed"))
        proxy = await w.proxy(ready=False)
        await until(lambda: proxy.event("last_good_corrupt"), "reported")
        assert (tmp_path / "table.corrupt").exists()
        answer = await proxy.get("/")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["type"] == "urn:figway:problem:no_table"
        assert (await proxy.inside("/live")).status_code == 200
        assert (await proxy.inside("/ready")).status_code == 503
        await w.control.start()
        await until(proxy.ready, "the first table came")
        assert await proxy.served_by() == "new"


async def test_a_state_directory_that_cannot_be_written_is_said_and_survived(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("not a directory")
    async with world(tmp_path / "file" / "state") as w:
        proxy = await w.proxy()
        await until(lambda: proxy.event("last_good_not_kept"), "reported")
        assert await proxy.served_by() == "new"
        assert await proxy.metric("figway_table_kept") == 0
        await until(lambda: w.control.ack["store_error"], "in the acknowledgement")


async def test_day_0_needs_only_the_address_of_legacy(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = Proxy(tmp_path, legacy_url=w.legacy.url)
        w.proxies.append(proxy)
        await proxy.start()
        assert await proxy.served_by() == "legacy"
        assert (await proxy.table())["source"] == "day_0"
