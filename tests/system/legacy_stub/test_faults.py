"""Faults, seen as the bytes and endings that they are on the wire."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.system.legacy_stub.running import running


def _ask(url: str, target: str, *headers: str) -> tuple[bytes, str]:
    """All bytes of an answer, and how it ended: `fin` or `rst`."""
    parsed = httpx.URL(url)
    lines = [f"GET {target} HTTP/1.1", "Host: shop", "Connection: close", *headers, "", ""]
    got = b""
    with socket.create_connection((parsed.host, parsed.port or 80), 10) as wire:
        wire.sendall("\r\n".join(lines).encode())
        try:
            while data := wire.recv(65_536):
                got += data
        except ConnectionResetError:
            return got, "rst"
    return got, "fin"


def _length(answer: bytes) -> tuple[int, int]:
    """Declared and received bytes of the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    declared = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    return int(declared[0].split(b":")[1]), len(body)


def _stats(shop: httpx.Client) -> dict[str, Any]:
    stats: dict[str, Any] = shop.get("/internal/stats").json()
    return stats


def test_a_reset_is_a_reset(shop: httpx.Client, shop_url: str) -> None:
    assert _ask(shop_url, "/api/users/1", "X-Stub-Fault: reset") == (b"", "rst")
    assert "executed" in _stats(shop)
    assert _stats(shop)["executed"] == {}
    got, end = _ask(shop_url, "/api/users/1", "X-Stub-Fault: reset=100")
    assert (_length(got)[1], end) == (100, "rst")
    assert _stats(shop)["faults"] == {"reset": 2}


def test_a_truncated_body_is_shorter_than_declared(shop: httpx.Client, shop_url: str) -> None:
    got, end = _ask(shop_url, "/api/users/1", "X-Stub-Fault: truncate")
    declared, received = _length(got)
    assert (received, end) == (declared // 2, "fin")
    got, end = _ask(shop_url, "/files/sample.bin?size=500000", "X-Stub-Fault: truncate=200000")
    assert (_length(got), end) == ((500_000, 200_000), "fin")
    with pytest.raises(httpx.RemoteProtocolError):
        shop.get("/api/users/1", headers={"X-Stub-Fault": "truncate=10"})


def test_a_hanging_answer_never_comes(shop: httpx.Client, shop_url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        shop.get("/api/users/1", headers={"X-Stub-Fault": "hang"}, timeout=0.2)
    assert _ask(shop_url, "/api/users/1", "X-Stub-Fault: hang=50") == (b"", "fin")
    assert _stats(shop)["executed"] == {}


def test_a_status_and_a_delay(shop: httpx.Client) -> None:
    refused = shop.get("/api/users/1", headers={"X-Stub-Fault": "status=503"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "injected")
    late = shop.get("/api/users/1", headers={"X-Stub-Fault": "delay=120"})
    assert late.status_code == 200
    assert late.elapsed.total_seconds() >= 0.12
    wrong = shop.get("/api/users/1", headers={"X-Stub-Fault": "earthquake"})
    assert wrong.status_code == 422


@pytest.mark.parametrize("fault", ["reset; after", "status=500; after", "hang=20; after"])
def test_a_write_may_be_lost_on_its_way_back(shop: httpx.Client, fault: str) -> None:
    try:
        answer = shop.put(
            "/api/users/40/profile", json={"display_name": "X"}, headers={"X-Stub-Fault": fault}
        )
        assert answer.status_code == 500
    except httpx.TransportError:
        pass
    stats = _stats(shop)
    assert stats["executed"] == {"PUT /api/users/{id}/profile": 1}
    assert stats["writes"] == {"profile.updated": 1}


def test_a_write_that_fails_before_is_not_done(shop: httpx.Client) -> None:
    with pytest.raises(httpx.TransportError):
        shop.put(
            "/api/users/40/profile",
            json={"display_name": "X"},
            headers={"X-Stub-Fault": "reset"},
        )
    stats = _stats(shop)
    assert (stats["received"], stats["executed"], stats["writes"]) == (1, {}, {})


def test_a_delay_after_the_write_keeps_its_answer(shop: httpx.Client) -> None:
    late = shop.get("/api/users/2", headers={"X-Stub-Fault": "delay=60; after"})
    assert late.json()["id"] == 2
    assert late.elapsed.total_seconds() >= 0.06


def test_planned_faults_hit_what_they_name_and_run_out(shop: httpx.Client) -> None:
    plan = {"path": "/api/users/*", "method": "GET", "kind": "status", "value": 502, "times": 2}
    made = shop.post("/internal/faults", json=plan)
    assert made.status_code == 201
    assert made.json()["when"] == "before"
    assert shop.get("/api/catalogue/1").status_code == 200
    assert shop.patch("/api/users/41", json={}).status_code == 200
    assert [shop.get("/api/users/1").status_code for _ in range(3)] == [502, 502, 200]
    shop.post("/internal/faults", json={"path": "/slow", "kind": "status", "times": None})
    assert [shop.get("/slow?ms=0").status_code for _ in range(3)] == [500] * 3
    assert len(shop.get("/internal/faults").json()["items"]) == 1
    assert shop.delete("/internal/faults").status_code == 204
    assert shop.get("/slow?ms=0").status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": "api"}, "path"),
        ({"kind": "fire"}, "kind"),
        ({"value": -1}, "value"),
        ({"kind": "status", "value": 99}, "value"),
        ({"times": 0}, "times"),
        ({"when": "never"}, "when"),
    ],
)
def test_a_wrong_plan_is_refused(shop: httpx.Client, change: dict[str, object], field: str) -> None:
    answer = shop.post("/internal/faults", json={"path": "/x", "kind": "delay", **change})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


def test_after_a_fault_the_shop_serves_on_and_stops_in_silence() -> None:
    with running() as shop:
        for fault in ("reset", "reset=10", "truncate", "hang=10", "status"):
            _ask(shop.url, "/hotels", f"X-Stub-Fault: {fault}")
        assert _ask(shop.url, "/hotels")[0].startswith(b"HTTP/1.1 200")
        assert shop.stop() == 0
