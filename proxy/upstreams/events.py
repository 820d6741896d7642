"""Requests as events: PutEvents of an EventBridge bus, or Publish of an SNS topic."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

import orjson

from figway.model.backend import Backend, is_topic
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.aws_endpoint import AwsEndpoint, CredentialSource, origin_of, region_of
from proxy.upstreams.aws_failures import failure_named, failure_of
from proxy.upstreams.handed_message import Handed
from proxy.upstreams.handing_on import Receiver, ServiceCall, ServiceReply
from proxy.upstreams.lambda_event import FunctionAnswer
from proxy.upstreams.port import Failure

_BUS_FIELDS = [
    (b"Content-Type", b"application/x-amz-json-1.1"),
    (b"X-Amz-Target", b"AWSEvents.PutEvents"),
]
_TOPIC_FIELDS = [(b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")]
_PUBLISHED = re.compile(rb"<MessageId>[^<]+</MessageId>")
_INTERNAL = ("Internal", "ServiceUnavailable")
"""How the names of errors begin that are the service's own."""


def open_events(
    backend: Backend, credentials: CredentialSource, clock: Callable[[], float]
) -> Receiver:
    """The bus or the topic of a backend. Raises ValueError when no region is known."""
    kind = Topic if is_topic(backend.aws.resource) else Bus
    return kind(backend, credentials, clock)


class Bus:
    """Implements `Receiver` for EventBridge."""

    limit = 262_144
    takes = "An event of a bus takes 256 KiB"

    def __init__(
        self, backend: Backend, credentials: CredentialSource, clock: Callable[[], float]
    ) -> None:
        aws = backend.aws
        region = region_of(backend, aws.resource)
        url = backend.endpoint_url or origin_of("events", region)
        self._endpoint = AwsEndpoint(url, "events", region, credentials=credentials, clock=clock)
        self._bus, self._source, self._detail_type = aws.resource, aws.source, aws.detail_type

    def endpoints(self) -> list[AwsEndpoint]:
        """See `Receiver.endpoints`."""
        return [self._endpoint]

    def call(self, handed: Handed, body: bytes) -> ServiceCall | None:
        """See `Receiver.call`."""
        entry = {
            "EventBusName": self._bus,
            "Source": self._source,
            "DetailType": self._detail_type or handed.place.route or "request",
            "Detail": handed.message(body),
        }
        # As EventBridge counts an entry: the texts of source, type and detail.
        counted = entry["Source"] + entry["DetailType"] + entry["Detail"]
        if len(counted.encode()) >= self.limit:
            return None
        return ServiceCall(self._endpoint, _BUS_FIELDS, orjson.dumps({"Entries": [entry]}))

    def answer(self, reply: ServiceReply, handed: Handed) -> FunctionAnswer | Failure:
        """See `Receiver.answer`. A call that succeeds may still say that the event failed."""
        if reply.status != 200:
            return failure_of(reply.status, reply.fields, reply.payload)
        try:
            data = orjson.loads(reply.payload)
            failed, entry = data["FailedEntryCount"], data["Entries"][0]
            error, taken = entry.get("ErrorCode"), entry.get("EventId")
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
            return Failure(FailureKind.PROTOCOL, Sent.SOME, "The bus named no event.")
        if isinstance(error, str) and error:
            name = "".join(c for c in str(error)[:100] if c.isprintable())
            return failure_named(name, 500 if name.startswith(_INTERNAL) else 400)
        if failed or not isinstance(taken, str) or not taken:
            return Failure(FailureKind.PROTOCOL, Sent.SOME, "The bus named no event.")
        return handed.accepted()


class Topic:
    """Implements `Receiver` for SNS, whose API takes forms and answers XML."""

    limit = 262_144
    takes = "A message of a topic takes 256 KiB"

    def __init__(
        self, backend: Backend, credentials: CredentialSource, clock: Callable[[], float]
    ) -> None:
        self._arn = backend.aws.resource
        region = region_of(backend, self._arn)
        url = backend.endpoint_url or origin_of("sns", region)
        self._endpoint = AwsEndpoint(url, "sns", region, credentials=credentials, clock=clock)
        self._fifo = self._arn.endswith(".fifo")

    def endpoints(self) -> list[AwsEndpoint]:
        """See `Receiver.endpoints`."""
        return [self._endpoint]

    def call(self, handed: Handed, body: bytes) -> ServiceCall | None:
        """See `Receiver.call`."""
        message = handed.message(body)
        if len(message.encode()) > self.limit:
            return None
        form = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": self._arn,
            "Message": message,
        }
        if self._fifo:
            form |= {"MessageGroupId": handed.group(), "MessageDeduplicationId": handed.id}
        payload = urlencode(form).encode("ascii")
        return ServiceCall(self._endpoint, _TOPIC_FIELDS, payload, deduplicated=self._fifo)

    def answer(self, reply: ServiceReply, handed: Handed) -> FunctionAnswer | Failure:
        """See `Receiver.answer`."""
        if reply.status != 200:
            return failure_of(reply.status, reply.fields, reply.payload)
        if _PUBLISHED.search(reply.payload) is None:
            return Failure(FailureKind.PROTOCOL, Sent.SOME, "The topic named no message.")
        return handed.accepted()
