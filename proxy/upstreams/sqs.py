"""Requests as messages of an SQS queue: SendMessage of the JSON protocol.

A FIFO queue keeps the messages of one group in order and takes a deduplication id once in five
minutes: the id of the message, which is the client's Idempotency-Key where it sends one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson

from figway.model.backend import Backend
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.aws_endpoint import AwsEndpoint, CredentialSource, origin_of, region_of
from proxy.upstreams.aws_failures import failure_of
from proxy.upstreams.handed_message import Handed
from proxy.upstreams.handing_on import ServiceCall, ServiceReply
from proxy.upstreams.lambda_event import FunctionAnswer
from proxy.upstreams.port import Failure

_FIELDS = [
    (b"Content-Type", b"application/x-amz-json-1.0"),
    (b"X-Amz-Target", b"AmazonSQS.SendMessage"),
]


class Queue:
    """Implements `Receiver`. Raises ValueError when no region is known."""

    limit = 1_048_576
    takes = "A message of a queue takes 1 MiB"

    def __init__(
        self, backend: Backend, credentials: CredentialSource, clock: Callable[[], float]
    ) -> None:
        resource = backend.aws.resource
        region = region_of(backend, resource)
        base = backend.endpoint_url.rstrip("/") or _origin(resource, region)
        self.url = resource
        if resource.startswith("arn:"):
            account, name = resource.split(":")[4:6]
            self.url = f"{base}/{account}/{name}"
        self.fifo = resource.endswith(".fifo")
        self._endpoint = AwsEndpoint(base, "sqs", region, credentials=credentials, clock=clock)

    def endpoints(self) -> list[AwsEndpoint]:
        """See `Receiver.endpoints`."""
        return [self._endpoint]

    def call(self, handed: Handed, body: bytes) -> ServiceCall | None:
        """See `Receiver.call`."""
        message = handed.message(body)
        plain = message.encode()
        if len(plain) > self.limit:
            return None
        handed.digest = hashlib.md5(plain, usedforsecurity=False).hexdigest()
        data = {"QueueUrl": self.url, "MessageBody": message}
        if self.fifo:
            data |= {"MessageGroupId": handed.group(), "MessageDeduplicationId": handed.id}
        return ServiceCall(self._endpoint, _FIELDS, orjson.dumps(data), deduplicated=self.fifo)

    def answer(self, reply: ServiceReply, handed: Handed) -> FunctionAnswer | Failure:
        """See `Receiver.answer`."""
        if reply.status != 200:
            return failure_of(reply.status, reply.fields, reply.payload)
        try:
            found = orjson.loads(reply.payload)
            taken, digest = found["MessageId"], found.get("MD5OfMessageBody", handed.digest)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            taken = digest = None
        if not isinstance(taken, str) or not taken:
            return Failure(FailureKind.PROTOCOL, Sent.SOME, "The queue named no message.")
        if digest != handed.digest:
            detail = "The queue has another message than was sent."
            return Failure(FailureKind.PROTOCOL, Sent.SOME, detail)
        return handed.accepted()


def _origin(resource: str, region: str) -> str:
    """The address that a queue's URL names, or that its region has."""
    if resource.startswith("arn:"):
        return origin_of("sqs", region)
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}"
