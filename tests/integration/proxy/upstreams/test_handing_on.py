"""Queues, buses, topics and workflows against a peer that plays AWS: what is sent, what each
answer and each failure becomes, and that nothing is sent twice that may have been taken."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, Signing, Timeouts, WorkflowMode
from figway.model.words import Side
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.factory import open_upstream
from proxy.upstreams.port import Upstream
from proxy.wire.message import OutboundRequest, RequestPlace
from tests.support.peer import Peer, Script, Server, Sink

HOST = (b"Host", b"shop.example")
JSON = (b"Content-Type", b"application/json")
ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:bookings"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:booked"
QUEUED = b'{"MessageId":"m-1","MD5OfMessageBody":"x"}'
PUBLISHED = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult>"
PUT = b'{"FailedEntryCount":0,"Entries":[{"EventId":"e-1"}]}'
STARTED = b'{"executionArn":"arn:x","startDate":1.0}'
TAKEN = {
    "queue": QUEUED,
    "fifo": QUEUED,
    "bus": PUT,
    "topic": PUBLISHED,
    "start": STARTED,
    "sync": json.dumps({"executionArn": "a", "status": "SUCCEEDED", "output": "{}"}).encode(),
}
KINDS = list(TAKEN)


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def backend_of(kind: str, port: int, **fields: Any) -> Backend:
    """A backend of one of `KINDS`, whose service is on `port`."""
    endpoint = f"http://127.0.0.1:{port}"
    made: dict[str, tuple[BackendKind, dict[str, Any]]] = {
        "queue": (BackendKind.QUEUE, {"resource": f"{endpoint}/{ACCOUNT}/exports"}),
        "fifo": (BackendKind.QUEUE, {"resource": f"{endpoint}/{ACCOUNT}/exports.fifo"}),
        "bus": (BackendKind.EVENTS, {"resource": "shop", "source": "shop.facade"}),
        "topic": (BackendKind.EVENTS, {"resource": TOPIC}),
        "start": (BackendKind.WORKFLOW, {"resource": MACHINE, "mode": WorkflowMode.START}),
        "sync": (BackendKind.WORKFLOW, {"resource": MACHINE}),
    }
    found, aws = made[kind]
    timeouts = fields.pop("timeouts", Timeouts(head_ms=300))
    return Backend(
        id="handing",
        side=Side.NEW,
        kind=found,
        endpoint_url=endpoint,
        region="eu-west-1",
        timeouts=timeouts,
        aws=AwsResource(**{**aws, **fields}),
    )


@asynccontextmanager
async def opened(backend: Backend) -> AsyncIterator[Upstream]:
    timer = DeadlineTimer(10)
    timer.start()
    upstream = open_upstream(backend, timer)
    try:
        yield upstream
    finally:
        await upstream.close()
        timer.stop()


def request(body: bytes = b'{"a": 1}', *headers: tuple[bytes, bytes], **fields: Any) -> Any:
    made = OutboundRequest(
        fields.pop("method", "POST"),
        fields.pop("target", b"/api/exports/pdf?x=1"),
        [HOST, JSON, *headers],
        has_body=fields.pop("has_body", True),
        content_length=fields.pop("content_length", len(body)),
    )
    made.place = RequestPlace("exports", {"kind": b"pdf"}, fields.pop("key", b"user-7"))
    return made, body


async def ask(upstream: Upstream, asked: tuple[OutboundRequest, bytes]) -> Sink:
    made, body = asked
    sink = Sink()
    sending = upstream.send(made, sink)
    assert sink.events == []
    if made.has_body:
        sending.write(body)
    sending.end()
    async with asyncio.timeout(10):
        await sink.done.wait()
    return sink


class Aws:
    """Plays one answer after the other, the last one for ever; keeps what it was sent."""

    def __init__(self, *answers: tuple[int, bytes] | str) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    async def play(self, peer: Peer) -> None:
        while True:
            head = await peer.head()
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self.heads.append(head)
            self.bodies.append(await peer.exactly(size))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == "reset":
                peer.reset()
                return
            if answer == "hang":
                await peer.hang()
                return
            if answer == "cut":
                await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
                return
            if answer == "noise":
                await peer.say(b"SSH-2.0-OpenSSH\r\n\r\n")
                return
            assert not isinstance(answer, str)
            status, payload = answer
            line = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(payload))
            await peer.say(line + payload)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What was sent, as data."""
        return [json.loads(body) for body in self.bodies]

    @property
    def message(self) -> dict[str, Any]:
        """The message of the last call, whatever it was wrapped in."""
        body = self.bodies[-1]
        if body.startswith(b"Action"):
            return json.loads(parse_qs(body.decode())["Message"][0])
        data = json.loads(body)
        if "Entries" in data:
            return json.loads(data["Entries"][0]["Detail"])
        return json.loads(data.get("MessageBody") or data["input"])


async def conversation(
    kind: str, aws: Aws, asked: tuple[OutboundRequest, bytes] | None = None, **fields: Any
) -> Sink:
    script: Script = aws.play
    async with (
        Server(script).listen() as server,
        opened(backend_of(kind, server.port, **fields)) as upstream,
    ):
        return await ask(upstream, asked or request())


def fields_of(sink: Sink) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in sink.head.headers}


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


# -- failures ------------------------------------------------------------------------------------


def error(name: str, status: int = 400, text: str = "arn:aws:secret") -> tuple[int, bytes]:
    return status, json.dumps({"__type": f"com.amazonaws#{name}", "message": text}).encode()


LONG = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
XML = b"<ErrorResponse><Error><Code>Throttled</Code></Error></ErrorResponse>"
FAILURES: dict[str, tuple[tuple[int, bytes] | str, str]] = {
    "throttled": (error("ThrottlingException"), "service_throttled NOTHING"),
    "throttled by rate": (error("RequestThrottled", 403), "service_throttled NOTHING"),
    "throttled as 429": ((429, b""), "service_throttled NOTHING"),
    "throttled as 503": (error("ThrottlingException", 503), "service_throttled NOTHING"),
    "throttled in XML": ((400, XML), "service_throttled NOTHING"),
    "denied": (error("AccessDeniedException"), "service_refused NOTHING"),
    "unknown": (error("QueueDoesNotExist"), "service_refused NOTHING"),
    "elsewhere": ((301, b""), "service_refused NOTHING"),
    "over its limit": (error("InvalidParameterValue", 400, LONG), "message_too_large NOTHING"),
    "over 413": ((413, b""), "message_too_large NOTHING"),
    "timed out": ("hang", "timeout SOME"),
    "garbage": ((200, b"<html>"), "protocol SOME"),
    "empty": ((200, b"{}"), "protocol SOME"),
    "not HTTP": ("noise", "protocol SOME"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", FAILURES)
async def test_failures_have_names_and_say_what_was_sent(kind: str, case: str) -> None:
    """Trap 44: what nobody knows is `SOME`; only what the service refused is `NOTHING`."""
    answer, failed = FAILURES[case]
    aws = Aws(answer)
    sink = await conversation(kind, aws)
    assert sink.events == [f"failed {failed}"]
    assert len(aws.bodies) == 1
    assert sink.failure is not None
    assert "secret" not in sink.failure.detail


AMBIGUOUS: dict[str, tuple[tuple[int, bytes] | str, str]] = {
    "reset": ("reset", "reset SOME"),
    "cut": ("cut", "reset SOME"),
    "service": (error("InternalFailure", 500), "service_error SOME"),
    "unavailable": ((503, b""), "service_error SOME"),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fifo"])
@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_what_may_have_been_taken_is_not_sent_again(kind: str, case: str) -> None:
    """Trap 44."""
    answer, failed = AMBIGUOUS[case]
    aws = Aws(answer, (200, TAKEN[kind]))
    sink = await conversation(kind, aws)
    assert sink.events == [f"failed {failed}"]
    assert len(aws.bodies) == 1


@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_fifo_is_sent_once_more_as_the_same_message(case: str) -> None:
    answer, failed = AMBIGUOUS[case]
    aws = Aws(answer, (200, QUEUED))
    sink = await conversation("fifo", aws)
    assert sink.head.status == 202
    assert len(aws.bodies) == 2
    assert aws.bodies[0] == aws.bodies[1]
    aws = Aws(answer)
    sink = await conversation("fifo", aws)
    assert sink.events == [f"failed {failed}"]
    assert len(aws.bodies) == 2


async def test_a_refusal_after_a_doubtful_send_leaves_the_doubt() -> None:
    """The second try was refused, the first may have been taken: legacy must not serve, too."""
    sink = await conversation("fifo", Aws("reset", error("AccessDenied")))
    assert sink.events == ["failed service_refused SOME"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_down_took_nothing(kind: str, unused_tcp_port: int) -> None:
    async with opened(backend_of(kind, unused_tcp_port)) as upstream:
        sink = await ask(upstream, request())
    assert sink.events == ["failed connect NOTHING"]


async def test_an_event_that_failed_is_a_failure_although_the_call_succeeded() -> None:
    def failing(code: str) -> tuple[int, bytes]:
        return 200, json.dumps({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code}]}).encode()

    for code, failed in (
        ("ThrottlingException", "service_throttled NOTHING"),
        ("InternalFailure", "service_error SOME"),
        ("NotAuthorizedForSourceException", "service_refused NOTHING"),
    ):
        assert (await conversation("bus", Aws(failing(code)))).events == [f"failed {failed}"]


LIMITS = {"queue": 1_048_576, "bus": 262_144, "topic": 262_144, "sync": 262_144}


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("announced", [True, False])
async def test_over_the_limit_nothing_is_sent(kind: str, announced: bool) -> None:
    """Trap 58: our own 413, before the platform's error."""
    aws = Aws((200, TAKEN[kind]))
    body = b'"' + b"x" * LIMITS[kind] + b'"'
    asked = request(body, content_length=len(body) if announced else None)
    sink = await conversation(kind, aws, asked)
    assert sink.events == ["failed message_too_large NOTHING"]
    fits = request(b'"' + b"x" * (LIMITS[kind] - 2_000) + b'"')
    assert (await conversation(kind, aws, fits)).events[0].startswith("head 20")
    assert len(aws.bodies) == 1
    # What only the wrapping makes too large is refused as well.
    near = request(b'"' + b"x" * (LIMITS[kind] - 10) + b'"')
    assert (await conversation(kind, aws, near)).events == ["failed message_too_large NOTHING"]


async def test_a_client_that_waits_for_100_is_told_to_go_on() -> None:
    """Nobody else could: the message needs the body first."""
    aws = Aws((200, QUEUED))
    made, body = request(b"{}", (b"Expect", b"100-continue"))
    async with (
        Server(aws.play).listen() as server,
        opened(backend_of("queue", server.port)) as upstream,
    ):
        sink = Sink()
        sending = upstream.send(made, sink)
        await asyncio.sleep(0.01)
        assert sink.events == ["1xx 100"]
        sending.write(body)
        sending.end()
        await sink.done.wait()
    assert sink.events[1] == "head 202"
    assert "expect" not in aws.message["headers"]


async def test_an_abort_tells_nothing_more() -> None:
    aws = Aws("hang")
    async with (
        Server(aws.play).listen() as server,
        opened(backend_of("queue", server.port)) as upstream,
    ):
        made, body = request()
        sink = Sink()
        sending = upstream.send(made, sink)
        sending.write(body)
        sending.end()
        while not aws.bodies:
            await asyncio.sleep(0.01)
        sending.abort()
        await asyncio.sleep(0.05)
        assert sink.events == []


async def test_without_credentials_aws_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    backend = Backend(
        id="q",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        aws=AwsResource(resource=f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q"),
    )
    async with opened(backend) as upstream:
        sink = await ask(upstream, request())
    assert sink.events == ["failed connect NOTHING"]
    assert sink.failure is not None
    assert "AWS_ACCESS_KEY_ID" in sink.failure.detail


@pytest.mark.parametrize("kind", [BackendKind.EVENTS])
async def test_a_name_without_a_region_is_quarantined(
    kind: BackendKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    backend = Backend(id="bus", side=Side.NEW, kind=kind, aws=AwsResource(resource="shop"))
    with pytest.raises(ValueError, match="no AWS region"):
        async with opened(backend):
            pass


async def test_a_link_local_endpoint_is_not_called() -> None:
    backend = Backend(
        id="q",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        region="eu-west-1",
        aws=AwsResource(resource="http://169.254.169.254/1/q"),
    )
    async with opened(backend) as upstream:
        sink = await ask(upstream, request())
    assert sink.events == ["failed connect NOTHING"]


# -- signed http ---------------------------------------------------------------------------------


async def test_signed_http_says_nothing_in_the_clients_name() -> None:
    """A client's X-Amz-* would act with the facade's rights: an ACL, the source of a copy."""
    aws = Aws((200, b"ok"))
    mine = [(b"X-Amz-Acl", b"public-read"), (b"Authorization", b"Bearer c"), (b"X-A", b"1")]
    async with Server(aws.play).listen() as server:
        backend = Backend(
            id="s3",
            side=Side.NEW,
            url=f"http://127.0.0.1:{server.port}",
            sign=Signing(service="s3", region="eu-west-1"),
        )
        async with opened(backend) as upstream:
            sink = await ask(upstream, request(b"image", *mine, target=b"/bucket/a%20b.txt"))
    assert sink.head.status == 200
    head = aws.heads[0].lower()
    assert b"x-amz-acl" not in head
    assert b"bearer" not in head
    assert b"\r\nx-a: 1\r\n" in head
    assert b"/eu-west-1/s3/aws4_request" in head
    assert head.startswith(b"post /bucket/a%20b.txt http/1.1\r\nhost: 127.0.0.1:")
