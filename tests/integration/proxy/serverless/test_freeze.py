"""A real process stopped in the middle of its life, and every connection that it kept ended."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from figway.model.codec import table_hash, to_data
from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from tests.support.serverless.cloud import CREDENTIALS
from tests.support.serverless.events import make_event
from tests.support.serverless.platform import Function
from tests.support.wire import Message, Peer, RawBackend, table_of

HOST = (b"host", b"shop.example")
WAIT = 20.0


class Place(RawBackend):
    """A server whose kept connections end while the sandbox is frozen, in one of three ways."""

    def __init__(self, body: bytes, how: str) -> None:
        self.frozen = threading.Event()
        self.over = threading.Event()
        self.connections: set[Peer] = set()
        self._how = how
        head = b"HTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._answer = head + body
        super().__init__(self._play)

    def _play(self, peer: Peer, request: Message) -> bool:
        self.connections.add(peer)
        peer.send(self._answer)
        if self.frozen.is_set():  # and thawed: as usual
            return True
        self.frozen.wait(WAIT)
        if self._how == "silent":  # as if something between had forgotten the connection
            self.over.wait(WAIT)
        elif self._how == "reset":
            linger = struct.pack("ii", 1, 0)
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    def stop(self) -> None:
        self.frozen.set()
        self.over.set()
        super().stop()


def tables(legacy: Place, new: Place) -> Table:
    """One route that is copied, and one that new serves."""
    copied = Route(
        id="copied",
        match=RouteMatch(path="/a"),
        stage=Stage.SHADOW,
        new="new",
        shadow=ShadowPolicy(),
    )
    moved = Route(id="moved", match=RouteMatch(path="/n"), stage=Stage.NEW, new="new")
    return table_of(legacy.port, new.port, copied, moved)


@pytest.fixture(params=["closed", "reset", "silent"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def places(how: str) -> Iterator[dict[str, Place]]:
    legacy, new = Place(b"legacy", how), Place(b"new", how)
    table = tables(legacy, new)
    data = {"revision": 1, "etag": table_hash(table), "table": to_data(table)}
    source = Place(json.dumps(data).encode(), how)
    found = {"legacy": legacy, "new": new, "source": source, "queue": Place(b"{}", how)}
    yield found
    for place in found.values():
        place.stop()


def test_no_request_meets_a_connection_of_before(places: dict[str, Place], how: str) -> None:
    """trap 60: backends, queue and table's source have closed, reset or forgotten what was kept.

    Not even a write fails, which could not be sent again. A forgotten connection says nothing: it
    is only known to be old by the gap in time.
    """
    queue = f"http://127.0.0.1:{places['queue'].port}"
    function = Function(
        {
            **CREDENTIALS,
            "FIGWAY_TABLE_URL": f"http://127.0.0.1:{places['source'].port}/table",
            "FIGWAY_TABLE_MAX_AGE_S": "2",
            "FIGWAY_SHADOW_QUEUE_URL": f"{queue}/1/q",
            "AWS_ENDPOINT_URL_SQS": queue,
            "FIGWAY_REPORT_S": "3600",
            "FIGWAY_SETTLE_MS": "2000",
        }
    )
    read = make_event("http", "GET", b"/a", [HOST])
    writes = [make_event("http", "POST", path, [HOST], b"order") for path in (b"/n", b"/a")]
    try:
        assert function.invoke(writes[0])["body"] == "new"
        assert function.invoke(read)["body"] == "legacy"
        assert {len(place.connections) for place in places.values()} == {1}
        function.freeze()
        for place in places.values():
            place.frozen.set()
        time.sleep(3.5 if how == "silent" else 2.1)  # beyond the table's age, and beyond a freeze
        invocation = function.start(writes[0])
        function.thaw()
        function.finish(invocation)
        assert json.loads(invocation.result)["body"] == "new"
        assert function.invoke(read)["body"] == "legacy"
        assert function.invoke(writes[1])["body"] == "legacy"
    finally:
        function.stop()
    assert {len(place.connections) for place in places.values()} == {2}
    assert len(places["queue"].requests) == 2
    assert [line for line in function.lines if line.get("failure") or line.get("fallback")] == []
    assert [line for line in function.lines if line.get("level") in ("warning", "error")] == []
