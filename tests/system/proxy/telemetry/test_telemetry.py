"""What a proxy tells: metrics over all workers, log lines, reports, breakers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from figway.model.backend import FallbackBudgetPolicy, HealthPolicy, OutlierPolicy
from figway.model.codec import table_hash
from tests.support.fleet import NamedBackend, world
from tests.support.until import until


async def test_metrics_are_summed_over_the_workers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        for _ in range(30):
            await proxy.get("/moved/x")
        for _ in range(12):
            await proxy.get("/other?token=secret")
        assert await proxy.metric("figway_requests_total") == 42
        assert await proxy.metric("figway_response_head_seconds_count") == 42
        text = (await proxy.inside("/metrics")).text
        new = 'figway_requests_total{route="moved",side="new",backend="new",status="2xx"} 30'
        assert new in text
        await until(lambda: len(proxy.lines) == 42, "a log line each")
        line = next(item for item in proxy.lines if item["route"] == "-")
        assert line["target"] == "/other"
        assert line["trace"]
        assert "secret" not in str(proxy.lines)


async def test_a_report_whose_answer_is_lost_is_repeated_as_it_was(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        w.control.fail_reports = 2
        for _ in range(5):
            await proxy.get("/moved/x")
        await until(lambda: len(w.control.reports) >= 3, "repeated")
        first, second, third = w.control.reports[:3]
        assert first == second == third
        for _ in range(5):
            await proxy.get("/moved/x")

        def counted() -> int:
            batches = {item["sequence"]: item for item in w.control.reports}
            return sum(row["requests"] for item in batches.values() for row in item["series"])

        await until(lambda: counted() == 10, "every request counted once")


async def test_a_breaker_that_opens_is_told(tmp_path: Path) -> None:
    """Trap 50: what one worker learns is visible to all."""
    async with world(tmp_path) as w:
        proxy = await w.proxy(workers="1")
        w.new.status = 503
        for _ in range(25):
            assert (await proxy.get("/moved/x")).text == "legacy"
        found = await until(lambda: w.control.ack["breakers"], "in the acknowledgement")
        assert found[0]["route"] == "moved"
        assert found[0]["state"] == "open"
        assert found[0]["worker"] == 0
        await until(
            lambda: any(item["events"] for item in w.control.reports), "event in the report"
        )
        assert await proxy.metric("figway_breaker") == 1
        assert await proxy.metric("figway_fallbacks_total") == 25


async def test_urls_that_are_left_out_are_told(tmp_path: Path) -> None:
    """Trap 50: ejections, health checks and what budgets granted, in metrics and in the fleet."""
    async with world(tmp_path) as w:
        sick, well = w.new, NamedBackend("well")
        await well.start()
        sick.status = 500
        table = w.control.table
        health = HealthPolicy(path="/health", interval_ms=100, unhealthy=2, healthy=1)
        backend = replace(
            table.backends["new"],
            urls=(well.url,),
            outlier=OutlierPolicy(failures=1, eject_ms=60_000),
        )
        w.control.table = replace(table, backends={**table.backends, "new": backend})
        w.control.etag = table_hash(w.control.table)
        proxy = await w.proxy(workers="1")
        statuses = [(await proxy.get("/moved/x")).status_code for _ in range(6)]
        assert statuses.count(500) <= 1
        out = await until(lambda: w.control.ack["out"], "in the acknowledgement")
        at = {key: out[0][key] for key in ("worker", "backend", "member", "state")}
        assert at == {"worker": 0, "backend": "new", "member": sick.url, "state": "ejected"}
        assert out[0]["since_ms"] > 0
        assert await proxy.metric("figway_ejections_total") == 1
        text = (await proxy.inside("/metrics")).text
        assert f'backend="new",member="{sick.url}",state="ejected"}} 1' in text
        assert await proxy.metric("figway_worker_tasks") > 0
        assert await proxy.metric("figway_worker_descriptors") > 0

        checked = replace(backend, health=health)
        w.control.publish(replace(table, backends={**table.backends, "new": checked}))
        await until(
            lambda: [item["state"] for item in w.control.ack["out"]] == ["unhealthy"],
            "the health checks of the backend as it is now",
        )
        assert await proxy.metric("figway_health_checks_total") >= 2
        sick.status = 200
        await until(lambda: not w.control.ack["out"], "well again")
        assert await proxy.metric("figway_member_out") == 0

        def told() -> list[tuple[str, ...]]:
            events = [event for report in w.control.reports for event in report["events"]]
            keys = ("kind", "backend", "member", "from", "to")
            return [tuple(event[key] for key in keys) for event in events]

        def moved(was: str, becomes: str) -> tuple[str, ...]:
            return ("member", "new", sick.url, was, becomes)

        # A table that configures the backend anew forgets what was ejected from the old one.
        ways = {moved("in", "ejected"), moved("unhealthy", "in")}
        await until(lambda: ways <= set(told()), "the events of it")
        well.close()


async def test_what_budgets_grant_and_refuse_is_told(tmp_path: Path) -> None:
    """Trap 46: a spent budget can be seen, not only felt."""
    async with world(tmp_path) as w:
        table = w.control.table
        two = FallbackBudgetPolicy(percent=0, min_per_s=1)
        legacy = replace(table.backends["legacy"], fallback_budget=two)
        w.control.table = replace(table, backends={**table.backends, "legacy": legacy})
        w.control.etag = table_hash(w.control.table)
        w.new.close()
        w.new.status = 503
        proxy = await w.proxy(workers="1")
        statuses = [(await proxy.get("/moved/x")).status_code for _ in range(20)]
        refused = statuses.count(503)
        assert refused > 0
        assert statuses.count(200) == 20 - refused
        rows = await until(
            lambda: [i for i in w.control.ack["budgets"] if i["refused"] == refused],
            "in the acknowledgement",
        )
        assert (rows[0]["backend"], rows[0]["budget"]) == ("legacy", "fallback")
        assert rows[0]["spent"] == 20 - refused
        assert rows[0]["refused_ms"] > 0
        assert await proxy.metric("figway_budget_refused_total") == refused
        assert await proxy.metric("figway_budget_spent_total") == 20 - refused
        assert await proxy.metric("figway_budget_per_second") == 1


async def test_the_private_listener_answers_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        proxy = await w.proxy()
        assert (await proxy.inside("/")).status_code == 404
        assert (await proxy.get("/metrics")).text == "legacy", "trap 11: the facade's own"
