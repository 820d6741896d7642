"""Queues, buses, topics, started workflows and buckets by moto's server, which answers as AWS
documents. It has no StartSyncExecution: a scripted peer plays that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from figway.model.backend import (
    AwsResource,
    Backend,
    BackendKind,
    HostPolicy,
    Signing,
    WorkflowMode,
)
from figway.model.words import Side
from proxy.upstreams.port import Upstream
from proxy.wire.message import OutboundRequest, RequestPlace
from tests.support.handing_on import opened
from tests.support.peer import Sink
from tests.support.serverless.cloud import CREDENTIALS, Cloud, cloud

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


async def ask(
    upstream: Upstream, body: bytes, *headers: tuple[bytes, bytes], key: bytes = b"u", **fields: Any
) -> Sink:
    made = OutboundRequest(
        fields.pop("method", "POST"),
        fields.pop("target", b"/api/exports"),
        [(b"Host", b"shop.example"), (b"Content-Type", b"application/json"), *headers],
        has_body=bool(body),
        content_length=len(body) if body else None,
    )
    made.place = RequestPlace("exports", {}, key)
    sink = Sink()
    sending = upstream.send(made, sink)
    if body:
        sending.write(body)
    sending.end()
    await sink.done.wait()
    return sink


def backend_of(aws: Cloud, kind: BackendKind, resource: str, **fields: Any) -> Backend:
    return Backend(
        id="b",
        side=Side.NEW,
        kind=kind,
        endpoint_url=aws.endpoint,
        region="us-east-1",
        aws=AwsResource(resource=resource, **fields),
    )


def take(aws: Cloud, url: str) -> list[dict[str, Any]]:
    """Every message of a queue, in its order."""
    found: list[dict[str, Any]] = []
    while True:
        got = aws.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages", [])
        if not got:
            return found
        for message in got:
            found.append(message)
            aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


async def test_a_fifo_queue_keeps_order_by_key_and_takes_a_key_once(aws: Cloud) -> None:
    url = aws.sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})[
        "QueueUrl"
    ]
    async with opened(backend_of(aws, BackendKind.QUEUE, url)) as upstream:
        for number in range(12):
            user = b"u%d" % (number % 3)
            assert (await ask(upstream, b"%d" % number, key=user)).head.status == 202
        for _ in range(2):
            sink = await ask(upstream, b"99", (b"Idempotency-Key", b"once"), key=b"u0")
            assert json.loads(sink.body) == {"id": "once"}
    messages = take(aws, url)
    by_group: dict[str, list[int]] = {}
    for message in messages:
        group = message["Attributes"]["MessageGroupId"]
        by_group.setdefault(group, []).append(int(json.loads(message["Body"])["body"]))
    assert sorted(by_group.values()) == [[0, 3, 6, 9, 99], [1, 4, 7, 10], [2, 5, 8, 11]]


async def test_a_queue_by_its_arn(aws: Cloud) -> None:
    url = aws.sqs.create_queue(QueueName="plain")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:plain"
    async with opened(backend_of(aws, BackendKind.QUEUE, arn)) as upstream:
        assert (await ask(upstream, b"1")).head.status == 202
        missing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobody"
    async with opened(backend_of(aws, BackendKind.QUEUE, missing)) as upstream:
        assert (await ask(upstream, b"1")).events == ["failed service_refused NOTHING"]
    assert [json.loads(message["Body"])["body"] for message in take(aws, url)] == ["1"]


async def test_a_bus_and_a_topic_reach_their_subscribers(aws: Cloud) -> None:
    url = aws.sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:subscriber"
    events, sns = aws.client("events"), aws.client("sns")
    events.create_event_bus(Name="shop")
    pattern = json.dumps({"source": ["shop.facade"], "detail-type": ["exports"]})
    events.put_rule(Name="r", EventBusName="shop", EventPattern=pattern)
    events.put_targets(Rule="r", EventBusName="shop", Targets=[{"Id": "q", "Arn": arn}])
    bus = backend_of(aws, BackendKind.EVENTS, "shop", source="shop.facade")
    async with opened(bus) as upstream:
        assert (await ask(upstream, b"{}")).head.status == 202
    (message,) = take(aws, url)
    assert json.loads(message["Body"])["detail"]["route"] == "exports"
    topic = sns.create_topic(Name="booked")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    async with opened(backend_of(aws, BackendKind.EVENTS, topic)) as upstream:
        assert (await ask(upstream, '{"é": "&=+"}'.encode())).head.status == 202
    (message,) = take(aws, url)
    inner = json.loads(json.loads(message["Body"])["Message"])
    assert inner["body"] == '{"é": "&=+"}'


def machine(aws: Cloud, name: str, state: dict[str, Any], kind: str) -> str:
    definition = json.dumps({"StartAt": "S", "States": {"S": state}})
    made = aws.client("stepfunctions").create_state_machine(
        name=name, definition=definition, roleArn=ROLE, type=kind
    )
    return str(made["stateMachineArn"])


async def test_a_repeated_key_runs_once(aws: Cloud) -> None:
    arn = machine(aws, "once", {"Type": "Pass", "End": True}, "STANDARD")
    backend = backend_of(
        aws, BackendKind.WORKFLOW, arn, mode=WorkflowMode.START, location="/b/{id}"
    )
    answers = []
    async with opened(backend) as upstream:
        for body in (b"{}", b"{}", b'{"other": 1}'):
            sink = await ask(upstream, body, (b"Idempotency-Key", b"order-7"))
            answers.append((sink.head.status, sink.head.headers, sink.body))
    assert answers[0][0] == 202
    assert answers.count(answers[0]) == 3
    runs = aws.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    assert [run["name"] for run in runs] == ["order-7"]


async def test_a_bucket_is_a_backend(aws: Cloud) -> None:
    aws.s3.create_bucket(Bucket="brochures")
    aws.s3.put_object(Bucket="brochures", Key="a b/é.txt", Body=b"hello")
    backend = Backend(
        id="s3",
        side=Side.NEW,
        url=aws.endpoint,
        host_policy=HostPolicy.BACKEND,
        sign=Signing(service="s3", region="us-east-1"),
    )
    async with opened(backend) as upstream:
        target = b"/brochures/a%20b/%C3%A9.txt"
        sink = await ask(upstream, b"", method="GET", target=target)
        assert (sink.head.status, sink.body) == (200, b"hello")
        sink = await ask(upstream, b"new", method="PUT", target=b"/brochures/new.txt")
        assert sink.head.status == 200
    assert aws.s3.get_object(Bucket="brochures", Key="new.txt")["Body"].read() == b"new"
