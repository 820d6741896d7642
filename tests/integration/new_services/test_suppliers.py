"""The poller of supplier prices: only what has changed, and less often while the supplier fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from new_services.functions.suppliers import handlers
from new_services.functions.vendor import storage


class _Supplier:
    """A scripted supplier on a real socket."""

    def __init__(self) -> None:
        self.etag, self.amount, self.status = '"1"', "10.00", 200
        self.retry_after = ""
        self.asked: list[str | None] = []
        supplier = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                supplier.asked.append(self.headers["if-none-match"])
                known = self.headers["if-none-match"] == supplier.etag
                status = 304 if supplier.status == 200 and known else supplier.status
                price = {"amount": supplier.amount, "currency": "EUR"}
                body = json.dumps({"prices": [{"hotel_id": 1, "price": price}]}).encode()
                body = body if status == 200 else b""
                self.send_response(status)
                self.send_header("ETag", supplier.etag)
                if supplier.retry_after:
                    self.send_header("Retry-After", supplier.retry_after)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class _Clock:
    now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(handlers, "time", clock)
    return clock


@pytest.fixture
def supplier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Supplier]:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for cached in (storage.connect, storage.ensure):
        cached.cache_clear()
    supplier = _Supplier()
    monkeypatch.setenv("SUPPLIER_URL", f"http://127.0.0.1:{supplier.server.server_port}")
    yield supplier
    supplier.server.shutdown()
    supplier.server.server_close()
    storage.connect().close()
    for cached in (storage.connect, storage.ensure):
        cached.cache_clear()


def _poll() -> dict[str, Any]:
    return handlers.poll({}, None)


def _price() -> str:
    kept = storage.document("SELECT document FROM supplier_prices WHERE hotel_id = 1")
    assert kept is not None
    amount: str = kept["price"]["amount"]
    return amount


def test_an_unchanged_list_is_not_sent_again(supplier: _Supplier, clock: _Clock) -> None:
    assert [_poll()["result"] for _ in range(2)] == ["changed", "unchanged"]
    assert supplier.asked == [None, '"1"']
    supplier.etag, supplier.amount = '"2"', "11.00"
    assert (_poll()["result"], _price()) == ("changed", "11.00")


def test_a_supplier_that_fails_is_asked_ever_less_often(supplier: _Supplier, clock: _Clock) -> None:
    supplier.status = 500
    pauses = []
    for _ in range(10):
        told = _poll()
        assert told["result"] == "failed"
        pauses.append(told["pause"])
        asked = len(supplier.asked)
        clock.now += told["pause"] - 0.5
        assert _poll()["result"] == "waiting"
        assert len(supplier.asked) == asked
        clock.now += 1
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    supplier.status = 200
    assert _poll() == {"result": "changed", "prices": 1, "failures": 0}


def test_retry_after_is_kept(supplier: _Supplier, clock: _Clock) -> None:
    supplier.status, supplier.retry_after = 429, "30"
    assert _poll()["pause"] == 30
    supplier.retry_after = "Wed, 21 Oct 2026 07:28:00 GMT"
    clock.now += 31
    assert _poll()["pause"] == 4


def test_a_supplier_that_is_away_counts_as_failed(
    supplier: _Supplier, clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPPLIER_URL", "http://127.0.0.1:1")
    assert _poll()["status"] == 0
