"""Routes that become messages and executions, seen from the wire, through every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, RedisStream, WorkflowMode
from figway.model.codec import canonical
from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.suites.conformance.conftest import Open
from tests.support.fake_redis import ADDED, FakeRedis
from tests.support.wire import Facade, RawBackend, table_of

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:bookings"
JSON = b"Content-Type: application/json"


def reply(payload: Any, status: bytes = b"200 OK") -> bytes:
    body = json.dumps(payload).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


QUEUED = reply({"MessageId": "m-1"})


def handed(legacy: RawBackend, new: RawBackend, kind: BackendKind, **aws: Any) -> Table:
    """A table whose POST /exports/{what} is handed to what plays AWS."""
    endpoint = f"http://127.0.0.1:{new.port}"
    resource = MACHINE if kind is BackendKind.WORKFLOW else f"{endpoint}/123456789012/exports"
    backend = Backend(
        id="handing",
        side=Side.NEW,
        kind=kind,
        endpoint_url=endpoint,
        region="eu-west-1",
        aws=AwsResource(**{"resource": resource, **aws}),
    )
    route = Route(
        id="exports",
        match=RouteMatch(path="/exports/{what}", methods=("POST",)),
        stage=Stage.NEW,
        new="handing",
        fallback=FallbackPolicy(idempotency_key=True),
    )
    table = table_of(legacy.port, 0, route)
    return Table(
        default_backend="legacy",
        backends={**table.backends, "handing": backend},
        routes=table.routes,
    )


@pytest.fixture
def handing(facade_of: Open, legacy: RawBackend, new: RawBackend) -> Callable[..., Facade]:
    def make(kind: BackendKind, **aws: Any) -> Facade:
        return facade_of(handed(legacy, new, kind, **aws))

    return make


def test_a_queue_answers_202_and_says_where(
    handing: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    new.play = QUEUED
    facade = handing(BackendKind.QUEUE, location="/exports/{what}/{id}", retry_after_s=3)
    with facade.connect() as client:
        keyed = b"Idempotency-Key: k-7"
        answer = client.ask(b"POST", b"/exports/pdf?a=%2F", JSON, keyed, body=b'{"a": 1}')
    assert answer.status == 202
    assert answer.one(b"location") == b"/exports/pdf/k-7"
    assert answer.one(b"retry-after") == b"3"
    assert json.loads(answer.body) == {"id": "k-7"}
    message = json.loads(json.loads(new.last.body)["MessageBody"])
    assert (message["method"], message["target"]) == ("POST", "/exports/pdf?a=%2F")
    assert message["body"] == '{"a": 1}'
    assert message["route"]
    assert message["variables"] == {"what": "pdf"}
    assert message["headers"]["host"] == "shop.example"
    assert legacy.requests == []


def test_a_workflow_answers_with_its_result(
    handing: Callable[..., Facade], new: RawBackend
) -> None:
    output = {"statusCode": 201, "headers": {"X-Booking": "7"}, "body": "booked"}
    new.play = reply({"executionArn": "a", "status": "SUCCEEDED", "output": json.dumps(output)})
    with handing(BackendKind.WORKFLOW).connect() as client:
        answer = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
    assert (answer.status, answer.body) == (201, b"booked")
    assert answer.one(b"x-booking") == b"7"


def test_a_workflow_that_fails_is_502_with_the_errors_name(
    handing: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    new.play = reply({"executionArn": "a", "status": "FAILED", "error": "NoRoom", "cause": "x"})
    facade = handing(BackendKind.WORKFLOW)
    with facade.connect() as client:
        answer = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
    assert answer.status == 502
    problem = json.loads(answer.body)
    assert "workflow_failed" in json.dumps(problem)
    assert "NoRoom" in problem["detail"]
    assert legacy.requests == []


def test_a_workflow_that_times_out_is_504(handing: Callable[..., Facade], new: RawBackend) -> None:
    new.play = reply({"executionArn": "a", "status": "TIMED_OUT"})
    with handing(BackendKind.WORKFLOW).connect() as client:
        assert client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}").status == 504


def test_what_was_refused_is_served_by_legacy(
    handing: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """Trap 44: throttled took nothing, so that any method may fall back."""
    new.play = reply({"__type": "ThrottlingException"}, b"400 Bad Request")
    with handing(BackendKind.QUEUE).connect() as client:
        answer = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
    assert (answer.status, answer.body) == (200, b"ok")
    assert legacy.last.body == b"{}"


def test_what_may_have_been_taken_is_not_served_again(
    handing: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """Trap 44."""
    new.play = reply({"__type": "InternalFailure"}, b"500 Internal Server Error")
    with handing(BackendKind.QUEUE).connect() as client:
        answer = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
    assert answer.status == 502
    assert "service_error" in answer.body.decode()
    assert legacy.requests == []
    assert len(new.requests) == 1


def test_a_start_is_named_by_the_key(handing: Callable[..., Facade], new: RawBackend) -> None:
    new.play = reply({"__type": "ExecutionAlreadyExists"}, b"400 Bad Request")
    facade = handing(BackendKind.WORKFLOW, mode=WorkflowMode.START, location="/b/{id}")
    with facade.connect() as client:
        answer = client.ask(b"POST", b"/exports/a", JSON, b'Idempotency-Key: "k"', body=b"{}")
    assert answer.status == 202
    assert answer.one(b"location") == b"/b/k"
    assert json.loads(new.last.body)["name"] == "k"


SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"


def streamed(legacy: RawBackend, redis: FakeRedis) -> Table:
    """A table whose POST /exports/{what} becomes an entry of a stream."""
    table = handed(legacy, legacy, BackendKind.QUEUE)
    backend = Backend(
        id="handing",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        url=f"redis://127.0.0.1:{redis.port}/3",
        aws=AwsResource(location="/exports/{what}/{id}"),
        stream=RedisStream(name="exports", password="env:FIGWAY_SECRET_REDIS"),
    )
    return replace(table, backends={**table.backends, "handing": backend})


def test_a_stream_answers_202_and_logs_in_by_reference(
    facade_of: Open, legacy: RawBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is in no table, record or answer; what was refused is served by legacy."""
    monkeypatch.setenv("FIGWAY_SECRET_REDIS", SECRET)
    with FakeRedis(ADDED, b"-OOM command not allowed\r\n", b"-upstream failure\r\n") as redis:
        table = streamed(legacy, redis)
        assert SECRET.encode() not in canonical(table)
        facade = facade_of(table)
        with facade.connect() as client:
            keyed = b"Idempotency-Key: k-7"
            answer = client.ask(b"POST", b"/exports/pdf", JSON, keyed, body=b"{}")
            assert (answer.status, legacy.requests) == (202, [])
            refused = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
            assert (refused.status, refused.body) == (200, b"ok")
            doubtful = client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}")
            assert doubtful.status == 502
    assert len(legacy.requests) == 1
    assert answer.one(b"location") == b"/exports/pdf/k-7"
    assert redis.commands[:2] == [[b"AUTH", SECRET.encode()], [b"SELECT", b"3"]]
    message = json.loads(redis.added[0][-1])
    assert (message["target"], message["variables"]) == ("/exports/pdf", {"what": "pdf"})
    assert message["headers"]["host"] == "shop.example"
    failures = [record.failure for record in facade.records]
    assert failures[1:] == ["service_throttled", "service_error"]
    for record in facade.records:
        assert SECRET not in repr([getattr(record, name) for name in dir(record)])
    assert SECRET.encode() not in answer.head + answer.body + doubtful.head + doubtful.body


def test_a_stream_whose_secret_is_missing_is_left_out(
    facade_of: Open, legacy: RawBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any backend: quarantined by name, and legacy serves."""
    monkeypatch.delenv("FIGWAY_SECRET_REDIS", raising=False)
    with FakeRedis() as redis:
        facade = facade_of(streamed(legacy, redis))
        with facade.connect() as client:
            assert client.ask(b"POST", b"/exports/pdf", JSON, body=b"{}").status == 200
    assert redis.connections == 0
    (row,) = facade.runtime.quarantine.rows()
    assert "FIGWAY_SECRET_REDIS" in str(row)
