"""The feed: in order, to the end, all of a page or nothing, and anew when legacy begins anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from new_services.functions.feed import service
from new_services.functions.vendor import events, storage


def _user(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "email": f"{name}@example.com", "name": name}


class _Outbox:
    """A scripted outbox on a real socket, three events a page."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        outbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                after = int(self.path.partition("after=")[2].partition("&")[0])
                body = json.dumps(outbox.page(after)).encode()
                self.send_response(outbox.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self, after: int) -> dict[str, Any]:
        shown = list(enumerate(self.events, 1))[after : after + 3]
        return {
            "events": [{"sequence": n, "type": t, "at": "", "data": d} for n, (t, d) in shown],
            "last_sequence": len(self.events),
            "more": after + 3 < len(self.events),
        }


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Outbox]:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    storage.connect.cache_clear()
    outbox = _Outbox()
    yield outbox
    outbox.server.shutdown()
    outbox.server.server_close()
    storage.connect().close()
    storage.connect.cache_clear()


def _names() -> list[str]:
    return [u["name"] for u in storage.documents("SELECT document FROM users ORDER BY id")]


def test_reads_every_page_and_only_what_is_new(outbox: _Outbox) -> None:
    outbox.events = [("user.created", _user(n, f"u{n}")) for n in range(1, 8)]
    assert service.catch_up(outbox.url) == 7
    outbox.events += [("user.updated", _user(2, "changed")), ("comet.seen", {"tail": True})]
    assert service.catch_up(outbox.url) == 2
    assert service.catch_up(outbox.url) == 0
    assert _names() == ["u1", "changed", "u3", "u4", "u5", "u6", "u7"]


def test_a_page_that_breaks_in_the_middle_leaves_nothing_behind(outbox: _Outbox) -> None:
    outbox.events = [("user.created", _user(1, "good")), ("user.created", {"id": 2})]
    with pytest.raises(KeyError):
        service.catch_up(outbox.url)
    assert (_names(), storage.cursor()) == ([], 0)
    outbox.events[1] = ("user.created", _user(2, "mended"))
    assert service.catch_up(outbox.url) == 2


def test_begins_anew_when_legacy_does(outbox: _Outbox) -> None:
    outbox.events = [("user.created", _user(n, f"u{n}")) for n in range(1, 6)]
    service.catch_up(outbox.url)
    outbox.events = [("user.created", _user(9, "other"))]
    assert service.catch_up(outbox.url) == 1
    assert _names() == ["other"]


def test_an_outbox_that_fails_is_an_error(outbox: _Outbox) -> None:
    outbox.status = 503
    with pytest.raises(events.FeedError, match="503"):
        service.catch_up(outbox.url)
