"""A peer that plays AWS for queues, buses, topics and workflows, and what asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from figway.model.backend import AwsResource, Backend, BackendKind, Timeouts, WorkflowMode
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
QUEUED = b'{"MessageId":"m-1"}'
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
            if answer == "trickle":
                await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
                while True:  # until the other end has had enough
                    await asyncio.sleep(0.02)
                    await peer.say(b" ")
            if answer == "short":
                await peer.say(b'HTTP/1.0 200 OK\r\n\r\n{"MessageId":"m')
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
