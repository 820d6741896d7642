"""Captures and counters on their way out of a sandbox, before the answer returns.

A capture waits here until its request's answer is complete; then it has the settle time of the
invocation to reach the queue. What does not reach it is dropped and counted with its reason, never
left for a sandbox that may not wake again. While the queue fails it is left alone, so that users do
not pay for it. A message is the same one as on the local socket, in a JSON envelope.

Reasons: `queue_full`, `queue_slow`, `queue_unreachable`, `queue_throttled`, `queue_refused`,
`queue_resting`, `too_large` (and no bucket), `bucket_refused`, `bucket_slow`, `bucket_unreachable`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from proxy.aws.calls import Call, Reply
from proxy.capture.counts import CountBook, Counts

if TYPE_CHECKING:
    from proxy.capture.capture import Tap

MAX_MESSAGE = 1_048_576
"""Bytes of a message (SQS; an asynchronous invocation takes the same)."""
MOST = 64
"""Captures that wait; one invocation makes one."""
_ZIP_OVER = 4_096
_ENVELOPE = 512
_REST_S = (1.0, 30.0)

Done = Callable[[Reply], None]


class Carrier(Protocol):
    """Takes messages away."""

    def send(self, body: str, trace: str, done: Done) -> Call:
        """Begin to send one."""


class Store(Protocol):
    """Takes what is too long for a message."""

    def put(self, key: str, body: bytes, done: Done) -> Call:
        """Begin to store one."""

    def reference(self, key: str) -> str:
        """What a message says instead."""


class OutQueue:
    """Implements `ShadowQueue`, for captures; and takes batches of counters."""

    def __init__(
        self,
        carrier: Carrier,
        store: Store | None,
        book: CountBook,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.held = 0
        self.book = book
        self._carrier = carrier
        self._store = store
        self._clock = clock
        self._waiting: list[Tap] = []
        self._open: dict[_Parcel, None] = {}
        self._empty: asyncio.Future[None] | None = None
        self._rest_until = 0.0
        self._rest_s = _REST_S[0]

    # -- ShadowQueue -------------------------------------------------------------------------

    def put(self, capture: Tap) -> str:
        """See `ShadowQueue`."""
        if self.resting:
            return "queue_resting"
        if len(self._waiting) >= MOST:
            return "queue_full"
        self._waiting.append(capture)
        self.held += capture.size
        return ""

    # -- an invocation -----------------------------------------------------------------------

    @property
    def resting(self) -> bool:
        """The queue failed a moment ago, and is left alone."""
        return 0 < self._rest_until - self._clock() <= _REST_S[1]

    def flush(self, batch: dict[str, Any] | None, told: Callable[[bool], None]) -> None:
        """Begin to send what waits, and a batch of counters; `told` whether that one arrived."""
        trace = os.environ.get("_X_AMZN_TRACE_ID", "")
        waiting, self._waiting = self._waiting, []
        for capture in waiting:
            self.held -= capture.size
            data = b"".join(capture.encode())[4:]
            self._send(_Parcel(self, capture.counts, None), data, trace)
        if batch is not None:
            parcel = _Parcel(self, None, told)
            body = orjson.dumps({"t": "report", "batch": batch}, option=orjson.OPT_NON_STR_KEYS)
            parcel.send(self._carrier, body.decode(), trace)
            self._open[parcel] = None

    async def sent(self) -> None:
        """Wait until nothing is under way."""
        while self._open:
            if self._empty is None or self._empty.done():
                self._empty = asyncio.get_running_loop().create_future()
            await self._empty

    def give_up(self) -> None:
        """The time is over: what is under way counts as dropped."""
        for parcel in list(self._open):
            parcel.give_up()

    # -- inside ------------------------------------------------------------------------------

    def _send(self, parcel: _Parcel, data: bytes, trace: str) -> None:
        zipped = len(data) > _ZIP_OVER
        content = zlib.compress(data, 1) if zipped else data
        self._open[parcel] = None
        if 4 * len(content) // 3 + _ENVELOPE <= MAX_MESSAGE:
            text = base64.b64encode(content).decode("ascii")
            parcel.send(self._carrier, _envelope({"t": "capture", "z": zipped, "d": text}), trace)
        elif self._store is None:
            self.ended(parcel, "too_large", rest=False)
        else:
            key = f"captures/{time.strftime('%Y/%m/%d/%H')}/{secrets.token_hex(16)}"
            reference = {"t": "capture", "z": zipped, "s3": self._store.reference(key)}
            parcel.store(self._store, key, content, self._carrier, _envelope(reference), trace)

    def ended(self, parcel: _Parcel, reason: str, *, rest: bool) -> None:
        """A parcel arrived (no reason), or was lost."""
        if self._open.pop(parcel, parcel) is not None:
            return
        if parcel.counts is not None:
            if reason:
                self.book.dropped(parcel.counts, reason)
            else:
                self.book.sent(parcel.counts, 0, 1)
        if parcel.told is not None:
            parcel.told(not reason)
        if rest:
            self._rest_until = self._clock() + self._rest_s
            self._rest_s = min(_REST_S[1], self._rest_s * 2)
        elif not reason:
            self._rest_s = _REST_S[0]
        if not self._open and self._empty is not None:
            empty, self._empty = self._empty, None
            if not empty.done():  # the time to wait for it was over
                empty.set_result(None)


class _Parcel:
    """One message under way: to the store first, if it is too long, then to the queue."""

    def __init__(
        self, queue: OutQueue, counts: Counts | None, told: Callable[[bool], None] | None
    ) -> None:
        self.counts = counts
        self.told = told
        self._queue = queue
        self._call: Call | None = None

    def send(self, carrier: Carrier, body: str, trace: str) -> None:
        self._call = carrier.send(body, trace, self._sent)

    def store(
        self, store: Store, key: str, content: bytes, carrier: Carrier, body: str, trace: str
    ) -> None:
        def stored(reply: Reply) -> None:
            if reply.status in (200, 204):
                self.send(carrier, body, trace)
            elif reply.status:
                self._queue.ended(self, "bucket_refused", rest=False)
            else:
                self._queue.ended(self, _silence("bucket", reply), rest=True)

        self._call = store.put(key, content, stored)

    def give_up(self) -> None:
        if self._call is not None:
            self._call.cancel("slow")

    def _sent(self, reply: Reply) -> None:
        reason = _reason(reply)
        self._queue.ended(self, reason, rest=bool(reason))


def _envelope(data: dict[str, Any]) -> str:
    return orjson.dumps(data).decode()


def _reason(reply: Reply) -> str:
    """Why a message did not arrive; empty if it did."""
    if reply.status in (200, 202):
        return ""
    if reply.status == 0:
        return _silence("queue", reply)
    if reply.status in (429, 503) or b"hrottl" in reply.body or b"OverLimit" in reply.body:
        return "queue_throttled"
    return "queue_refused"


def _silence(place: str, reply: Reply) -> str:
    """Why there is no answer."""
    return f"{place}_slow" if reply.error == "slow" else f"{place}_unreachable"


class SqsCarrier:
    """Sends to an SQS queue."""

    def __init__(self, queue_url: str, service: Any) -> None:
        self._url = queue_url
        self._service = service

    def send(self, body: str, trace: str, done: Done) -> Call:
        """See `Carrier`."""
        from proxy.aws.api import send_message

        return send_message(self._service, self._url, body, trace, done)


class InvokeCarrier:
    """Invokes the worker asynchronously, in the shape of a queue's event: the second choice."""

    def __init__(self, function: str, service: Any) -> None:
        self._function = function
        self._service = service

    def send(self, body: str, trace: str, done: Done) -> Call:
        """See `Carrier`."""
        from proxy.aws.api import invoke_later

        record = {"messageId": secrets.token_hex(16), "body": body, "eventSource": "figway:invoke"}
        event = orjson.dumps({"Records": [record]}).decode()
        return invoke_later(self._function, self._service, event, done)


class S3Store:
    """Keeps long captures in a bucket, whose lifecycle rule deletes them."""

    def __init__(self, bucket: str, service: Any) -> None:
        self._bucket = bucket
        self._service = service

    def put(self, key: str, body: bytes, done: Done) -> Call:
        """See `Store`."""
        from proxy.aws.api import object_path

        call: Call = self._service.start("PUT", object_path(self._bucket, key), [], body, done)
        return call

    def reference(self, key: str) -> str:
        """See `Store`."""
        return f"s3://{self._bucket}/{key}"
