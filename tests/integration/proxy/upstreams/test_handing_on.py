"""What queues, buses, topics and workflows are sent, and what becomes of their answers."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.handing_on import (
    ACCOUNT,
    KINDS,
    QUEUED,
    STARTED,
    TAKEN,
    TOPIC,
    Aws,
    ask,
    backend_of,
    conversation,
    fields_of,
    opened,
    request,
)
from tests.support.peer import Server


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# -- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["queue", "fifo", "bus", "topic"])
async def test_a_message_holds_the_request_and_no_credentials(kind: str) -> None:
    aws = Aws((200, TAKEN[kind]))
    secret = [(b"Authorization", b"Bearer s3cret"), (b"Cookie", b"sid=s3cret"), (b"X-A", b"1")]
    sink = await conversation(kind, aws, request(b'{"a": 1}', *secret))
    assert sink.head.status == 202
    message = aws.message
    assert message["id"] == json.loads(sink.body)["id"]
    assert (message["method"], message["target"]) == ("POST", "/api/exports/pdf?x=1")
    assert (message["route"], message["variables"]) == ("exports", {"kind": "pdf"})
    assert (message["body"], message["isBase64Encoded"]) == ('{"a": 1}', False)
    assert message["headers"]["x-a"] == "1"
    assert b"s3cret" not in aws.bodies[0]
    assert b"\r\nAuthorization: AWS4-HMAC-SHA256 Credential=testing/" in aws.heads[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_credentials_are_handed_on_where_the_backend_says_so(kind: str) -> None:
    aws = Aws((200, TAKEN[kind]))
    secret = [(b"Authorization", b"Bearer t"), (b"Cookie", b"sid=1; b=2")]
    await conversation(kind, aws, request(b"{}", *secret), with_credentials=True)
    assert aws.message["headers"]["authorization"] == "Bearer t"
    assert aws.message["cookies"] == ["sid=1", "b=2"]


@pytest.mark.parametrize("body", [b"\x00\xff\xfe", "\uffff".encode(), b"\x89PNG\r\n"])
async def test_what_no_message_may_hold_is_base64(body: bytes) -> None:
    """SQS refuses U+FFFE and U+FFFF; bytes that are no text cannot stand in JSON."""
    aws = Aws((200, QUEUED))
    asked = request(body)
    await conversation("queue", aws, asked)
    assert aws.message["isBase64Encoded"] is True
    assert base64.b64decode(aws.message["body"]) == body


async def test_each_service_is_called_as_it_wants() -> None:
    """Targets, resources and names of the four APIs."""
    seen = {}
    for kind in KINDS:
        aws = Aws((200, TAKEN[kind]))
        await conversation(kind, aws)
        seen[kind] = (aws.heads[0], aws.bodies[0])
    assert b"X-Amz-Target: AmazonSQS.SendMessage\r\n" in seen["queue"][0]
    assert json.loads(seen["queue"][1])["QueueUrl"].endswith(f"/{ACCOUNT}/exports")
    assert b"/eu-west-1/sqs/aws4_request" in seen["queue"][0]
    assert b"X-Amz-Target: AWSEvents.PutEvents\r\n" in seen["bus"][0]
    entry = json.loads(seen["bus"][1])["Entries"][0]
    assert (entry["EventBusName"], entry["Source"]) == ("shop", "shop.facade")
    assert entry["DetailType"] == "exports"
    form = parse_qs(seen["topic"][1].decode())
    assert (form["Action"], form["TopicArn"]) == (["Publish"], [TOPIC])
    assert b"X-Amz-Target: AWSStepFunctions.StartExecution\r\n" in seen["start"][0]
    assert b"X-Amz-Target: AWSStepFunctions.StartSyncExecution\r\n" in seen["sync"][0]
    event = json.loads(json.loads(seen["sync"][1])["input"])
    assert (event["version"], event["rawPath"]) == ("2.0", "/api/exports/pdf")
    assert (event["body"], event["rawQueryString"]) == ('{"a": 1}', "x=1")


async def test_202_says_where_to_ask_and_when() -> None:
    aws = Aws((200, QUEUED))
    asked = request(b"{}", (b"Prefer", b"wait=10, Respond-Async"), (b"Idempotency-Key", b'"k-1"'))
    fields = {"location": "/api/exports/{kind}/{id}", "retry_after_s": 5}
    sink = await conversation("queue", aws, asked, **fields)
    assert sink.head.status == 202
    answered = fields_of(sink)
    assert answered["location"] == "/api/exports/pdf/k-1"
    assert answered["retry-after"] == "5"
    assert answered["preference-applied"] == "respond-async"
    assert json.loads(sink.body) == {"id": "k-1"}


async def test_head_gets_no_body_and_who_prefers_nothing_no_preference() -> None:
    made, _ = request(b"", method="HEAD", has_body=False, content_length=None)
    sink = await conversation("queue", Aws((200, QUEUED)), (made, b""))
    assert (sink.head.status, sink.body) == (202, b"")
    assert "preference-applied" not in fields_of(sink)


@pytest.mark.parametrize("key", [b"../../etc", b"..", b"x" * 200, b"a b", "\u00e9".encode()])
async def test_a_key_that_is_no_name_becomes_one(key: bytes) -> None:
    """What a client chooses becomes a name of AWS and a part of a path: letters and digits only."""
    aws = Aws((200, STARTED))
    asked = request(b"{}", (b"Idempotency-Key", key))
    await conversation("start", aws, asked)
    await conversation("start", aws, request(b"{}", (b"Idempotency-Key", key)))
    first, second = (sent["name"] for sent in aws.sent)
    assert first == second
    assert len(first) == 32
    assert first.isalnum()


GROUPS = {
    "": [request(key=b"a"), request(key=b"b"), request(key=b"a")],
    "header:X-Account": [
        request(b"{}", (b"X-Account", b"1")),
        request(b"{}", (b"x-account", b"2")),
        request(b"{}", (b"X-ACCOUNT", b"1")),
    ],
    "path:kind": [request(), request(), request()],
    "query:x": [request(target=b"/a?x=1"), request(target=b"/a?x=2"), request(target=b"/a?x=1")],
}


@pytest.mark.parametrize("group_by", GROUPS)
async def test_fifo_keeps_what_belongs_together_in_one_group(group_by: str) -> None:
    aws = Aws((200, QUEUED))
    async with (
        Server(aws.play).listen() as server,
        opened(backend_of("fifo", server.port, group_by=group_by)) as upstream,
    ):
        for asked in GROUPS[group_by]:
            await ask(upstream, asked)
    one, other, again = (sent["MessageGroupId"] for sent in aws.sent)
    assert one == again
    assert (one == other) is (group_by == "path:kind")
    assert "a" not in (one, other)  # a sticky key may be a session: it is hashed
    ids = [sent["MessageDeduplicationId"] for sent in aws.sent]
    assert len(set(ids)) == 3


# -- what becomes of answers ---------------------------------------------------------------------


def ended(status: str, **fields: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"executionArn": "a", "status": status, **fields}).encode()


async def test_a_workflows_output_is_the_answer() -> None:
    sink = await conversation("sync", Aws(ended("SUCCEEDED", output='{"price": 7}')))
    assert (sink.head.status, sink.body) == (200, b'{"price": 7}')
    assert fields_of(sink)["content-type"] == "application/json"
    shaped = {"statusCode": 201, "headers": {"Location": "/b/7"}, "body": "made"}
    sink = await conversation("sync", Aws(ended("SUCCEEDED", output=json.dumps(shaped))))
    assert (sink.head.status, sink.body) == (201, b"made")
    assert fields_of(sink)["location"] == "/b/7"


@pytest.mark.parametrize(
    ("answer", "failed", "detail"),
    [
        (ended("FAILED", error="NoRoom", cause="s3cret"), "workflow_failed SOME", "NoRoom"),
        (ended("ABORTED"), "workflow_failed SOME", "ABORTED"),
        (ended("TIMED_OUT", error="States.Timeout"), "workflow_timed_out SOME", "timed out"),
        (ended("SUCCEEDED", output='{"statusCode": "no"}'), "protocol SOME", "statusCode"),
        (ended("RUNNING"), "protocol SOME", "no known end"),
    ],
)
async def test_a_workflows_end_is_named(
    answer: tuple[int, bytes], failed: str, detail: str
) -> None:
    sink = await conversation("sync", Aws(answer))
    assert sink.events == [f"failed {failed}"]
    assert sink.failure is not None
    assert detail in sink.failure.detail
    assert "s3cret" not in sink.failure.detail


async def test_a_workflow_is_started_only_where_the_client_prefers_it() -> None:
    aws = Aws((200, STARTED))
    asked = request(b"{}", (b"Prefer", b"respond-async"))
    sink = await conversation("sync", aws, asked, respond_async=True, location="/b/{id}")
    assert sink.head.status == 202
    assert fields_of(sink)["preference-applied"] == "respond-async"
    assert b"StartExecution" in aws.heads[0]
    aws = Aws(ended("SUCCEEDED", output="{}"))
    asked = request(b"{}", (b"Prefer", b"respond-async"))
    assert (await conversation("sync", aws, asked)).head.status == 200  # the backend does not


async def test_a_repeated_key_starts_nothing_and_gets_the_same_answer() -> None:
    exists = (400, b'{"__type":"ExecutionAlreadyExists","message":"arn:aws:secret"}')
    answers = []
    aws = Aws((200, STARTED), exists)
    async with (
        Server(aws.play).listen() as server,
        opened(backend_of("start", server.port, location="/b/{id}")) as upstream,
    ):
        for _ in range(2):
            sink = await ask(upstream, request(b"{}", (b"Idempotency-Key", b"order-7")))
            answers.append((sink.head.status, fields_of(sink), sink.body))
    assert answers[0] == answers[1]
    assert [sent["name"] for sent in aws.sent] == ["order-7", "order-7"]
    # Without a key nobody has asked for that execution.
    assert (await conversation("start", Aws(exists))).events == ["failed service_refused NOTHING"]
