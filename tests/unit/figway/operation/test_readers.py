"""Each reader on requests written by hand: what it reads, and what it leaves unread and why."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest

from figway.model.operations import OperationKind
from figway.operation import form_names
from figway.operation.head import pairs_of
from figway.operation.operation import Ask, Operation, OperationReading
from figway.operation.read import OperationReader
from tests.support.tables import Head

GRAPHQL: Ask = (OperationKind.GRAPHQL, "")
SOAP: Ask = (OperationKind.SOAP, "")
RPC: Ask = (OperationKind.JSONRPC, "")
ACTION: Ask = (OperationKind.FORM, "action")
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
SOAP11 = b"http://schemas.xmlsoap.org/soap/envelope/"


def read(
    ask: Ask,
    body: bytes | dict[str, Any] | list[Any] = b"",
    media: bytes = JSON,
    *,
    complete: bool = True,
    reader: OperationReader | None = None,
    method: str = "POST",
    query: bytes = b"",
    coding: bytes | None = None,
) -> OperationReading:
    headers = [(b"content-type", media)] if media else []
    if coding is not None:
        headers.append((b"content-encoding", coding))
    head = Head(path=b"/api", method=method, query=query, headers=headers)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (reader or OperationReader()).read((ask,), head, data, complete=complete)


def said(reading: OperationReading, ask: Ask) -> list[str] | str:
    return reading.reason or [str(operation) for operation in reading.operations(ask)]


DOCUMENT = "query A { cart { id } } mutation B { buy }"
PERSISTED = {
    "persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(b"{ cart }").hexdigest()}
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"query": "{ cart }"}, ["graphql query { cart }"]),
        ({"query": "{ x: cart }", "variables": {"query": 1}}, ["graphql query { cart }"]),
        ({"query": DOCUMENT, "operationName": "B"}, ["graphql mutation B"]),
        (
            [{"query": "{ a }"}, {"query": "query Q { b }"}],
            ["graphql query { a }", "graphql query Q"],
        ),
        ({"query": DOCUMENT}, "ambiguous"),
        ({"query": DOCUMENT, "operationName": "C"}, "malformed"),
        ({"query": "{ a }", "Query": "mutation { b }"}, "ambiguous"),
        (b'{"query": "{ a }", "query": "mutation { b }"}', "ambiguous"),
        (b"\xef\xbb\xbf" + b'{"query": "{ a }"}', "ambiguous"),
        ({"query": "{ a }", "id": "7"}, "ambiguous"),
        ({"id": "7"}, "ambiguous"),
        ({"query": "{ a #\u2028 b\n}"}, "malformed"),
        ({"query": "{ a } #\0"}, "malformed"),
        ({"extensions": {"persistedQuery": {"sha256Hash": "z" * 64}}}, "malformed"),
        ({"operationName": "a\nb", "extensions": PERSISTED}, "malformed"),
        ({"query": "{ a }", "extensions": PERSISTED}, "ambiguous"),
        ({"query": 7}, "malformed"),
        ({"query": "type A { b: Int }"}, "malformed"),
        ({"query": "{ ...F }"}, "malformed"),
        ({"query": "query A { a } query A { b }"}, "malformed"),
        ({"query": "{" * 101 + "a" + "}" * 101}, "malformed"),
        ({"query": "{a" * 101 + "}" * 101}, "too_long"),
        ({}, "absent"),
        ([], "absent"),
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"[" * 60_000, "malformed"),
        ('{"query": "{ a }"}'.encode("utf-16"), "malformed"),
        (b'{"query": "{ a }", "n": NaN}', "malformed"),
        ([{"query": "{ a }"}] * 101, "too_long"),
    ],
)
def test_graphql_in_json(body: Any, expected: list[str] | str) -> None:
    assert said(read(GRAPHQL, body), GRAPHQL) == expected


def test_graphql_by_other_ways() -> None:
    asked = read(GRAPHQL, method="GET", query=b"query=%7B+cart+%7D&variables=%7B%7D")
    assert said(asked, GRAPHQL) == ["graphql query { cart }"]
    twice = read(GRAPHQL, method="GET", query=b"query=%7Ba%7D&query=%7Bb%7D")
    assert said(twice, GRAPHQL) == "ambiguous"
    plain = read(GRAPHQL, b"mutation M { buy }", b"application/graphql")
    assert said(plain, GRAPHQL) == ["graphql mutation M"]
    got = read(GRAPHQL, {"query": "{ b }"}, method="GET", query=b"query=%7Ba%7D")
    assert said(got, GRAPHQL) == "ambiguous"


@pytest.mark.parametrize(
    "query",
    [
        b"query=mutation%7Bb%7D", b"Query=x", b"query[]=x", b"x=1;query=x", b"id=1", b"queryId=1",
        b"doc_id=1", b"batchOperations=[A,B]",
    ],
)  # fmt: skip
def test_graphql_with_more_in_the_url(query: bytes) -> None:
    """What some server reads of the URL beside a body leaves the operation unread."""
    assert said(read(GRAPHQL, {"query": "{ a }"}, query=query), GRAPHQL) == "ambiguous"
    plain = read(GRAPHQL, {"query": "{ a }"}, query=b"variables=%7B%7D&trace=a;b")
    assert said(plain, GRAPHQL) == ["graphql query { a }"]


@pytest.mark.parametrize(("query", "times"), [(b"a=1&query={cart}", 1), (b"a=1;b&query={cart}", 2)])
def test_a_query_string_is_read_once_for_all_that_graphql_knows_there(
    query: bytes, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Besides once more as those read it that split it at semicolons, too: of a thousand pairs,
    each reading is work that every other request waits for."""
    texts: list[bytes] = []

    def counted(text: bytes) -> list[tuple[str, str]]:
        texts.append(text)
        return pairs_of(text)

    monkeypatch.setattr(form_names, "pairs_of", counted)
    assert said(read(GRAPHQL, method="GET", media=b"", query=query), GRAPHQL)
    assert len(texts) == times


@pytest.mark.parametrize("ask", [GRAPHQL, SOAP, RPC, ACTION])
def test_a_request_that_asks_for_another_method(ask: Ask) -> None:
    """Frameworks that go by an override read a GET's parameters, or another handler's."""
    body, media = {
        GRAPHQL: (b'{"query": "{ a }"}', JSON),
        SOAP: (envelope(b"<Get/>"), b"text/xml"),
        RPC: (b'{"method": "a"}', JSON),
        ACTION: (b"action=a", FORM),
    }[ask]
    for field, value, unread in (
        (b"x-http-method-override", b"GET", True),
        (b"x-method-override", b"PUT", True),
        (b"x-http-method-override", b"post", False),
    ):
        headers = [(b"content-type", media), (field, value)]
        head = Head(path=b"/api", method="POST", headers=headers)
        reading = OperationReader().read((ask,), head, body, complete=True)
        assert (reading.reason == "ambiguous") is unread, (field, value)
    if ask is not GRAPHQL:
        assert read(ask, body, media, method="GET").reason == "absent"


def test_a_persisted_query_is_known_once_its_text_was_seen() -> None:
    reader = OperationReader()
    only = {"operationName": None, "extensions": PERSISTED}
    [unknown] = read(GRAPHQL, only, reader=reader).operations(GRAPHQL)
    assert (unknown.type, unknown.hash) == ("", PERSISTED["persistedQuery"]["sha256Hash"])
    wrong = {"query": "mutation { buy }", "extensions": PERSISTED}
    assert said(read(GRAPHQL, wrong, reader=reader), GRAPHQL) == "ambiguous"
    assert read(GRAPHQL, only, reader=reader).operations(GRAPHQL)[0].type == ""  # nothing learned
    read(GRAPHQL, {"query": "{ cart }", "extensions": PERSISTED}, reader=reader)
    [known] = read(GRAPHQL, only, reader=reader).operations(GRAPHQL)
    assert (known.type, known.fields) == ("query", ("cart",))


def test_the_memory_is_bounded_and_does_not_change_what_is_read() -> None:
    reader = OperationReader()
    for at in range(5_000):
        [found] = read(GRAPHQL, {"query": f"{{ f{at} }}"}, reader=reader).operations(GRAPHQL)
        assert found.fields == (f"f{at}",)
    again = read(GRAPHQL, {"query": "{ f0 }"}, reader=reader)
    assert said(again, GRAPHQL) == ["graphql query { f0 }"]
    assert len(reader._graphql._known) <= 4_096


@pytest.mark.parametrize("ask", [GRAPHQL, SOAP, RPC, ACTION])
def test_what_no_reader_takes(ask: Ask) -> None:
    """Compressed, of another type, cut, ten megabytes: bounded, and unread."""
    media = {GRAPHQL: JSON, SOAP: b"text/xml", RPC: JSON, ACTION: FORM}[ask]
    assert read(ask, gzip.compress(b"{}"), media, coding=b"gzip").reason == "compressed"
    assert read(ask, b"{}", b"text/plain").reason == "media_type"
    assert read(ask, b"{}", b"").reason == "media_type"
    assert read(ask, b"{}", media + b"; charset=utf-16").reason == "media_type"
    assert read(ask, b" " * 65_537, media, complete=False).reason in ("too_long", "malformed")
    assert read(ask, b"<a>" * 3_500_000, media).reason in ("too_long", "malformed", "absent")


def envelope(body: bytes, header: bytes = b"", namespace: bytes = SOAP11) -> bytes:
    return b'<s:Envelope xmlns:s="%b">%b<s:Body>%b</s:Body></s:Envelope>' % (
        namespace,
        header,
        body,
    )


ENCODED = b"http://schemas.xmlsoap.org/soap/encoding/"
LAUGHS = b"""<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (envelope(b'<m:Get xmlns:m="urn:a"/>'), ["soap {urn:a}Get"]),
        (envelope(b"<Get/>", namespace=b"http://www.w3.org/2003/05/soap-envelope"), ["soap Get"]),
        (envelope(b"<Get/>", b"<s:Header><s:Body><Evil/></s:Body></s:Header>"), ["soap Get"]),
        (b"\xef\xbb\xbf" + envelope(b"<Get/>"), ["soap Get"]),
        (envelope(b"<Get>" + b"<x/>" * 9_000 + b"</Get>"), ["soap Get"]),
        (envelope(b"<!-- <Put/> --><?x <Put/>?><![CDATA[<Put/>]]><Get/>"), ["soap Get"]),
        (envelope(b'<Get/><multiRef id="id0"/>'), ["soap Get"]),
        (envelope(b"<Get/><Put/>"), "ambiguous"),
        (envelope(b'<Put xmlns:e="%b" e:root="0"/><Get id="a"/>' % ENCODED), "ambiguous"),
        (envelope(b"<Get/>", b'<Body><Put/></Body>'), "ambiguous"),
        (b'<?xml version="1.0"' + b" " * 250 + b'encoding="cp037"?>' + envelope(b"<Get/>"),
         "media_type"),
        (envelope(b"<Get/>", b"<s:Header>" + b"x" * 70_000 + b"</s:Header>"), "too_long"),
        (envelope(b"<Get/>", b"<s:Header>" + b"x" * 20_000 + b"</s:Header>"), ["soap Get"]),
        (envelope(b"<Get>" + b"x" * 20_000 + b"</Get><Put/>"), "ambiguous"),
        (envelope(b"<Get>" + b"x" * 20_000 + b"</Get></s:Body><s:Body><Put/>"), "ambiguous"),
        (envelope(b"<Get>" + b"x" * 20_000 + b"</Put>"), "malformed"),
        (envelope(b""), "absent"),
        (envelope(b"<Get/></s:Body><s:Body><Put/>"), "ambiguous"),
        (envelope(b"<Get/>", namespace=b"urn:other"), "malformed"),
        (envelope(b"<Get/>")[:-3], "malformed"),
        (envelope(b"<Get/>").decode().encode("utf-16"), "media_type"),
        (b'<?xml version="1.0" encoding="utf-7"?>' + envelope(b"<Get/>"), "media_type"),
        (LAUGHS + envelope(b"<Get>&b;</Get>"), "malformed"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + envelope(b"<Get/>"), "malformed"),
        (envelope(b"<Get>&undefined;</Get>"), "malformed"),
        (b"<a>" * 5_000, "malformed"),
    ],
)  # fmt: skip
def test_soap(body: bytes, expected: list[str] | str) -> None:
    assert said(read(SOAP, body, b"text/xml; charset=utf-8"), SOAP) == expected


RELATED = b'multipart/related; type="application/xop+xml"; start="<root>"; boundary="b1"'
ATTACHED = (
    b"--b1\r\nContent-ID: <image>\r\n\r\nnoise\r\n"
    b"--b1\r\nContent-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <root>\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n" + envelope(b"<Upload/>") + b"\r\n--b1"
)


def test_soap_with_attachments() -> None:
    """MTOM: the part that `start` names, also where the attachments after it are not there yet."""
    assert said(read(SOAP, ATTACHED + b"--\r\n", RELATED), SOAP) == ["soap Upload"]
    more = ATTACHED + b"\r\nContent-ID: <b>\r\n\r\n" + b"x" * 50_000
    assert said(read(SOAP, more, RELATED, complete=False), SOAP) == ["soap Upload"]
    assert said(read(SOAP, ATTACHED[:60], RELATED, complete=False), SOAP) == "too_long"
    other = ATTACHED.replace(b"binary", b"base64") + b"--\r\n"
    assert said(read(SOAP, other, RELATED), SOAP) == "media_type"


@pytest.mark.parametrize("also", [b"root", b"<ROOT>", b"<%72oot>", b'"<root>"', b" <root> "])
def test_a_root_that_two_parts_may_be(also: bytes) -> None:
    """Readers compare ids with or without brackets, case and escapes, and take the first or the
    last of two that are equal."""
    twice = ATTACHED.replace(b"<image>", also).replace(b"noise", envelope(b"<Delete/>")) + b"--\r\n"
    assert said(read(SOAP, twice, RELATED), SOAP) == "ambiguous"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"jsonrpc": "2.0", "method": "order.get", "id": 1}, ["jsonrpc order.get"]),
        ([{"method": "a"}, {"method": "b"}], ["jsonrpc a", "jsonrpc b"]),
        ({"method": "a", "Method": "b"}, "ambiguous"),
        (b'{"method": "a", "m\\u0065thod": "b"}', "ambiguous"),
        ({"method": "a", "method\0": "b"}, "ambiguous"),
        ({"method": "a\0b"}, "ambiguous"),
        ({"method": "a\nb"}, "ambiguous"),
        (b'{"method": "\\ud800"}', "ambiguous"),
        ({"result": 1}, "absent"),
        ({"method": 1}, "malformed"),
        (["a"], "malformed"),
        (b"7", "malformed"),
    ],
)
def test_jsonrpc(body: Any, expected: list[str] | str) -> None:
    assert said(read(RPC, body), RPC) == expected


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        (b"q=1&action=search", b"", ["form search"]),
        (b"%61ction=se%61rch+it", b"", ["form search it"]),
        (b"action=a&action=b", b"", "ambiguous"),
        (b"action=a", b"action=b", "ambiguous"),
        (b"action=a;b=1", b"", "ambiguous"),
        (b"action[]=a&action=b", b"", "ambiguous"),
        (b"+action=a&action=b", b"", "ambiguous"),
        (b"x=1;action=a", b"", "ambiguous"),
        (b"x=1;action=b&action=a", b"", "ambiguous"),
        (b"action%00x=b&action=a", b"", "ambiguous"),
        (b"[action]=b&action=a", b"", "ambiguous"),
        (b"action]=b&action=a", b"", "ambiguous"),
        (b"Action=b&action=a", b"", "ambiguous"),
        (b"%22action%22=b&action=a", b"", "ambiguous"),
        (b"action=a%0d%0a", b"", "ambiguous"),
        (b"action=a%1fb", b"", "ambiguous"),
        (b"", b"action=a", "ambiguous"),
        (b"q=%3Baction%3Db&action=a", b"", ["form a"]),
        (b"q=1;2&reaction=b&action_=c&action=a", b"x=1", ["form a"]),
        (b"q=1&" * 1_000 + b"action=a", b"", "too_long"),
        (b"action=%zz", b"", "malformed"),
        (b"action=%ff", b"", "malformed"),
        (b"q=1", b"", "absent"),
        (b"", b"", "absent"),
    ],
)
def test_urlencoded_forms(body: bytes, query: bytes, expected: list[str] | str) -> None:
    assert said(read(ACTION, body, FORM, query=query), ACTION) == expected


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'--b1\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (
        name,
        more,
        value,
    )


MULTIPART = b"multipart/form-data; boundary=b1"


def test_multipart_forms() -> None:
    whole = part(b"q", b"1") + part(b"action", b"search") + b"--b1--\r\n"
    assert said(read(ACTION, whole, MULTIPART), ACTION) == ["form search"]
    twice = part(b"action", b"a") + part(b"action", b"b") + b"--b1--\r\n"
    assert said(read(ACTION, twice, MULTIPART), ACTION) == "ambiguous"
    file = part(b"action", b"a", b'; filename="a"') + b"--b1--\r\n"
    assert said(read(ACTION, file, MULTIPART), ACTION) == "ambiguous"


UPLOAD = part(b"file", b"x" * 60_000, b'; filename="a.bin"')
UP, DELETE = part(b"action", b"up"), part(b"action", b"delete")


@pytest.mark.parametrize(
    ("body", "complete", "expected"),
    [
        (UP + UPLOAD + b"--b1--\r\n", True, ["form up"]),
        (UPLOAD + UP + b"--b1--\r\n", True, ["form up"]),
        (UP + UPLOAD + DELETE + b"--b1--\r\n", True, "ambiguous"),
        (UP + UPLOAD + UP + b"--b1--\r\n", True, "ambiguous"),
        (UP + UPLOAD[:50_000], False, "too_long"),
        (UP + UPLOAD + part(b"q", b"1"), False, "too_long"),
        (UP + DELETE + UPLOAD, False, "too_long"),
        (UPLOAD, False, "too_long"),
        (b"q=1&action=up&pad=xxx", False, "too_long"),
    ],
)
def test_an_upload_is_read_whole_or_not_at_all(
    body: bytes, complete: bool, expected: list[str] | str
) -> None:
    """Line 1: the field before a file may come again behind what is kept, with another value, and
    PHP, Rack and Django take the last one."""
    media = MULTIPART if body.startswith(b"--") else FORM
    assert said(read(ACTION, body, media, complete=complete), ACTION) == expected


SEARCH = part(b"q", b"1") + part(b"action", b"search") + b"--b1--\r\n"


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"--b\r\n" + SEARCH, MULTIPART),  # another reader's part before the first
        (SEARCH + part(b"action", b"b"), MULTIPART),  # and after the last
        (SEARCH.replace(b"1\r\n", b"1\n--b1\nContent-Disposition: x\n\n"), MULTIPART),
        (SEARCH.replace(b"--b1\r\n", b"--b1 \r\n"), MULTIPART),
        (SEARCH.replace(b'"q"', b'"q"\r\nX: y\nContent-Disposition: z'), MULTIPART),
        (SEARCH.replace(b'"q"', b'"act\\ion"'), MULTIPART),
        (SEARCH.replace(b'"q"', b'"%61ction"'), MULTIPART),
        (SEARCH.replace(b'"q"', b"'action'"), MULTIPART),
        (SEARCH.replace(b'"q"', b'"q"; filename="; name=action; "'), MULTIPART),
        (SEARCH.replace(b'"q"', b'"q"; name*0="action"'), MULTIPART),
        (SEARCH.replace(b"b1", b"b1,x"), MULTIPART + b",x"),
        (SEARCH, MULTIPART + b"; xboundary=b"),
        (SEARCH, MULTIPART + b"; boundary*0=b"),
        (SEARCH, MULTIPART + b"; charset=ibm037"),
        (SEARCH.replace(b'"q"', b'"q"\r\nContent-Type: multipart/mixed; boundary=in'), MULTIPART),
        (SEARCH.replace(b'"action"', b'"action"\r\nContent-Type: a/b; charset=utf-16'), MULTIPART),
    ],
)
def test_multipart_that_readers_take_differently(body: bytes, media: bytes) -> None:
    """PHP goes by lines, reads on after the end, and ends a boundary at a comma."""
    assert said(read(ACTION, SEARCH, MULTIPART), ACTION) == ["form search"]
    assert read(ACTION, body, media).reason in ("ambiguous", "malformed", "media_type")


def test_the_end_of_a_multipart_body_that_is_not_there_yet() -> None:
    """After the last part nothing may come, and what comes is not known."""
    assert read(ACTION, SEARCH, MULTIPART, complete=False).reason == "too_long"


def test_an_operation_says_what_it_is() -> None:
    assert str(Operation(OperationKind.GRAPHQL, "A", "query", ("a",))) == "graphql query A"
    assert "persisted" in str(Operation(OperationKind.GRAPHQL, hash="ab" * 32))
