"""What functions as backends do to the proxy function: a name, a record, the fallback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from figway.model.backend import Backend, BackendKind, Timeouts
from figway.model.table import BreakerPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from proxy.loop.record import RequestRecord
from tests.support.serverless.cloud import CREDENTIALS
from tests.support.serverless.events import make_event
from tests.support.serverless.life import HOST, Life, bundle
from tests.support.wire import Message, Peer, RawBackend

BODY = [HOST, (b"content-type", b"application/octet-stream")]


def reply(status: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


ERROR = b"X-Amz-Function-Error: Unhandled"
FAULTS: dict[str, tuple[bytes, str]] = {
    "throttled": (
        reply(b"429 Too Many Requests", b'{"Type":"User","message":"Rate exceeded"}'),
        "throttled",
    ),
    "raised": (reply(b"200 OK", b'{"errorType":"KeyError"}', ERROR), "function_error"),
    "timed out": (
        reply(b"200 OK", b'{"errorType":"Sandbox.Timedout"}', ERROR),
        "function_error",
    ),
    "killed": (
        reply(b"200 OK", b'{"errorType":"Runtime.ExitError"}', ERROR),
        "function_error",
    ),
    "answer too large": (
        reply(b"200 OK", b'{"errorType":"Function.ResponseSizeTooLarge"}', ERROR),
        "too_large",
    ),
    "service": (reply(b"500 Internal Server Error", b"{}"), "function_error"),
    "hung": (b"", "timeout"),
}


class Backends:
    """A legacy over http, and a new side that is a function."""

    def __init__(self) -> None:
        self.legacy, self.new = RawBackend(), RawBackend()

    def table(self, **policy: Any) -> Table:
        backends = {
            "legacy": Backend(
                id="legacy", side=Side.LEGACY, url=f"http://127.0.0.1:{self.legacy.port}"
            ),
            "new": Backend(
                id="new",
                side=Side.NEW,
                kind=BackendKind.LAMBDA,
                function="arn:aws:lambda:eu-west-1:123456789012:function:users:live",
                endpoint_url=f"http://127.0.0.1:{self.new.port}",
                timeouts=Timeouts(head_ms=200),
            ),
        }
        route = Route(id="r", match=RouteMatch(path="/a"), stage=Stage.NEW, new="new", **policy)
        return Table(default_backend="legacy", backends=backends, routes={"r": route})

    def stop(self) -> None:
        self.legacy.stop()
        self.new.stop()


@pytest.fixture
def backends() -> Iterator[Backends]:
    found = Backends()
    yield found
    found.stop()


@pytest.fixture
def life_of(
    live: Callable[..., Life],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[[Table], tuple[Life, list[RequestRecord]]]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)

    def make(table: Table) -> tuple[Life, list[RequestRecord]]:
        life = live(FIGWAY_TABLE_FILE=bundle(tmp_path / "t.json", table), FIGWAY_SANDBOXES="1")
        records: list[RequestRecord] = []
        assert life.sandbox.runtime is not None
        life.sandbox.runtime.recorder = Mock(record=records.append)
        return life, records

    return make


Make = Callable[[Table], tuple[Life, list[RequestRecord]]]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_falls_back_and_a_write_does_not_run_twice(
    life_of: Make, backends: Backends, fault: str
) -> None:
    """trap 44: a name in the record; legacy serves what may be served twice, or never ran."""
    answer, kind = FAULTS[fault]
    go = threading.Event()

    def play(peer: Peer, request: Message) -> Any:
        if answer:
            peer.send(answer)
            return None
        go.wait(2)
        return False

    backends.new.play = play
    life, records = life_of(backends.table())
    read = life.invoke(make_event("url", "GET", b"/a", [HOST]))
    assert (read["statusCode"], read["body"]) == (200, "ok")
    assert (records[0].failure, records[0].fallback) == (kind, kind)
    write = life.invoke(make_event("url", "POST", b"/a", BODY, b"order"))
    refused_unrun = fault == "throttled"
    assert write["statusCode"] == (200 if refused_unrun else 504 if fault == "hung" else 502)
    assert records[1].failure == kind
    assert records[1].no_fallback == ("" if refused_unrun else "unsafe_method")
    assert len(backends.legacy.requests) == 1 + refused_unrun
    go.set()


def test_a_request_over_what_a_function_takes_goes_to_legacy(
    life_of: Make, backends: Backends
) -> None:
    """trap 58: nothing was sent, so any method may; legacy has no such limit."""
    life, records = life_of(backends.table())
    body = b"\xff" * 5_000_000  # base64 makes it more than 6 MB
    answer = life.invoke(make_event("url", "POST", b"/a", BODY, body))
    assert answer["statusCode"] == 200
    assert (records[0].failure, records[0].fallback) == ("too_large", "too_large")
    assert backends.new.requests == []
    assert backends.legacy.last.body == body


def test_a_breaker_lives_across_invocations_and_probes_alone(
    life_of: Make, backends: Backends
) -> None:
    """Open after failures, reported; one sandbox sends one probe at a time, being sequential."""
    backends.new.play = FAULTS["raised"][0]
    policy = BreakerPolicy(min_calls=4, open_ms=200)
    life, records = life_of(backends.table(breaker=policy))
    for _ in range(8):
        life.invoke(make_event("url", "GET", b"/a", [HOST]))
    assert [record.fallback for record in records[4:]] == ["breaker_open"] * 4
    assert len(backends.new.requests) == 4
    assert [event["to"] for event in life.sandbox.reports._events] == ["open"]


def test_the_functions_answer_is_relayed(life_of: Make, backends: Backends) -> None:
    """An alias by ARN, signed, with the trace of the request in its event."""
    payload = json.dumps({"statusCode": 201, "headers": {"x-a": "1"}, "body": "made"}).encode()
    backends.new.play = reply(b"200 OK", payload)
    life, records = life_of(backends.table())
    answer = life.invoke(make_event("alb", "GET", b"/a?b=1", [HOST]))
    assert (answer["statusCode"], answer["body"]) == (201, "made")
    request = backends.new.last
    assert b"?Qualifier=live" in request.line
    assert b"eu-west-1/lambda/aws4_request" in request.one(b"authorization")
    event = json.loads(request.body)
    assert event["rawQueryString"] == "b=1"
    assert event["headers"]["traceparent"].split("-")[1] == records[0].trace_id


def test_a_backend_that_is_a_black_hole_ends_in_time(life_of: Make, backends: Backends) -> None:
    """The invocation's own time ends the wait, whatever the route allows."""
    hole = socket.create_server(("127.0.0.1", 0))
    table = backends.table()
    legacy = Backend(id="legacy", side=Side.LEGACY, url=f"http://127.0.0.1:{hole.getsockname()[1]}")
    life, records = life_of(Table(default_backend="legacy", backends={"legacy": legacy}, routes={}))
    assert table.routes
    answer = life.invoke(make_event("http", "GET", b"/", [HOST]), remaining_ms=400)
    assert answer["statusCode"] == 504
    assert records[0].problem == "deadline"
    with suppress(OSError):
        hole.close()


@pytest.mark.parametrize(
    "event",
    [
        {"raw_path": "/x", "method": "GET", "headers": {"host": "a"}},
        {
            "version": "2.0",
            "path": "/x",
            "method": "GET",
            "headers": {"host": ["a"]},
            "requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice:x"},
        },
    ],
)
def test_http_of_another_service_gets_an_http_answer(
    life_of: Make, backends: Backends, event: dict[str, Any]
) -> None:
    """W25: through the function's own entry; nothing of it reaches a backend."""
    life, _ = life_of(backends.table())
    answer = life.invoke(event)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["type"] == "urn:figway:problem:unknown_event"
    assert backends.legacy.requests == []


def test_a_line_end_in_an_event_is_answered(life_of: Make, backends: Backends) -> None:
    """W25: 400 through the function's own entry, and no field of the sender's making."""
    event = make_event("http", "GET", b"/", [HOST])
    event["cookies"] = ["a=1\r\nX-Evil: 1"]
    life, _ = life_of(backends.table())
    answer = life.invoke(event)
    assert answer["statusCode"] == 400
    assert backends.legacy.requests == []
