"""Streams, lines and batches: what differs to their readers is found, and nothing else is."""

from __future__ import annotations

import pytest

from figway.compare.answer import Answer
from figway.compare.verdict import Comparison, compare

EVENTS, LINES = "text/event-stream", "application/x-ndjson"
BATCH = "multipart/mixed; boundary=b1"


def held(legacy: str, new: str, media: str) -> Comparison:
    headers = ((b"Content-Type", media.encode()),)
    return compare(Answer(200, headers, legacy.encode()), Answer(200, headers, new.encode()))


@pytest.mark.parametrize(
    ("legacy", "new"),
    [
        (': hello\n\ndata: {"a":1,"b":2}\n\n', 'data: {"b":2, "a":1}\n\n: ping\n\n'),
        ("data: 1\r\n\r\ndata: 2\r\n\r\n", "data:1\n\ndata:2\n\n"),
        ("\ufeffdata: 1\n\n", "data: 1\n\n"),
        ("event: ready\n\ndata: 1\n\n", "data: 1\n\n"),
        ("event: message\ndata: 1\n\n", "data: 1\n\n"),
        ("data: 1\n\ndata: 2\n\nda", "data: 1\n\ndata: 2\n\ndata: 3"),
        ("id: 7\n\ndata: 1\n\ndata: 2\n\n", "id: 7\ndata: 1\n\nid: 7\ndata: 2\n\n"),
        ("data: 1\n\nretry: soon\n\n", "data: 1\n\n"),
        ("data: 1\n\nother: 2\n\n", "data: 1\n\n"),
    ],
)
def test_what_a_browser_does_not_tell_apart_in_a_stream(legacy: str, new: str) -> None:
    """Line 3: comments, line ends, what is never dispatched (WHATWG HTML, 9.2.6)."""
    assert held(legacy, new, EVENTS).verdict == "match"


@pytest.mark.parametrize(
    ("legacy", "new", "path"),
    [
        ('data: {"a":1}\n\n', 'data: {"a":2}\n\n', "$[*].data.a"),
        ("data: 1\n\n", "data: 1\ndata: 2\n\n", "$[*].data"),
        ("event: a\ndata: 1\n\n", "event: b\ndata: 1\n\n", "$[*].event"),
        ("id: 7\ndata: 1\n\n", "id: 8\ndata: 1\n\n", "$[*].id"),
        ("id: 7\ndata: 1\n\n", "data: 1\n\n", "$[*].id"),
        ("data: 1\n\ndata: 2\n\n", "data: 1\n\n", "$[*]"),
        ("data: 1\n\ndata: [DONE]\n\n", "data: 1\n\ndata: [DONE]", "$[*]"),
        ("retry: 100\n\ndata: 1\n\n", "retry: 9\n\ndata: 1\n\n", "$[*].retry"),
    ],
)
def test_what_a_browser_tells_apart_in_a_stream(legacy: str, new: str, path: str) -> None:
    """Line 3."""
    found = held(legacy, new, EVENTS)
    assert (found.verdict, [item.path for item in found.differences]) == ("mismatch", [path])


@pytest.mark.parametrize(
    ("legacy", "new", "verdict"),
    [
        ('{"a":1,"b":2}\n{"c":3}\n', '{"b":2, "a":1}\r\n{"c":3.0}\n', "match"),
        ('{"a":1}\n\n{"c":3}\n', '{"a":1}\n{"c":3}\n', "match"),
        ('{"a":1}\n{"c":3}\n', '{"a":1}\n{"c":4}\n', "mismatch"),
        ('{"id":1}\n{"id":2}\n', '{"id":1}\n', "mismatch"),
        ('{"id":1}\n{"id":2}\n', '{"id":2}\n{"id":1}\n', "mismatch"),
        ('{"id":1}\n{"id":2}\n', '{"id":1}\n{"id":', "mismatch"),
    ],
)
def test_lines_of_json(legacy: str, new: str, verdict: str) -> None:
    """Line 3: NDJSON."""
    assert held(legacy, new, LINES).verdict == verdict


def batch(*answers: str) -> str:
    head = "--b1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return "".join(f"{head}{answer}\r\n" for answer in answers) + "--b1--\r\n"


def said(body: str, status: str = "200 OK", date: str = "Mon", more: str = "") -> str:
    kind = "Content-Type: application/json"
    return f"HTTP/1.1 {status}\r\nDate: {date}\r\n{more}{kind}\r\n\r\n{body}"


def changeset(*answers: str) -> str:
    inner = batch(*answers).replace("b1", "c1")
    return f"--b1\r\nContent-Type: multipart/mixed; boundary=c1\r\n\r\n{inner}\r\n--b1--\r\n"


@pytest.mark.parametrize(
    ("legacy", "new", "paths"),
    [
        (batch(said('{"a":1,"b":2}')), batch(said('{"b":2,"a":1}', "200 Fine", "Tue")), []),
        (batch(said('{"a":1}')), batch(said('{"a":2}')), ["$[*].body.body.a"]),
        (batch(said("{}")), batch(said("{}", "404 Not Found")), ["$[*].body.status"]),
        (batch(said("{}")), batch(said("{}", more="ETag: 1\r\n")), ["$[*].body['header:etag']"]),
        (batch(said("{}"), said("{}")), batch(said("{}")), ["$[*]"]),
        (batch("HTTP/1.1 204 No Content\r\n\r\n"), batch("HTTP/1.1 204\r\n\r\n"), []),
        (batch("GET /a HTTP/1.1\r\n\r\n"), batch("GET /b HTTP/1.1\r\n\r\n"), ["$[*].body.request"]),
        (changeset(said('{"a":1,"b":2}')), changeset(said('{"b":2,"a":1}')), []),
        (changeset(said('{"a":1}')), changeset(said('{"a":2}')), ["$[*].body[*].body.body.a"]),
        (batch("nonsense"), batch("nonsense"), []),
        (batch("nonsense"), batch("nothing"), ["$[*].body"]),
    ],
)  # fmt: skip
def test_a_batch_of_answers(legacy: str, new: str, paths: list[str]) -> None:
    """Line 3: OData batches are answers in parts, each with a status, headers and a body."""
    assert [item.path for item in held(legacy, new, BATCH).differences] == paths
