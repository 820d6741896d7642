"""The sample of decisions: nothing while nobody watches, little while somebody does, no secrets."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.loop.record import RequestRecord
from proxy.telemetry import decisions
from proxy.telemetry.decisions import PER_S, DecisionOutbox, DecisionSample
from proxy.telemetry.recorder import WorkerRecorder


def record(route: str = "orders", target: bytes = b"/orders/7?token=s3cret") -> RequestRecord:
    made = RequestRecord()
    made.route, made.method, made.target = route, "GET", target
    made.client, made.host = "192.0.2.7", b"shop.example"
    made.side, made.why, made.bucket, made.status = "new", "weight", 17, 200
    return made


def test_nothing_is_kept_while_nobody_watches() -> None:
    recorder = WorkerRecorder(None)
    for _ in range(100):
        recorder.record(record())
    assert recorder.decisions.take() == []
    assert recorder.series.found["orders", "new", ""].requests == 100


def test_a_watched_route_shows_a_few_a_second() -> None:
    recorder = WorkerRecorder(None)
    recorder.decisions.watch(["orders"], 15_000)
    for _ in range(2):
        for _ in range(100):
            recorder.record(record())
            recorder.record(record("search"))
        found = recorder.decisions.take()
        assert [entry["route"] for entry in found] == ["orders"] * PER_S
    (one, *_) = found
    assert (one["side"], one["why"], one["bucket"], one["status"]) == ("new", "weight", 17, 200)


def test_hearing_again_does_not_renew_the_allowance() -> None:
    sample = DecisionSample()
    for _ in range(10):
        sample.watch(["orders"], 15_000)
        sample.offer(record())
    assert len(sample.take()) == PER_S


def test_all_routes_can_be_watched() -> None:
    sample = DecisionSample()
    sample.watch(["*"], 15_000)
    for route in ("orders", "-", "search"):
        sample.offer(record(route))
    assert [entry["route"] for entry in sample.take()] == ["orders", "-", "search"]


def test_watching_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("proxy.telemetry.decisions.time.monotonic", lambda: now)
    sample = DecisionSample()
    sample.watch(["orders"], 15_000)
    now += 16
    sample.offer(record())
    assert len(sample.take()) == 1
    assert sample.left == {}
    sample.watch([f"r{number}" for number in range(1_000)], 10**9)
    assert len(sample.left) == decisions.MOST_ROUTES
    now += 61
    sample.take()
    assert sample.left == {}


def test_no_secret_leaves_the_proxy() -> None:
    """trap 35"""
    sample, outbox = DecisionSample(), DecisionOutbox()
    sample.watch(["orders"], 15_000)
    sample.offer(record())
    token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
    sample.offer(record(target=b"/orders/" + token + b"/x"))
    outbox.add(3, sample.take())
    text = str(found := outbox.take())
    assert [entry["worker"] for entry in found] == [3, 3]
    assert found[0]["path"] == "/orders/7"
    for secret in ("s3cret", "192.0.2.7", "shop.example", token.decode()[:20]):
        assert secret not in text
    assert "[hidden:" in found[1]["path"]


def test_the_outbox_is_bounded() -> None:
    outbox = DecisionOutbox()
    entry: dict[str, Any] = {"path": "/" + "x" * 5_000, "at_ms": 0}
    for number in range(1_000):
        outbox.add(0, [{**entry, "at_ms": number}])
    found = outbox.take()
    assert [item["at_ms"] for item in found] == list(range(600, 1_000))
    assert max(len(item["path"]) for item in found) == decisions.MAX_PATH
    assert outbox.take() == []
