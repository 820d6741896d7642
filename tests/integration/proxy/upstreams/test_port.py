"""What holds for every upstream: http, lambda and the fake. One handler stands behind all three."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from figway.message.http import Headers
from figway.model.backend import Backend, BackendKind
from figway.model.words import Side
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.aws_lambda import LambdaUpstream
from proxy.upstreams.factory import open_upstream
from proxy.upstreams.fake import Answer, Fail, FakeAttempt, FakeUpstream
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Upstream
from proxy.wire.message import OutboundRequest
from tests.support.peer import Peer, Server, Sink, get, post

BINARY = bytes(range(256)) * 40
COOKIES = [(b"Set-Cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2; HttpOnly")]


def handle(method: str, target: bytes, body: bytes) -> tuple[int, Headers, bytes]:
    """The backend's logic."""
    if target == b"/cookies":
        return 201, [*COOKIES, (b"X-Side", b"new")], b"made"
    if target == b"/binary":
        return 200, [(b"Content-Type", b"image/png")], BINARY
    if target == b"/empty":
        return 204, [], b""
    return 200, [(b"Content-Type", b"text/plain")], method.encode() + b" " + target + b" " + body


async def http_backend(peer: Peer) -> None:
    while True:
        head = await peer.head()
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        if target == b"/die":
            peer.reset()
            return
        body = await _body(peer, head)
        status, headers, content = handle(method.decode(), target, body)
        if status != 204:
            headers = [*headers, (b"Content-Length", b"%d" % len(content))]
        lines = [b"HTTP/1.1 %d X" % status, *[b": ".join(pair) for pair in headers]]
        shown = b"" if method == b"HEAD" else content
        await peer.say(b"\r\n".join(lines) + b"\r\n\r\n" + shown)


async def _body(peer: Peer, head: bytes) -> bytes:
    if b"Transfer-Encoding: chunked" in head:
        body = b""
        while size := int(await peer.reader.readuntil(b"\r\n"), 16):
            body += (await peer.exactly(size + 2))[:-2]
        await peer.exactly(2)
        return body
    _, found, rest = head.partition(b"Content-Length: ")
    return await peer.exactly(int(rest.split(b"\r\n")[0])) if found else b""


async def invoke_endpoint(peer: Peer) -> None:
    while True:
        event = json.loads(await _body(peer, await peer.head()))
        query = event["rawQueryString"]
        target = (event["rawPath"] + ("?" + query if query else "")).encode()
        if target == b"/die":
            peer.reset()
            return
        text = event.get("body", "")
        body = base64.b64decode(text) if event["isBase64Encoded"] else text.encode()
        status, headers, content = handle(event["requestContext"]["http"]["method"], target, body)
        returned = {
            "statusCode": status,
            "headers": {n.decode(): v.decode() for n, v in headers if n != b"Set-Cookie"},
            "cookies": [v.decode() for n, v in headers if n == b"Set-Cookie"],
            "body": base64.b64encode(content).decode(),
            "isBase64Encoded": True,
        }
        await peer.answer(json.dumps(returned).encode())


@asynccontextmanager
async def http() -> AsyncIterator[Upstream]:
    timer = DeadlineTimer()
    async with Server(http_backend).listen() as server:
        url = f"http://127.0.0.1:{server.port}"
        upstream = open_upstream(Backend(id="b", side=Side.NEW, url=url), timer)
        assert isinstance(upstream, HttpUpstream)
        yield upstream
        await upstream.close()


@asynccontextmanager
async def aws_lambda() -> AsyncIterator[Upstream]:
    timer = DeadlineTimer()
    async with Server(invoke_endpoint).listen() as server:
        backend = Backend(
            id="f",
            side=Side.NEW,
            kind=BackendKind.LAMBDA,
            function="orders",
            endpoint_url=f"http://127.0.0.1:{server.port}",
        )
        upstream = open_upstream(backend, timer)
        assert isinstance(upstream, LambdaUpstream)
        yield upstream
        await upstream.close()


@asynccontextmanager
async def fake() -> AsyncIterator[Upstream]:
    def reply(attempt: FakeAttempt) -> Answer | Fail:
        request = attempt.request
        if request.target == b"/die":
            return Fail(FailureKind.RESET)
        status, headers, body = handle(request.method, request.target, attempt.body)
        shown = [body] if body and request.method != "HEAD" else []
        return Answer(status, headers, shown)

    upstream = FakeUpstream(default=reply)
    yield upstream
    await upstream.close()


Opened = Callable[[], AbstractAsyncContextManager[Upstream]]


@pytest.fixture(params=[http, aws_lambda, fake], ids=["http", "lambda", "fake"])
def opened(request: pytest.FixtureRequest) -> Opened:
    made: Opened = request.param
    return made


async def ask(upstream: Upstream, request: OutboundRequest, *pieces: bytes) -> Sink:
    sink = Sink()
    sending = upstream.send(request, sink)
    assert sink.events == [], "the sink was called before send returned"
    for piece in pieces:
        sending.write(piece)
    sending.end()
    await sink.done.wait()
    return sink


async def test_an_answer_is_head_body_end(opened: Opened) -> None:
    """Traps 14, 16: the target arrives byte for byte."""
    async with opened() as upstream:
        target = b"/a%2Fb//c;d/%2e%2e?b=2&a=1&b=%20+"
        sink = await ask(upstream, get(target))
        assert sink.events == ["head 200", "body", "end"]
        assert sink.body == b"GET " + target + b" "


@pytest.mark.parametrize("length", [6, None], ids=["known", "unknown"])
async def test_a_body_arrives_whole(opened: Opened, length: int | None) -> None:
    async with opened() as upstream:
        sink = await ask(upstream, post(length), b"abc", b"", b"\x00\xff\n")
        assert sink.body == b"POST / abc\x00\xff\n"


async def test_a_body_of_length_0(opened: Opened) -> None:
    async with opened() as upstream:
        assert (await ask(upstream, post(0))).body == b"POST / "


async def test_every_set_cookie_is_kept(opened: Opened) -> None:
    """Traps 1 and 2: none folded, none kept for the next request."""
    async with opened() as upstream:
        sink = await ask(upstream, get(b"/cookies"))
        assert sink.head.status == 201
        pairs = [pair for pair in sink.head.headers if pair[0].lower() == b"set-cookie"]
        assert pairs == COOKIES
        again = await ask(upstream, get(b"/plain"))
        assert b"a=1" not in again.body
        assert not [n for n, _ in again.head.headers if n.lower() == b"set-cookie"]


async def test_binary_bodies_byte_for_byte(opened: Opened) -> None:
    """Traps 3 and 59."""
    async with opened() as upstream:
        assert (await ask(upstream, get(b"/binary"))).body == BINARY


async def test_no_body_for_head_and_204(opened: Opened) -> None:
    """Trap 12."""
    async with opened() as upstream:
        assert (await ask(upstream, get(b"/x", "HEAD"))).events == ["head 200", "end"]
        assert (await ask(upstream, get(b"/empty"))).events == ["head 204", "end"]
        assert (await ask(upstream, get(b"/x"))).body == b"GET /x "


async def test_a_failure_comes_once_and_says_what_was_sent(opened: Opened) -> None:
    async with opened() as upstream:
        sink = await ask(upstream, get(b"/die"))
        assert sink.events == ["failed reset SOME"]
        assert sink.failure is not None
        assert sink.failure.sent is Sent.SOME
        assert (await ask(upstream, get(b"/x"))).body == b"GET /x "


async def test_nothing_comes_after_abort(opened: Opened) -> None:
    async with opened() as upstream:
        sink = Sink()
        sending = upstream.send(post(None), sink)
        sending.write(b"half")
        sending.abort()
        sending.abort()
        sending.write(b"more")
        sending.end()
        assert (await ask(upstream, get(b"/x"))).body == b"GET /x "
        assert sink.events == []


async def test_a_sending_is_harmless_after_its_end(opened: Opened) -> None:
    async with opened() as upstream:
        sink = Sink()
        old = upstream.send(get(b"/x"), sink)
        await sink.done.wait()
        later = Sink()
        upstream.send(get(b"/y"), later)
        for call in (old.abort, old.end, old.pause, old.resume):
            call()
        old.write(b"GET /smuggled HTTP/1.1\r\n\r\n")
        await later.done.wait()
        assert later.body == b"GET /y "
        assert sink.events == ["head 200", "body", "end"]


async def test_many_at_once_keep_apart(opened: Opened) -> None:
    async with opened() as upstream:
        targets = [b"/%d" % number for number in range(100)]
        sinks = await asyncio.gather(*[ask(upstream, get(target)) for target in targets])
        assert [sink.body for sink in sinks] == [b"GET " + t + b" " for t in targets]


async def test_abort_in_the_head_ends_it(opened: Opened) -> None:
    async with opened() as upstream:
        sink = Sink()
        sending = upstream.send(get(b"/binary"), sink)
        sink.on_head = sending.abort
        await sink.started.wait()
        assert (await ask(upstream, get(b"/x"))).body == b"GET /x "
        assert sink.events == ["head 200"]


async def test_closing_fails_what_is_under_way(opened: Opened) -> None:
    async with opened() as upstream:
        sink = Sink()
        sending = upstream.send(post(None), sink)
        sending.write(b"half")
        if isinstance(upstream, LambdaUpstream):
            sending.end()
        await upstream.close()
        assert sink.events[-1].startswith("failed")
