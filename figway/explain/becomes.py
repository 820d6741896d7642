"""What a backend that hands requests on makes of one, and what the client is answered, in words."""

from __future__ import annotations

from figway.model.backend import (
    HANDED_ON,
    AwsResource,
    Backend,
    BackendKind,
    answers_later,
    is_stream,
    is_topic,
)


def becomes(backend: Backend) -> str:
    """One sentence; empty for a backend that is sent the request itself."""
    if backend.kind not in HANDED_ON:
        return f"signed for {backend.sign.service}" if backend.sign.service else ""
    aws = backend.aws
    if not answers_later(backend):
        text = f"an execution of {aws.resource}, whose output is the answer"
        return f"{text}; 202 where the client prefers it" if aws.respond_async else text
    return f"{_what(backend)}; the answer is 202{_details(aws)}"


def _what(backend: Backend) -> str:
    aws = backend.aws
    if backend.kind is BackendKind.WORKFLOW:
        return f"an execution of {aws.resource}, named by its Idempotency-Key"
    if is_stream(backend):
        return _entry(backend)
    name = "bus"
    if backend.kind is BackendKind.QUEUE:
        name = "queue"
    elif is_topic(aws.resource):
        name = "topic"
    text = f"a message of the {name} {aws.resource}"
    if aws.resource.endswith(".fifo"):
        text += f", in order by {aws.group_by or 'the sticky key'}, once for an Idempotency-Key"
    return text


def _entry(backend: Backend) -> str:
    stream = backend.stream
    text = f"an entry of the stream {stream.name} at {backend.url}"
    if stream.max_length:
        text += f", cut to about {stream.max_length} entries"
    if stream.dedupe_s:
        text += f", once within {stream.dedupe_s} s for an Idempotency-Key"
    return text


def _details(aws: AwsResource) -> str:
    location = f" with Location {aws.location}" if aws.location else ""
    return f"{location}, Retry-After {aws.retry_after_s}" if aws.retry_after_s else location
