"""What a proxy tells: metrics over all workers, log lines, reports, breakers."""

from __future__ import annotations

from pathlib import Path

from tests.integration.proxy.fleet import run, until, world


def test_metrics_are_summed_over_the_workers(tmp_path: Path) -> None:
    async def talk() -> None:
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

    run(talk())


def test_a_report_whose_answer_is_lost_is_repeated_as_it_was(tmp_path: Path) -> None:
    async def talk() -> None:
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

    run(talk())


def test_a_breaker_that_opens_is_told(tmp_path: Path) -> None:
    """Trap 50: what one worker learns is visible to all."""

    async def talk() -> None:
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

    run(talk())


def test_the_private_listener_answers_nothing_else(tmp_path: Path) -> None:
    async def talk() -> None:
        async with world(tmp_path) as w:
            proxy = await w.proxy()
            assert (await proxy.inside("/")).status_code == 404
            assert (await proxy.get("/metrics")).text == "legacy", "trap 11: the facade's own"

    run(talk())
