"""Answers that leave as they come, through our own runtime client."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.serverless.events import make_event
from tests.support.serverless.facade import Sandbox
from tests.support.serverless.platform import Invocation
from tests.support.wire import Message, Peer, RawBackend, table_of

HOST = (b"host", b"shop.example")
GET = make_event("url", "GET", b"/a", [HOST])
WAIT = 10.0


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "proxy.serverless.streaming"]
    sandbox = Sandbox({"FIGWAY_TABLE_MAX_AGE_S": "60"}, table_of(9), command=command)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def backend() -> Iterator[RawBackend]:
    raw = RawBackend()
    yield raw
    raw.stop()


@pytest.fixture
def sandbox(shared: Sandbox, backend: RawBackend) -> Sandbox:
    shared.swap(table_of(backend.port))
    return shared


def parts(result: bytes) -> tuple[dict[str, Any], bytes]:
    head, _, body = result.partition(b"\0" * 8)
    return json.loads(head), body


def test_the_first_event_leaves_while_the_stream_is_open(
    sandbox: Sandbox, backend: RawBackend
) -> None:
    """trap 19: server-sent events work on a function URL."""
    seen = threading.Event()

    def play(peer: Peer, request: Message) -> None:
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nSet-Cookie: a=1\r\n"
            b"Set-Cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        )
        assert seen.wait(WAIT)
        peer.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    backend.play = play
    invocation = sandbox.function.start(GET)
    first = b""
    while b"data: 1" not in first:
        piece = invocation.pieces.get(timeout=WAIT)
        assert piece is not None
        first += piece
    assert not invocation.done.is_set()
    seen.set()
    sandbox.function.finish(invocation)
    head, body = parts(invocation.result)
    assert invocation.streamed
    assert (head["statusCode"], head["cookies"]) == (200, ["a=1", "b=2"])
    assert head["headers"]["Content-Type"] == "text/event-stream"
    assert body == b"data: 1\n\ndata: 2\n\n"


def test_an_answer_over_six_megabytes_goes_through(sandbox: Sandbox, backend: RawBackend) -> None:
    """trap 58: the limit is that of whole answers."""
    content = bytes(range(256)) * 40_000
    backend.play = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    invocation = sandbox.function.start(GET)
    sandbox.function.finish(invocation)
    _, body = parts(invocation.result)
    assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()


def test_an_answer_that_breaks_off_is_told(sandbox: Sandbox, backend: RawBackend) -> None:
    """trap 45: before the head a problem of ours; after it a trailer that the platform reads."""
    backend.play = lambda peer, request: (
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        False,
    )[1]
    invocation = sandbox.function.start(GET)
    sandbox.function.finish(invocation)
    assert invocation.trailers.get("lambda-runtime-function-error-type")
    backend.stop()
    invocation = sandbox.function.start(GET)
    sandbox.function.finish(invocation)
    head, body = parts(invocation.result)
    assert head["statusCode"] == 502
    assert b"backend_unreachable" in body or b"backend_reset" in body


def test_other_events_are_answered_whole(sandbox: Sandbox, backend: RawBackend) -> None:
    for kind in ("http", "alb"):
        answer = sandbox.function.invoke(make_event(kind, "GET", b"/a", [HOST]))
        assert (answer["statusCode"], answer["body"]) == (200, "ok")


def test_a_fault_is_an_error_of_the_invocation(sandbox: Sandbox) -> None:
    """The sandbox lives on."""
    invocation: Invocation = sandbox.function.start("no event of any service")
    with pytest.raises(AssertionError):
        sandbox.function.finish(invocation)
    assert sandbox.function.invoke({"figway": "refresh"})["etag"]
