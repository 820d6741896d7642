"""What failures of queues, buses, topics and workflows become; what may have been taken is not sent
again."""

from __future__ import annotations

import asyncio
import json

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, Signing
from figway.model.words import Side
from tests.support.handing_on import (
    ACCOUNT,
    KINDS,
    QUEUED,
    TAKEN,
    Aws,
    ask,
    backend_of,
    conversation,
    opened,
    request,
)
from tests.support.peer import Server, Sink


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# -- failures ------------------------------------------------------------------------------------


def error(name: str, status: int = 400, text: str = "arn:aws:secret") -> tuple[int, bytes]:
    return status, json.dumps({"__type": f"com.amazonaws#{name}", "message": text}).encode()


LONG = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
XML = b"<ErrorResponse><Error><Code>Throttled</Code></Error></ErrorResponse>"
CLOCK = b'{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"secret"}'
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
    "no body": ((200, b""), "protocol SOME"),
    "an error as a success": ((200, b'{"__type":"AccessDenied"}'), "protocol SOME"),
    "an XML error as a success": ((200, XML), "protocol SOME"),
    # Whoever answers so is not AWS's API, and may have taken the call.
    "accepted": ((202, b"{}"), "protocol SOME"),
    "done elsewhere": ((303, b""), "protocol SOME"),
    "no content": ((204, b""), "protocol SOME"),
    "moved": ((307, b""), "service_refused NOTHING"),
    "a wrong clock": ((403, CLOCK), "service_refused NOTHING"),
    "trickling": ("trickle", "timeout SOME"),
    "cut in its length": ("short", "protocol SOME"),
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


@pytest.mark.parametrize(
    ("service", "sent"),
    [("s3", b"/b/x/y%281%29.txt?z=%2f(1)"), ("lambda", b"/b/x%2Fy(1).txt?z=%2f(1)")],
)
async def test_a_path_of_s3_is_sent_as_it_is_signed(service: str, sent: bytes) -> None:
    """Services read an encoded slash in two ways; in the one spelling they all sign the same."""
    aws = Aws((200, b"ok"))
    async with Server(aws.play).listen() as server:
        backend = Backend(
            id="signed",
            side=Side.NEW,
            url=f"http://127.0.0.1:{server.port}",
            sign=Signing(service=service, region="eu-west-1"),
        )
        async with opened(backend) as upstream:
            await ask(upstream, request(b"x", target=b"/b/x%2Fy(1).txt?z=%2f(1)"))
    assert aws.heads[0].startswith(b"POST %b HTTP/1.1\r\n" % sent)
