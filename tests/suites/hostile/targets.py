"""What a fuzzer calls with any bytes: each target returns, or fails an assertion of its own.

`tests.suites.hostile.guided` looks for inputs by coverage; `test_guided.py` calls the targets
with the corpus, so that they cannot rot where no fuzzer is installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress

from figway.model.codec import CodecError, canonical, from_data, table_hash, to_data
from figway.model.table import Table
from figway.routing.pattern import PatternError
from figway.routing.pattern import parse as parse_template
from figway.validate.table import validate
from proxy.wire import client_body, client_head
from proxy.wire.client_head import BadRequest
from proxy.wire.runs import Memory
from tests.suites.hostile.corpus import ACCEPTED, CHUNKS, REFUSED

Target = Callable[[bytes], None]


def head(data: bytes) -> None:
    """A request head is read or refused, with one framing; no piece of a good one is refused."""
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        with suppress(BadRequest):
            client_head.check_partial(data)
        return
    data = data[:end]
    try:
        found = client_head.parse(data)
    except BadRequest as error:
        assert 400 <= error.status < 600  # noqa: PT017
        return
    names = [name.lower() for name, _ in found.headers]
    assert names.count(b"content-length") <= 1
    assert not {b"content-length", b"transfer-encoding"} <= set(names)
    assert not any(octet in found.target for octet in b"\r\n\0 ")
    assert all(not any(octet in value for octet in b"\r\n\0") for _, value in found.headers)
    memory = Memory()
    for _ in range(3):
        again = client_head.parse(data, memory=memory)
        assert again.headers == found.headers
        assert again.carried == found.carried
    for at in range(1, len(data) - 1):
        client_head.check_partial(data[:at])


def chunks(data: bytes) -> None:
    """A chunked body is read alike whole and byte by byte."""
    assert _read([data]) == _read([data[at : at + 1] for at in range(len(data))])


def _read(pieces: Iterable[bytes]) -> tuple[bytes, bool, bytes] | None:
    reader, body, rest = client_body.ChunkedBody(), b"", b""
    try:
        for piece in pieces:
            if reader.done:
                rest += piece
            else:
                body += reader.feed(piece)
    except BadRequest:
        return None
    return body, reader.done, (reader.rest if reader.done else b"") + rest


def template(data: bytes) -> None:
    """A path template is read, or refused with a place and a remedy."""
    text = data.decode("utf-8", "replace")
    try:
        pattern = parse_template(text)
    except PatternError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017
        assert error.resolution  # noqa: PT017
        return
    assert parse_template(text) == pattern
    assert len(pattern.segments) + pattern.rest >= 1


def table(data: bytes) -> None:
    """JSON is a table that survives a round trip, or is refused with a path."""
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        found = from_data(Table, raw)
    except CodecError as error:
        assert error.path.startswith("$")  # noqa: PT017
        return
    again = from_data(Table, to_data(found))
    assert again == found
    assert canonical(again) == canonical(found)
    assert table_hash(again) == table_hash(found)
    assert all(finding.code for finding in validate(found))


_TABLE = {
    "default_backend": "legacy",
    "backends": [
        {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:1"},
        {"id": "new", "side": "new", "url": "http://127.0.0.1:2", "urls": ["http://a:1/b"]},
        {"id": "fn", "side": "new", "kind": "lambda", "function": "f", "region": "eu-west-1"},
    ],
    "capabilities": [{"id": "c", "salt": "s"}],
    "routes": [
        {
            "id": "r",
            "match": {"path": "/a/{b}", "methods": ["GET"]},
            "new": "new",
            "stage": "canary",
            "weight": 100,
            "capability": "c",
            "fallback": {"statuses": [503]},
            "breaker": {"min_calls": 5},
        }
    ],
}

SEEDS: dict[str, list[bytes]] = {
    "head": [*REFUSED.values(), *ACCEPTED.values()],
    "chunks": [*CHUNKS.values(), b"5;a=b\r\nabcde\r\n0\r\nX: 1\r\n\r\n"],
    "template": [b"/", b"/orders/{id}", b"/a/{b}/{rest=**}", b"/a/*/b/**", b"/%2F/{x=*}"],
    "table": [json.dumps(_TABLE).encode(), b"{}", b'{"routes":[]}'],
}
TARGETS: dict[str, Target] = {
    "head": head,
    "chunks": chunks,
    "template": template,
    "table": table,
}
