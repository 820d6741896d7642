"""Odd answers of AWS: what they do not prove is doubtful, and what they quote stays here."""

from __future__ import annotations

import hashlib
import json

import pytest

from figway.model.backend import Backend, Signing
from figway.model.words import Side
from tests.support.handing_on import Aws, ask, conversation, opened, request
from tests.support.peer import Peer, Script, Server


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("code", [None, 7, "", {}])
async def test_an_event_that_failed_without_a_name_may_have_been_taken(code: object) -> None:
    entry = {"ErrorCode": code, "EventId": "e-1"}
    answer = json.dumps({"FailedEntryCount": 1, "Entries": [entry]}).encode()
    assert (await conversation("bus", Aws((200, answer)))).events == ["failed protocol SOME"]


async def test_a_queue_that_has_another_message_is_not_believed() -> None:
    """The client would be told 202 of something that nobody sent."""
    other = json.dumps({"MessageId": "m", "MD5OfMessageBody": "0" * 32}).encode()
    assert (await conversation("queue", Aws((200, other)))).events == ["failed protocol SOME"]

    class Digesting(Aws):
        async def play(self, peer: Peer) -> None:
            head = await peer.head()
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            message = json.loads(await peer.exactly(size))["MessageBody"].encode()
            digest = hashlib.md5(message, usedforsecurity=False).hexdigest()
            await peer.answer(b'{"MessageId":"m","MD5OfMessageBody":"%b"}' % digest.encode())

    asked = request("é ☃ \u2028".encode())
    assert (await conversation("queue", Digesting((200, b"")), asked)).head.status == 202


@pytest.mark.parametrize("named", [b"null", b'""', b"7", b"{}"])
async def test_an_execution_without_a_name_is_no_success(named: bytes) -> None:
    answer = b'{"executionArn":%b,"startDate":1.0}' % named
    assert (await conversation("start", Aws((200, answer)))).events == ["failed protocol SOME"]


async def test_what_is_quoted_is_no_preference() -> None:
    """RFC 7240, 2: the value of another preference may hold any text."""
    done = {"executionArn": "a", "status": "SUCCEEDED", "output": "{}"}
    aws = Aws((200, json.dumps(done).encode()))
    asked = request(b"{}", (b"Prefer", b'note="a, respond-async, b"'))
    assert (await conversation("sync", aws, asked, respond_async=True)).head.status == 200


TOKEN = "IQoJb3JpZ2luX2VjEHMaCWV1LXdlc3QtMSJHMEUCIQ/+=="
CANONICAL = f"GET\n/b\n\nhost:b\nx-amz-security-token:{TOKEN}\n"
QUOTING: dict[str, tuple[int, bytes, str]] = {
    "wrong signature": (
        403,
        b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>testing</AWSAccessKeyId></Error>",
        "failed service_refused NOTHING",
    ),
    "old token": (
        400,
        f"<Error><Code>ExpiredToken</Code><Token-0>{TOKEN}</Token-0></Error>".encode(),
        "failed service_refused NOTHING",
    ),
    "wrong clock": (
        403,
        json.dumps({"__type": "InvalidSignatureException", "message": CANONICAL}).encode(),
        "failed service_refused NOTHING",
    ),
    "an application's echo": (400, json.dumps({"echo": TOKEN}).encode(), "failed protocol SOME"),
    "huge": (403, b"x" * 1_048_576, "failed too_large SOME"),
    "its own refusal": (403, b"<Error><Code>AccessDenied</Code></Error>", "head 403"),
    "nothing": (401, b"", "head 401"),
}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("case", QUOTING)
async def test_no_client_reads_the_proxys_credentials(
    case: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3's and API Gateway's errors quote key, token and the request as it was signed."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    status, payload, first = QUOTING[case]
    aws = Aws((status, payload))
    async with Server(aws.play if method == "PUT" else _get(status, payload)).listen() as server:
        backend = Backend(
            id="s3",
            side=Side.NEW,
            url=f"http://127.0.0.1:{server.port}",
            sign=Signing(service="s3", region="eu-west-1"),
        )
        async with opened(backend) as upstream:
            bodied = method == "PUT"
            asked = request(b"x", method=method, has_body=bodied, target=b"/b?a+b")
            sink = await ask(upstream, asked)
    assert sink.events[0] == first
    if first.startswith("head"):
        assert sink.body == payload
    else:
        assert sink.body == b""
        assert TOKEN not in str(sink.failure)


def _get(status: int, payload: bytes) -> Script:
    async def play(peer: Peer) -> None:
        await peer.head()
        line = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(payload))
        await peer.say(line + payload)

    return play
