"""Any bytes, any text, any JSON: the codecs answer or refuse in their own words, and agree."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from figway.model.codec import CodecError, canonical, from_data, table_hash, to_data
from figway.model.table import Table
from figway.routing.pattern import PatternError, parse
from figway.validate.table import validate
from proxy.wire import chunked, client_body
from proxy.wire.client_head import BadRequest
from proxy.wire.odd_head import BadResponse
from proxy.wire.response_head import check_partial, parse_response_head
from tests.suites.hostile.corpus import ANSWERS, CHUNKS, SMUGGLED
from tests.suites.hostile.mutate import SPICE

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))
fuzzed = settings(max_examples=EXAMPLES, deadline=None)

heads = st.sampled_from(sorted(ANSWERS.values()))
chunks = st.sampled_from([*sorted(CHUNKS.values()), b"5\r\nabcde\r\n0\r\nX: 1\r\n\r\n" + SMUGGLED])
spiced = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(SPICE)), max_size=3)
cuts = st.lists(st.integers(0, 300), max_size=4)


def bent(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    for at, piece in changes:
        data = data[:at] + piece + data[at + (at % 2) :]
    return data


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def by_client(parts: list[bytes]) -> tuple[Any, ...]:
    """What the door's reader of chunked bodies makes of pieces."""
    reader, body = client_body.ChunkedBody(), b""
    try:
        rest = b""
        for part in parts:
            if reader.done:
                rest += part
            else:
                body += reader.feed(part)
    except BadRequest:
        return ("refused",)
    return (body, reader.done, reader.trailers, (reader.rest if reader.done else b"") + rest)


@fuzzed
@given(chunks, spiced, cuts)
def test_a_chunked_request_is_read_alike_in_any_pieces(
    data: bytes, changes: list[tuple[int, bytes]], places: list[int]
) -> None:
    """trap 17: where the network cuts a body decides nothing."""
    data = bent(data, changes)
    whole, cut = by_client([data]), by_client(pieces(data, places))
    assert whole == cut


def by_upstream(parts: list[bytes]) -> tuple[Any, ...]:
    """The same for the reader of answers."""
    reader, body = chunked.ChunkedReader(lenient=True), b""
    try:
        for part in parts:
            if not reader.done and part:
                body += reader.feed(part)
    except chunked.BadChunk:
        return ("refused",)
    return (body, reader.done, reader.trailers)


@fuzzed
@given(chunks, spiced, cuts)
def test_a_chunked_answer_is_read_alike_in_any_pieces(
    data: bytes, changes: list[tuple[int, bytes]], places: list[int]
) -> None:
    """trap 17: the same for answers; a whole body is the same body, refused is refused."""
    data = bent(data, changes)
    whole, cut = by_upstream([data]), by_upstream(pieces(data, places))
    if whole != cut:
        # Read at once, what follows the end is refused with the rest; cut, it is never looked at.
        assert ("refused",) in (whole, cut)
        assert next(item for item in (whole, cut) if item != ("refused",))[1]


@fuzzed
@given(heads, spiced, st.booleans())
def test_any_answer_is_a_head_or_refused(
    data: bytes, changes: list[tuple[int, bytes]], to_head: bool
) -> None:
    """trap 17: nothing else is ever raised, and what is accepted has one framing."""
    data = bent(data, changes)
    with suppress(BadResponse):
        check_partial(data, 0)
    try:
        parsed = parse_response_head(data, to_head=to_head)
    except BadResponse:
        return
    if parsed is None:
        return
    names = [name.lower() for name, _ in parsed.head.headers]
    assert names.count(b"content-length") <= 1
    assert not {b"content-length", b"transfer-encoding"} <= set(names)
    assert parsed.length >= -2
    assert all(b"\r" not in value and b"\n" not in value for _, value in parsed.head.headers)


@fuzzed
@given(st.binary(max_size=300))
def test_noise_is_refused_as_an_answer(data: bytes) -> None:
    """trap 17: any bytes at all."""
    for candidate in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        with suppress(BadResponse):
            parse_response_head(candidate)


@fuzzed
@given(
    st.text("/{}*=abc.%2Ff;_~ é\\", max_size=40)
    | st.text(max_size=60)
    | st.lists(st.sampled_from(["/", "{a}", "{b=**}", "{a=*}", "**", "*", "x", "..", "%2F"])).map(
        "".join
    )
)
def test_any_template_is_read_or_refused(template: str) -> None:
    """trap 14, trap 53: a template names what is wrong, at a place inside it."""
    try:
        pattern = parse(template)
    except PatternError as error:
        assert 0 <= error.position <= len(template)  # noqa: PT017
        assert error.resolution  # noqa: PT017
        return
    assert parse(template) == pattern
    assert len(pattern.segments) + pattern.rest >= 1


KEYS = (
    "backends routes capabilities default_backend kill_switch id match path stage weight new side "
    "url fallback breaker timeouts sticky kind"
)
keys = st.sampled_from(KEYS.split())
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["legacy", "new", "http", "/a/{b}", "http://127.0.0.1:1", "canary"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=25,
)


@fuzzed
@given(st.dictionaries(keys, values, max_size=6) | values)
def test_any_json_is_a_table_or_refused(data: Any) -> None:
    """trap 53: a bad table is a CodecError or coded findings, never another exception."""
    try:
        table = from_data(Table, data)
    except CodecError as error:
        assert error.path.startswith("$")  # noqa: PT017
        return
    again = from_data(Table, to_data(table))
    assert again == table
    assert canonical(again) == canonical(table)
    assert table_hash(again) == table_hash(table)
    for finding in validate(table):
        assert finding.code


GOOD: dict[str, Any] = {
    "default_backend": "legacy",
    "backends": [
        {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:1"},
        {"id": "new", "side": "new", "url": "http://127.0.0.1:2"},
    ],
    "routes": [{"id": "r", "match": {"path": "/a/{b}"}, "new": "new", "stage": "canary"}],
}


@fuzzed
@given(st.sampled_from(["backends", "routes"]), st.integers(0, 1), keys, values)
def test_a_table_with_one_bad_field(group: str, index: int, key: str, value: Any) -> None:
    """trap 53: the same close to a good table, where most mistakes are made."""
    items = [dict(item) for item in GOOD[group]]
    items[min(index, len(items) - 1)][key] = value
    try:
        table = from_data(Table, {**GOOD, group: items})
    except CodecError as error:
        assert error.path.startswith("$")  # noqa: PT017
        return
    for finding in validate(table):
        assert finding.code
    assert from_data(Table, to_data(table)) == table
