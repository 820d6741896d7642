"""Functions behind the Invoke API: the event, the answer, and failures with names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from figway.model.backend import Backend, BackendKind, Timeouts
from figway.model.words import Side
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.aws_lambda import FunctionAddress, LambdaUpstream
from proxy.upstreams.lambda_event import MAX_PAYLOAD
from proxy.wire.message import OutboundRequest
from proxy.wire.sigv4 import Credentials
from tests.support.peer import Peer, Script, Server, Sink, get, post
from tests.support.until import until

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:live"


def function(**fields: Any) -> Backend:
    fields = {"function": "orders", **fields}
    return Backend(id="f", side=Side.NEW, kind=BackendKind.LAMBDA, **fields)


@asynccontextmanager
async def invoking(
    script: Script, credentials: Credentials | None = None, **fields: Any
) -> AsyncIterator[LambdaUpstream]:
    timer = DeadlineTimer(10)
    timer.start()
    async with Server(script).listen() as server:
        backend = function(endpoint_url=f"http://127.0.0.1:{server.port}", **fields)
        upstream = LambdaUpstream(
            backend, timer, credentials=lambda: credentials, clock=lambda: 1_440_938_160.0
        )
        yield upstream
        await upstream.close()
        timer.stop()


async def ask(upstream: LambdaUpstream, request: OutboundRequest, body: bytes = b"") -> Sink:
    sink = Sink()
    sending = upstream.send(request, sink)
    assert sink.events == []
    if body:
        sending.write(body)
    sending.end()
    await sink.done.wait()
    return sink


def returning(payload: bytes, status: int = 200, headers: bytes = b"") -> Script:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        await peer.exactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
        line = b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n" % (status, headers, len(payload))
        await peer.say(line + payload)

    return script


async def event_of(request: OutboundRequest, body: bytes = b"") -> tuple[bytes, dict[str, Any]]:
    """The head and the event that reach the Invoke endpoint for `request`."""
    seen: list[Any] = []

    async def script(peer: Peer) -> None:
        head = await peer.head()
        size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        seen.extend((head, json.loads(await peer.exactly(size))))
        await peer.answer(b"{}")

    async with invoking(script, function=ARN) as upstream:
        await ask(upstream, request, body)
    return seen[0], seen[1]


async def test_the_event_is_an_http_api_event() -> None:
    """Trap 59: raw path and query as sent; cookies apart; repeated fields joined."""
    headers = [
        (b"Host", b"shop.example:8080"),
        (b"Cookie", b"a=1; b=2"),
        (b"Cookie", b"c=3"),
        (b"X-Many", b"1"),
        (b"x-many", b"2"),
        (b"User-Agent", b"curl"),
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"X-Forwarded-For", b"203.0.113.9, 192.0.2.1"),
    ]
    target = b"/a%2Fb/%2e%2e//c\xff?b=2&a=1&b=%20+&e="
    body = '{"ü": 1}'.encode()
    request = OutboundRequest("PUT", target, headers, has_body=True, content_length=len(body))
    head, event = await event_of(request, body)
    path = b"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3A"
    assert head.startswith(b"POST " + path + b"orders/invocations?Qualifier=live HTTP/1.1\r\n")
    assert b"X-Amz-Invocation-Type: RequestResponse\r\n" in head
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/a%2Fb/%2e%2e//c%FF"
    assert event["rawQueryString"] == "b=2&a=1&b=%20+&e="
    assert event["queryStringParameters"] == {"b": "2,  ", "a": "1", "e": ""}
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["headers"]["x-many"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["headers"]["content-length"] == str(len(body))
    http = event["requestContext"]["http"]
    assert (http["method"], http["sourceIp"], http["userAgent"]) == ("PUT", "192.0.2.1", "curl")
    assert http["path"] == event["rawPath"]
    assert event["requestContext"]["domainName"] == "shop.example"
    assert event["requestContext"]["time"] == "30/Aug/2015:12:36:00 +0000"
    assert (event["body"], event["isBase64Encoded"]) == (body.decode(), False)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"Content-Type", b"image/png")], b"\x89PNG"),
        ([(b"Content-Type", b"text/plain")], b"\xff\xfe"),
        ([(b"Content-Type", b"text/plain; charset=latin-1")], b"abc"),
        ([(b"Content-Type", b"text/plain"), (b"Content-Encoding", b"gzip")], b"abc"),
        ([], b"abc"),
    ],
)
async def test_what_is_not_surely_text_is_base64(headers: Any, body: bytes) -> None:
    """Trap 59: byte for byte."""
    import base64

    _, event = await event_of(post(len(body), headers=headers), body)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


async def answer_to(returned: Any, method: str = "GET") -> Sink:
    payload = returned if isinstance(returned, bytes) else json.dumps(returned).encode()
    async with invoking(returning(payload)) as upstream:
        return await ask(upstream, get(method=method))


async def test_the_answer_is_mapped_back() -> None:
    """Traps 2 and 59."""
    sink = await answer_to(
        {
            "statusCode": "201",
            "headers": {"X-One": 1, "x-flag": True, "Transfer-Encoding": "chunked", "X-M": "0"},
            "multiValueHeaders": {"x-m": ["1", "2"], "Set-Cookie": ["z=0"]},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "h\u00e9",
        }
    )
    assert sink.head.status == 201
    assert sink.head.headers == [
        (b"X-One", b"1"),
        (b"x-flag", b"true"),
        (b"x-m", b"1"),
        (b"x-m", b"2"),
        (b"Set-Cookie", b"z=0"),
        (b"Set-Cookie", b"a=1; Path=/"),
        (b"Set-Cookie", b"b=2"),
        (b"content-length", b"3"),
    ]
    assert sink.body == "h\u00e9".encode()


@pytest.mark.parametrize(
    ("payload", "body"),
    [(b'{"a": [1,  2]}', b'{"a": [1,  2]}'), (b'"hello"', b"hello"), (b"[1]", b"[1]")],
)
async def test_a_bare_value_is_an_answer_as_on_aws(payload: bytes, body: bytes) -> None:
    sink = await answer_to(payload)
    assert (sink.head.status, sink.body) == (200, body)
    assert (b"content-type", b"application/json") in sink.head.headers


async def test_content_length_is_ours_but_for_head_and_304() -> None:
    """Trap 12."""
    lying = {"statusCode": 200, "headers": {"Content-Length": "999"}, "body": "ok"}
    assert (b"content-length", b"2") in (await answer_to(lying)).head.headers
    named = {"statusCode": 200, "headers": {"Content-Length": "999"}}
    assert (await answer_to(named, "HEAD")).head.headers == [(b"Content-Length", b"999")]
    assert (await answer_to({"statusCode": 204, "body": "x"})).events == ["head 204", "end"]


BAD_PAYLOADS: dict[str, Any] = {
    "not JSON": b"<html>",
    "status 1xx": {"statusCode": 101},
    "status words": {"statusCode": "ok"},
    "status null": {"statusCode": None},
    "status bool": {"statusCode": True},
    "header injection": {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: evil=1"}},
    "header name": {"statusCode": 200, "headers": {"X: y\r\nZ": "a"}},
    "header object": {"statusCode": 200, "headers": {"X": {}}},
    "headers list": {"statusCode": 200, "headers": ["X"]},
    "multi not a list": {"statusCode": 200, "multiValueHeaders": {"X": "a"}},
    "cookie injection": {"statusCode": 200, "cookies": ["a=1\r\nX: y"]},
    "body object": {"statusCode": 200, "body": {"a": 1}},
    "bad base64": {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
}


@pytest.mark.parametrize("case", BAD_PAYLOADS)
async def test_a_malformed_payload_is_a_protocol_failure(case: str) -> None:
    assert (await answer_to(BAD_PAYLOADS[case])).events == ["failed protocol SOME"]


FAILURES: dict[str, tuple[int, bytes, bytes, FailureKind, Sent]] = {
    "raised": (
        200,
        b"X-Amz-Function-Error: Unhandled\r\n",
        b'{"errorType":"KeyError","errorMessage":"secret","stackTrace":["File /var/task/a.py"]}',
        FailureKind.FUNCTION_ERROR,
        Sent.SOME,
    ),
    "killed": (
        200,
        b"X-Amz-Function-Error: Unhandled\r\n",
        b'{"errorType":"Runtime.ExitError","errorMessage":"signal: killed"}',
        FailureKind.FUNCTION_ERROR,
        Sent.SOME,
    ),
    "timed out": (
        200,
        b"X-Amz-Function-Error: Unhandled\r\n",
        b'{"errorMessage":"2020-01-01 Task timed out after 3.00 seconds"}',
        FailureKind.FUNCTION_ERROR,
        Sent.SOME,
    ),
    "answer too large": (
        200,
        b"X-Amz-Function-Error: Unhandled\r\n",
        b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"too big"}',
        FailureKind.TOO_LARGE,
        Sent.SOME,
    ),
    "throttled": (
        429,
        b"x-amzn-ErrorType: TooManyRequestsException\r\n",
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User"}',
        FailureKind.THROTTLED,
        Sent.NOTHING,
    ),
    "too large": (413, b"", b"", FailureKind.TOO_LARGE, Sent.NOTHING),
    "unknown": (
        404,
        b"x-amzn-ErrorType: ResourceNotFoundException:http://x\r\n",
        b'{"Message":"Function not found: arn:aws:lambda:secret"}',
        FailureKind.FUNCTION_ERROR,
        Sent.NOTHING,
    ),
    "service": (500, b"", b"<html>", FailureKind.FUNCTION_ERROR, Sent.SOME),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures_have_names(case: str) -> None:
    """A refusal of the platform is provably unsent; details carry no message and no trace."""
    status, headers, payload, kind, sent = FAILURES[case]
    async with invoking(returning(payload, status, headers)) as upstream:
        failure = (await ask(upstream, get())).failure
        assert failure is not None
        assert (failure.kind, failure.sent) == (kind, sent)
        assert failure.detail
        for secret in ("secret", "/var/task", "stackTrace", "signal"):
            assert secret not in failure.detail


async def test_no_answer_in_time() -> None:
    async def script(peer: Peer) -> None:
        await peer.hang()

    async with invoking(script, timeouts=Timeouts(head_ms=80)) as upstream:
        assert (await ask(upstream, get())).events == ["failed timeout SOME"]


async def test_an_answer_that_trickles_is_none_in_time() -> None:
    """The client waits for all of it: a byte now and then holds it up no longer than silence."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        while True:  # until the other end has had enough
            await asyncio.sleep(0.02)
            await peer.say(b" ")

    async with invoking(script, timeouts=Timeouts(head_ms=150)) as upstream, asyncio.timeout(10):
        assert (await ask(upstream, get())).events == ["failed timeout SOME"]


async def test_a_request_without_a_deadline_gives_the_function_none() -> None:
    """W30: where legacy is a function, and no route names the request; neither for the head nor
    between two pieces."""
    asked, go, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        asked.set()
        await go.wait()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        await end.wait()
        await peer.say(b"}")

    async with invoking(script, timeouts=Timeouts(head_ms=1_000, idle_ms=1_000)) as upstream:
        sink, request = Sink(), get()
        request.head_ms = request.idle_ms = 0
        sending: Any = upstream.send(request, sink)
        sending.end()
        timer = upstream.http.pool.timer
        waits = []
        await asked.wait()
        waits.append(min(entry.deadline - timer.now for entry in timer._entries))
        go.set()
        await until(lambda: bool(sending._payload))
        waits.append(min(entry.deadline - timer.now for entry in timer._entries))
        end.set()
        await sink.done.wait()
    assert min(waits) > 24 * 3_600_000


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large_is_said_before_it_is_sent(announced: bool) -> None:
    """Trap 58: text over 6 MB, and bytes that base64 takes over it."""

    async def script(peer: Peer) -> None:
        raise AssertionError("connected")

    async with invoking(script) as upstream:
        for size in (MAX_PAYLOAD + 1, MAX_PAYLOAD * 3 // 4 + 1):
            request = post(size if announced else None)
            sink = await ask(upstream, request, b"\xff" * size)
            assert sink.events == ["failed too_large NOTHING"]


async def test_an_answer_without_end_is_cut_off() -> None:
    """Trap 58: collected bodies are bounded."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.say(b"x" * 1_000_000)

    async with invoking(script) as upstream:
        assert (await ask(upstream, get())).events == ["failed too_large SOME"]
        assert upstream.http.pool.open == 0


async def test_a_function_has_no_tunnels() -> None:
    async with invoking(returning(b"{}")) as upstream:
        sink = await ask(upstream, get(upgrade=True))
        assert sink.events == ["failed protocol NOTHING"]


async def test_signed_with_credentials_and_never_sent_to_aws_without() -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.append(await peer.head())
        await peer.answer(b"{}")

    credentials = Credentials("AKIDEXAMPLE", "secret", "token")
    async with invoking(script, credentials, region="eu-west-1") as upstream:
        await ask(upstream, get())
    await asyncio.sleep(0)
    aws = LambdaUpstream(function(region="eu-west-1"), DeadlineTimer(), credentials=lambda: None)
    sink = await ask(aws, get())
    assert sink.events == ["failed connect NOTHING"]
    await aws.close()
    assert b"X-Amz-Date: 20150830T123600Z\r\nX-Amz-Security-Token: token\r\n" in heads[0]
    scope = b"Credential=AKIDEXAMPLE/20150830/eu-west-1/lambda/aws4_request, "
    signed = b"content-type;host;x-amz-date;x-amz-invocation-type;x-amz-security-token"
    authorization = b"Authorization: AWS4-HMAC-SHA256 " + scope + b"SignedHeaders=" + signed
    assert authorization + b", Signature=" in heads[0]
    assert b"secret" not in heads[0]


@pytest.mark.parametrize(
    ("fields", "endpoint", "target"),
    [
        (
            {"function": "orders:7", "region": "us-east-1"},
            "https://lambda.us-east-1.amazonaws.com",
            b"/2015-03-31/functions/orders/invocations?Qualifier=7",
        ),
        (
            {"function": "arn:aws-cn:lambda:cn-north-1:1:function:f"},
            "https://lambda.cn-north-1.amazonaws.com.cn",
            b"/2015-03-31/functions/arn%3Aaws-cn%3Alambda%3Acn-north-1%3A1%3Afunction%3Af/invocations",
        ),
        (
            {"function": "f", "endpoint_url": "http://127.0.0.1:1/base/"},
            "http://127.0.0.1:1/base/",
            b"/base/2015-03-31/functions/f/invocations",
        ),
    ],
)
def test_where_a_function_is(fields: Any, endpoint: str, target: bytes) -> None:
    address = FunctionAddress(function(**fields))
    assert (address.endpoint, address.target) == (endpoint, target)


def test_no_region_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ValueError, match="Backend f: no AWS region"):
        FunctionAddress(function())
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert FunctionAddress(function()).region == "eu-west-3"
