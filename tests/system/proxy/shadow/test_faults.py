"""What breaks around the shadow, and what the counters say about it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from tests.support.children import children
from tests.support.fleet import Proxy
from tests.support.load import Load, get
from tests.support.shadow_world import Reply, ShadowWorld, same, shadow_world
from tests.support.until import until


async def load(proxy: Proxy, number: int, connections: int = 8) -> None:
    """Ask until so many requests were answered, all with 200."""
    run_of = Load(proxy.facade, lambda n: get(f"/r/{n % 50}", "a"), connections=connections)
    async with run_of as asking:
        await asking.answered(number)
    assert set(run_of.tally.statuses) == {200}
    assert not run_of.tally.lost


async def balanced(w: ShadowWorld, least: int) -> None:
    def done() -> bool:
        return w.batches.captured >= least and w.batches.balanced

    await until(done, f"balanced: {w.batches.captured} {w.batches.settled} {w.batches.dropped}")


async def test_every_capture_is_accounted_for_under_overload(tmp_path: Path) -> None:
    """Offered more than the worker can take: sent = compared + skipped + dropped, to the last one;
    and a stop loses none of it (trap 26).
    """
    async with shadow_world(tmp_path) as w:
        body = json.dumps({"items": [{"id": n, "price": n / 7} for n in range(150)]}).encode()
        w.legacy.script = lambda request: Reply(body)
        w.new.script = lambda request: Reply(body.replace(b"0.1", b"0.2"), delay_s=0.02)
        proxy = await w.start(shadow_queue="50", shadow_concurrency="4", workers="2")
        await load(proxy, 4_000, 16)
        asked = len([request for request in w.legacy.seen if not request.copied])
        assert await proxy.stop() == 0
        batches = w.batches
        assert batches.captured == asked
        assert batches.balanced, (batches.verdicts, batches.dropped)
        assert sum(batches.dropped.values()) > 0
        assert batches.verdicts["mismatch"] > 0
        # no_worker: of the moment before it was up
        reasons = {"backend_busy", "worker_busy", "queue_full", "no_worker", "stopping"}
        assert set(batches.dropped) <= reasons


async def test_a_killed_shadow_worker_loses_what_the_counters_admit(tmp_path: Path) -> None:
    """Killed in the middle, twice: nobody's request notices, and the books balance."""
    async with shadow_world(tmp_path) as w:
        w.new.script = lambda request: Reply(same(request).body, delay_s=0.05)
        proxy = await w.start()
        await load(proxy, 200)
        for _ in range(2):
            asking = asyncio.create_task(load(proxy, 600))
            await asyncio.sleep(0.3)
            (pid,) = await until(
                lambda: children(proxy, "proxy.processes.shadow.worker"), "a shadow worker"
            )
            os.kill(pid, signal.SIGKILL)
            await asking
        await until(
            lambda: children(proxy, "proxy.processes.shadow.worker"), "a shadow worker again"
        )
        before = w.batches.verdicts["match"]
        await load(proxy, 50)
        await until(lambda: w.batches.verdicts["match"] > before, "it compares again")
        asked = len(w.legacy.seen)
        assert await proxy.stop() == 0
        assert w.batches.captured == asked
        assert w.batches.balanced
        assert w.batches.dropped["worker_gone"] > 0
        assert proxy.event("shadow_worker_died") is not None


async def test_a_killed_serving_worker_leaves_balanced_books(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        proxy = await w.start()
        await load(proxy, 300)
        (pid,) = children(proxy, "proxy.processes.worker")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: proxy.event("worker_died"), "died")
        await until(proxy.ready, "ready again")
        await load(proxy, 100)
        assert await proxy.stop() == 0
        assert w.batches.balanced
        assert 100 <= w.batches.captured <= len(w.legacy.seen)


async def test_batches_wait_for_the_control_plane_and_count_once(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        proxy = await w.start()
        w.control.lose_answers = 3
        await load(proxy, 200)
        asked = len(w.legacy.seen)
        await w.settled(asked)
        await until(lambda: w.batches.posts > len(w.batches.found), "sent again")
        w.control.stop()
        await load(proxy, 200)
        await asyncio.sleep(1.0)
        await w.control.start()
        await w.settled(len(w.legacy.seen))
        assert sum(w.batches.dropped.values()) == 0


async def test_a_side_that_suffers_is_left_alone_and_taken_up_again(tmp_path: Path) -> None:
    """trap 28: a pause that is told in the batch and in the log; and a cap on what is at once"""
    suffering = True
    async with shadow_world(tmp_path) as w:

        def new(request: object) -> Reply:
            return Reply(status=503) if suffering else Reply(delay_s=0.01)

        w.legacy.script = lambda request: Reply()
        w.new.script = new
        proxy = await w.start(shadow_concurrency="5")
        await load(proxy, 1_500)
        await until(lambda: proxy.event("shadow_paused"), "paused")

        def paused() -> bool:
            return any(batch["worker"]["paused"] for batch in w.batches.found.values())

        await until(paused, "told")
        asked = len(w.new.seen)
        assert asked < 200
        await load(proxy, 300)
        suffering = False
        for _ in range(40):
            await load(proxy, 100)
            if proxy.event("shadow_resumed"):
                break
            await asyncio.sleep(0.2)
        assert proxy.event("shadow_resumed"), "never resumed"
        await load(proxy, 300)
        assert w.new.most_at_once <= 5
        await balanced(w, len(w.legacy.seen))
        assert w.batches.dropped["paused"] > 0
        assert w.batches.verdicts["match"] > 0
        assert w.batches.verdicts["new_failed"] > 0


async def test_a_hung_side_times_out_and_nobody_waits(tmp_path: Path) -> None:
    """trap 27: every request is answered while every copy hangs; each ends as new_failed or is
    dropped.
    """
    async with shadow_world(tmp_path) as w:
        w.new.script = lambda request: Reply(hang=True)
        proxy = await w.start(shadow_timeout_s="0.3")
        await load(proxy, 1_000)
        await balanced(w, len(w.legacy.seen))
        assert w.batches.verdicts["new_failed"] > 0
        assert set(w.batches.verdicts) == {"new_failed"}
        errors = [row["errors"]["new"] for row in w.batches.rows]
        assert sum(found.get("timeout", 0) for found in errors) > 0


async def test_refused_connections_and_cut_answers_are_failures_of_that_side(
    tmp_path: Path,
) -> None:
    async with shadow_world(tmp_path) as w:
        w.new.script = lambda request: Reply(cut=True)
        proxy = await w.start()
        for _ in range(3):
            await proxy.get("/r/x")
        await w.settled(3)
        w.new.close()
        for _ in range(3):
            await proxy.get("/r/x")
        batches = await w.settled(6)
        assert batches.verdicts == {"new_failed": 6}
        reasons = {example["reason"] for example in batches.examples}
        assert "connect" in reasons
        assert len(reasons) == 2


async def test_legacy_down_is_told_as_its_failure(tmp_path: Path) -> None:
    async with shadow_world(tmp_path) as w:
        w.legacy.script = lambda request: Reply(cut=True)
        proxy = await w.start()
        assert (await proxy.get("/r/x")).status_code == 502
        batches = await w.settled(1)
        assert batches.verdicts == {"legacy_failed": 1}
