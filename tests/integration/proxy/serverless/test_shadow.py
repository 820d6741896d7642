"""Captures from a sandbox to the queue, and from the queue to a verdict."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from figway.model.table import Table
from proxy.serverless.settings import LambdaSettings, load
from proxy.serverless.worker import open_worker
from proxy.shadow.settings import redaction_key
from tests.support.serverless.cloud import CREDENTIALS, Cloud, cloud
from tests.support.serverless.events import make_event
from tests.support.serverless.life import HOST, Life, bundle
from tests.support.serverless.platform import Function
from tests.support.serverless.shadow import Listener, answer, batches_of, shadowed, worker_of
from tests.support.wire import RawBackend

GET = make_event("http", "GET", b"/a", [HOST])


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


@pytest.fixture
def listener() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def make(*arguments: Any) -> Listener:
        made.append(Listener(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def sides() -> Iterator[tuple[RawBackend, RawBackend]]:
    legacy, new = RawBackend(answer(b'{"a":1}')), RawBackend(answer(b'{"a":1}'))
    yield legacy, new
    legacy.stop()
    new.stop()


@pytest.fixture
def life_of(
    live: Callable[..., Life],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., Life]:
    """Makes sandboxes whose AWS is somewhere on loopback."""

    def make(table: Table, environment: dict[str, str]) -> Life:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        file = bundle(tmp_path / "table.json", table)
        return live(FIGWAY_TABLE_FILE=file, **environment)

    return make


def test_a_message_that_comes_again_with_others_is_named_the_same(
    aws: Cloud,
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    tmp_path: Path,
) -> None:
    """T6: a batch for each message, named after it, so that the control plane counts it once
    however messages are grouped when they come again."""
    legacy, new = sides
    life = life_of(shadowed(legacy, new), {**aws.environment, "FIGWAY_SETTLE_MS": "5000"})
    life.invoke(GET)
    life.invoke(GET)
    first = aws.take()
    while len(first["Records"]) < 2:
        first["Records"] += aws.take()["Records"]
    control = listener(200, b'{"accepted":[true,true]}')
    work = worker_of(life, control, str(tmp_path / "table.json"))
    assert work(first) == {"batchItemFailures": []}
    again = {"Records": first["Records"][:1]}
    assert work(again) == {"batchItemFailures": []}
    work.close()
    sent = batches_of(control)
    names = [(batch["boot"], batch["sequence"]) for batch in sent]
    wanted = [(f"m-{record['messageId']}", 0) for record in first["Records"]]
    assert sorted(names[:2]) == sorted(wanted)
    assert names[2:] == wanted[:1]
    assert [row["captured"] for batch in sent for row in batch["routes"]] == [1, 1, 1]
    aws.settle(first, {"batchItemFailures": []})


def test_a_capture_is_compared_through_the_queue(
    aws: Cloud,
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    tmp_path: Path,
) -> None:
    """trap 57: it has left before the answer returned; the worker finds the real difference."""
    legacy, new = sides
    new.play = answer(b'{"a":2}')
    control = listener(200, b'{"accepted":true}')
    environment = {**aws.environment, "FIGWAY_REPORT_S": "0", "FIGWAY_SETTLE_MS": "5000"}
    life = life_of(shadowed(legacy, new), environment)
    os.environ["_X_AMZN_TRACE_ID"] = "Root=1-67891233-abcdef012345678912345678;Sampled=1"
    try:
        assert life.invoke(GET)["statusCode"] == 200
    finally:
        del os.environ["_X_AMZN_TRACE_ID"]
    assert new.requests == []
    event = aws.take()
    messages = {f"m-{record['messageId']}": record for record in event["Records"]}
    assert len(messages) == 2  # the capture and the counters, in any order
    event["Records"].append({"messageId": "bad", "body": "not ours", "receiptHandle": "x"})
    work = worker_of(life, control, str(tmp_path / "table.json"), FIGWAY_SHADOW_BUCKET=aws.bucket)
    result = work(event)
    work.close()
    assert result == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(new.requests) == 2  # new alone is asked again
    assert new.last.all(b"figway-shadow")
    (report,) = control.of("/api/v1/reports")
    assert report["series"][0]["requests"] == 1
    assert "shadow" not in report
    (sent,) = control.of("/api/v1/comparisons/batches/many")
    (batch,) = sent["batches"]
    trace = messages[batch["boot"]]["attributes"]["AWSTraceHeader"]
    assert trace.startswith("Root=1-67891233")
    (row,) = batch["routes"]
    # Legacy's answer is not marked as storable, so legacy is not asked again: nobody can know yet.
    assert (row["captured"], row["verdicts"]) == (1, {"unconfirmed": 1})
    assert len(legacy.requests) == 1
    assert row["fields"][0]["path"] == "$.a"
    assert row["evidence"][0]["signatures"][0]["entries"] == [["$.a|changed", "q"]]


def test_a_long_capture_goes_by_reference(
    aws: Cloud,
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    tmp_path: Path,
) -> None:
    """Over what a message holds, the body is in S3; the worker reads that bucket alone."""
    legacy, new = sides
    body = b'"' + os.urandom(1_000_000).hex().encode() + b'"'
    legacy.play = new.play = answer(body)
    control = listener(200, b'{"accepted":true}')
    life = life_of(
        shadowed(legacy, new, body_limit=4_000_000),
        {**aws.environment, "FIGWAY_SETTLE_MS": "5000"},
    )
    assert life.invoke(GET)["statusCode"] == 200
    event = aws.take()
    (record,) = event["Records"]
    envelope = json.loads(record["body"])
    assert envelope["s3"].startswith(f"s3://{aws.bucket}/captures/")
    file = str(tmp_path / "table.json")
    work = worker_of(life, control, file, FIGWAY_SHADOW_BUCKET=aws.bucket)
    assert work(event) == {"batchItemFailures": []}
    (row,) = batches_of(control)[0]["routes"]
    assert row["verdicts"] == {"match": 1}
    envelope["s3"] = "s3://another-bucket/captures/x"
    record["body"] = json.dumps(envelope)
    assert work(event)["batchItemFailures"]
    work.close()
    aws.settle(event, {"batchItemFailures": []})


def test_results_that_are_not_taken_come_again(
    aws: Cloud,
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    tmp_path: Path,
) -> None:
    """Partial batch failure: the control plane is away, so the messages stay in the queue."""
    legacy, new = sides
    life = life_of(shadowed(legacy, new), {**aws.environment, "FIGWAY_SETTLE_MS": "5000"})
    life.invoke(GET)
    event = aws.take()
    (record,) = event["Records"]
    control = listener(503)
    work = worker_of(life, control, str(tmp_path / "table.json"))
    assert work(event) == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    control.status = 200
    assert work(event) == {"batchItemFailures": []}
    work.close()
    taken = batches_of(control)[-1]
    assert [row["captured"] for row in taken["routes"]] == [1]
    aws.settle(event, {"batchItemFailures": []})


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"__type":"com.amazonaws.sqs#RequestThrottled"}', "queue_throttled"),
        (403, b'{"__type":"AccessDenied"}', "queue_refused"),
        (500, b"{}", "queue_refused"),
        (0, b"", "queue_unreachable"),
        (-1, b"", "queue_slow"),
    ],
)
def test_a_queue_that_fails_costs_a_count_and_no_answer(
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    status: int,
    body: bytes,
    reason: str,
) -> None:
    """trap 57: down, throttled, refusing or hung: the answer goes, the capture is counted."""
    legacy, new = sides
    queue = listener(max(status, 200) if status < 200 else status, body)
    if status == -1:
        queue.hold.clear()
    if status == 0:
        queue.stop()
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_SQS": queue.url,
        "FIGWAY_SHADOW_QUEUE_URL": queue.url + "/1/q",
        "FIGWAY_SETTLE_MS": "150",
    }
    life = life_of(shadowed(legacy, new), environment)
    for _ in range(3):
        assert life.invoke(GET)["statusCode"] == 200
    book = life.sandbox.capture.book
    (row,) = book.take()
    assert row["dropped"] == {reason: 1, "queue_resting": 2}
    assert len(queue.got) <= 1


@pytest.mark.parametrize(
    ("bucket", "reason", "then"),
    [
        ("none", "too_large", "too_large"),
        ("refuses", "bucket_refused", "bucket_refused"),
        ("hangs", "bucket_slow", "queue_resting"),
        ("down", "bucket_unreachable", "queue_resting"),
    ],
)
def test_a_bucket_that_fails_costs_a_count_and_no_answer(
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    bucket: str,
    reason: str,
    then: str,
) -> None:
    """trap 57: the same for what is too long for a message; nothing is sent that refers to it."""
    legacy, new = sides
    body = b'"' + os.urandom(800_000).hex().encode() + b'"'
    legacy.play = answer(body)
    queue, store = listener(), listener(503)
    if bucket == "hangs":
        store.hold.clear()
    if bucket == "down":
        store.stop()
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_SQS": queue.url,
        "AWS_ENDPOINT_URL_S3": store.url,
        "FIGWAY_SHADOW_QUEUE_URL": queue.url + "/1/q",
        "FIGWAY_SHADOW_BUCKET": "" if bucket == "none" else "captures",
        "FIGWAY_SETTLE_MS": "300",
    }
    life = life_of(shadowed(legacy, new, body_limit=4_000_000), environment)
    for _ in range(2):
        assert life.invoke(GET)["statusCode"] == 200
    (row,) = life.sandbox.capture.book.take()
    expected = {reason: 2} if reason == then else {reason: 1, then: 1}
    assert row["dropped"] == expected
    assert queue.got == []


def test_a_resting_queue_is_asked_again(
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
) -> None:
    """After a while captures go again, and the batch of counters that failed goes once."""
    legacy, new = sides
    queue = listener(500)
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_SQS": queue.url,
        "FIGWAY_SHADOW_QUEUE_URL": queue.url + "/1/q",
        "FIGWAY_REPORT_S": "0",
        "FIGWAY_SETTLE_MS": "2000",
    }
    life = life_of(shadowed(legacy, new), environment)
    ahead = 0.0
    out = life.sandbox.app.queue
    assert out is not None
    out._clock = lambda: time.time() + ahead
    life.invoke(GET)
    life.invoke(GET)
    queue.status, ahead = 200, 40.0
    life.invoke(GET)
    kinds = [json.loads(data["MessageBody"]) for _, data, _ in queue.got]
    batches = [item["batch"] for item in kinds if item["t"] == "report"]
    assert [batch["sequence"] for batch in batches] == [1, 1]
    life.invoke(GET)
    told = [json.loads(data["MessageBody"]) for _, data, _ in queue.got]
    last = [item["batch"] for item in told if item["t"] == "report"][-1]  # a capture may follow
    assert last["sequence"] == 2
    assert last["series"][0]["requests"] == 3


def test_without_a_queue_the_worker_is_invoked(
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
) -> None:
    """The second choice: an asynchronous invocation in the shape of a queue's event."""
    legacy, new = sides
    invoke = listener(202)
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_LAMBDA": invoke.url,
        "FIGWAY_SHADOW_FUNCTION": "arn:aws:lambda:eu-west-1:123456789012:function:worker:live",
        "FIGWAY_SETTLE_MS": "2000",
    }
    life = life_of(shadowed(legacy, new), environment)
    assert life.invoke(GET)["statusCode"] == 200
    ((path, data, headers),) = invoke.got
    assert path.endswith("function%3Aworker/invocations?Qualifier=live")
    assert headers["X-Amz-Invocation-Type"] == "Event"
    assert "eu-west-1/lambda/aws4_request" in headers["Authorization"]
    assert json.loads(data["Records"][0]["body"])["t"] == "capture"


def test_the_worker_runs_under_the_runtime_client(
    aws: Cloud, sides: tuple[RawBackend, RawBackend], tmp_path: Path
) -> None:
    """The handler that the template names, with an event of SQS that holds nothing of ours."""
    legacy, new = sides
    function = Function(
        {
            **aws.environment,
            "FIGWAY_TABLE_FILE": bundle(tmp_path / "table.json", shadowed(legacy, new)),
            "FIGWAY_CONTROL_URL": "http://127.0.0.1:9",
            "FIGWAY_CONTROL_KEY_SECRET": aws.secret,
        },
        "proxy.serverless.worker.handler",
    )
    try:
        result = function.invoke({"Records": [{"messageId": "1", "body": "{}"}]})
    finally:
        function.stop()
    assert result == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_hashes_are_keyed_by_a_secret(
    aws: Cloud, life_of: Callable[..., Life], sides: tuple[RawBackend, RawBackend]
) -> None:
    """trap 35: the key is in Secrets Manager, as its own secret or as the control plane's key; an
    unreadable one is no key, and nothing is compared with hashes that anyone could make."""
    own = aws.secrets.create_secret(Name="figway/redact", SecretString="own key")["ARN"]
    life = life_of(shadowed(*sides), aws.environment)
    settings = load(
        {"FIGWAY_CONTROL_URL": "http://127.0.0.1:9", "FIGWAY_CONTROL_KEY_SECRET": aws.secret}
    )

    def key(environ: dict[str, str], given: LambdaSettings = settings) -> bytes:
        worker = life.run(open_worker(given, environ))
        worker._engine.thread.close()
        return bytes(worker._shadow.key)

    assert key({}) == redaction_key("", "key")  # the secret of `cloud` holds it
    assert key({"FIGWAY_REDACT_KEY_SECRET": own}) == redaction_key("own key", "")
    assert key({"FIGWAY_REDACT_KEY": "k", "FIGWAY_REDACT_KEY_SECRET": "x"}) == redaction_key(
        "k", ""
    )
    with pytest.raises(ValueError, match="FIGWAY_REDACT_KEY_SECRET: none"):
        key({"FIGWAY_REDACT_KEY_SECRET": "none"})
    with pytest.raises(ValueError, match="no key for redaction"):
        key({}, replace(settings, control_key_secret="none"))


def test_replays_are_done_on_a_schedule(
    life_of: Callable[..., Life],
    listener: Callable[..., Listener],
    sides: tuple[RawBackend, RawBackend],
    tmp_path: Path,
) -> None:
    """An event that holds no messages asks for what people ordered, and answers it in parts."""
    legacy, new = sides
    new.play = answer(b'{"a":2}')
    headers = [["host", "shop.example"]]
    example = {"request": {"method": "GET", "target": "/a", "headers": headers}, "legacy": {}}
    examples = [{"id": number, **example} for number in range(25)]
    control = listener(200, b'{"accepted":25}')
    control.pages = [{"jobs": [{"id": "j/1", "route": "r", "examples": examples}]}, {"jobs": []}]
    life = life_of(shadowed(legacy, new), CREDENTIALS)
    work = worker_of(life, control, str(tmp_path / "table.json"))
    assert work({"source": "aws.events", "detail-type": "Scheduled Event"}) == {
        "batchItemFailures": []
    }
    parts = control.of("/api/v1/comparisons/replays/j%2F1/results")
    assert [len(part["results"]) for part in parts] == [20, 5]
    assert {result["verdict"] for part in parts for result in part["results"]} == {"mismatch"}
    # Each is looked at again at once, until the place is settled.
    assert 25 < len(legacy.requests) == len(new.requests) < 50
    assert control.pages == []
    work({}, remaining_ms=0)  # without time, none is begun
    work.close()
