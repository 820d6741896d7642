"""Operations and faults are counted as they are served: the inventory, the error guard's part."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest
import zstandard

from figway.model.operations import FaultKind, OperationKind
from figway.model.table import Route, Stage
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.test_operations import (
    CART,
    JSON,
    by,
    graphql,
    moved,
)
from tests.support.wire import Facade, RawBackend, table_of


@pytest.fixture
def counting(facade_of: Open, legacy: RawBackend, new: RawBackend) -> Callable[..., Facade]:
    def make(*routes: Route) -> Facade:
        return facade_of(table_of(legacy.port, new.port, *routes))

    return make


def _counted(facade: Facade, number: int) -> list[tuple[object, ...]]:
    """What was counted of so many requests: name, route, side, requests, errors, faults."""
    facade.wait_for(lambda: len(facade.records) == number)
    names = ("name", "route", "side", "requests", "errors", "faults")
    return sorted(tuple(row[name] for name in names) for row in facade.runtime.operations.take())


def _says(body: bytes, status: int = 200, coding: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, coding, len(body)) + body


def test_operations_are_counted_by_name_where_a_route_reads_them(
    counting: Callable[..., Facade],
) -> None:
    """The inventory: a route of any operation, in stage legacy, is enough; other paths pay none."""
    whole = moved(by(OperationKind.GRAPHQL), id="whole", stage=Stage.LEGACY, new="")
    facade = counting(CART, whole)
    sent = [graphql("query GetCart { cart }")] * 2 + [
        graphql("mutation Buy($card: String) { buy }", variables={"card": "4111111111111111"}),
        graphql("{ user cart }"), b"no json", b"[%b, %b]" % (
            graphql("query GetCart { c }"), graphql("query B { c }")),
    ]  # fmt: skip
    with facade.connect() as client:
        for body in sent:
            client.ask(b"POST", b"/api", JSON, body=body)
        client.ask(b"POST", b"/elsewhere", JSON, body=sent[0])
    assert _counted(facade, 7) == [
        ("B", "-", "legacy", 1, 0, 0),
        ("Buy", "whole", "legacy", 1, 0, 0),
        ("GetCart", "-", "legacy", 1, 0, 0),
        ("GetCart", "moved", "new", 2, 0, 0),
        ("malformed", "-", "legacy", 1, 0, 0),
        ("mixed", "-", "legacy", 1, 0, 0),
        ("{ cart user }", "whole", "legacy", 1, 0, 0),
    ]


ERROR = b'{"errors": [{"message": "no", "extensions": {"code": "%b"}}]}'
ANSWERS = {
    "a server's fault within a 200": (_says(ERROR % b"INTERNAL_SERVER_ERROR"), 1, 1, "failed"),
    "packed": (
        _says(gzip.compress(ERROR % b"INTERNAL_SERVER_ERROR"), 200, b"Content-Encoding: gzip\r\n"),
        1, 1, "failed"),
    "a request that is blamed": (_says(ERROR % b"BAD_USER_INPUT"), 0, 1, ""),
    "one that is blamed with 500": (_says(ERROR % b"BAD_USER_INPUT", 500), 0, 1, "answered"),
    "no fault": (_says(b'{"data": {"errors": []}}'), 0, 0, ""),
    "a word of it in the data": (_says(b'{"data": "\\"errors\\""}'), 0, 0, ""),
    "longer than is held": (
        _says(b'{"pad": "%b", ' % (b"x" * 70_000) + (ERROR % b"INTERNAL_ERROR")[1:]),
        0, 0, "unread"),
    "unpacked longer than is read": (
        _says(gzip.compress(b'{"pad": "%b", ' % (b"x" * 70_000) + (ERROR % b"INTERNAL_ERROR")[1:]),
              200, b"Content-Encoding: gzip\r\n"), 0, 0, "unread"),
    "a broken packing": (_says(b"errors", 200, b"Content-Encoding: gzip\r\n"), 0, 0, "unread"),
    "packed by brotli": (
        _says(brotli.compress(ERROR % b"INTERNAL_SERVER_ERROR"), 200, b"Content-Encoding: br\r\n"),
        1, 1, "failed"),
    "packed by zstd": (
        _says(zstandard.compress(ERROR % b"INTERNAL_ERROR"), 200, b"Content-Encoding: zstd\r\n"),
        1, 1, "failed"),
    "a bomb of brotli": (
        _says(brotli.compress(b" " * 10_000_000 + ERROR % b"INTERNAL_ERROR"), 200,
              b"Content-Encoding: br\r\n"), 0, 0, "unread"),
    "a packing that nobody knows": (
        _says(b"errors", 200, b"Content-Encoding: x-own\r\n"), 0, 0, "unread"),
    "a page in a packing that nobody knows": (
        _says(b"errors", 200, b"Content-Encoding: x-own\r\n")
        .replace(b"application/json", b"image/gif"), 0, 0, ""),
    "a batch that fails at its second": (
        _says(b"[%b, %b]" % (ERROR % b"BAD_USER_INPUT", ERROR % b"INTERNAL_ERROR")),
        1, 1, "failed"),
    "by the media type of GraphQL over HTTP": (
        _says(ERROR % b"INTERNAL_ERROR").replace(b"/json", b"/graphql-response+json"),
        1, 1, "failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_a_fault_that_new_serves_is_told_from_a_failure(
    counting: Callable[..., Facade], new: RawBackend, name: str
) -> None:
    """What the error guard of a rollout is fed with: a status does not tell of these. What could
    not be read is counted as that."""
    answer, errors, faults, word = ANSWERS[name]
    facade = counting(CART)
    new.play = answer
    with facade.connect() as client:
        got = client.ask(b"POST", b"/api", JSON, body=graphql("query GetCart { cart }"))
    assert got.body == answer.partition(b"\r\n\r\n")[2]
    assert _counted(facade, 1) == [("GetCart", "moved", "new", 1, errors, faults)]
    found = facade.call(facade.runtime.operations.take_faults)
    told = [series.get("faulted", {}) for series in found]
    assert told == [{word: 1} if word else {}] * max(faults, word == "unread")


def test_no_answer_is_read_where_faults_are_none(
    counting: Callable[..., Facade], new: RawBackend
) -> None:
    facade = counting(moved(by(OperationKind.GRAPHQL, "GetCart"), faults=FaultKind.NONE))
    new.play = _says(ERROR % b"INTERNAL_SERVER_ERROR")
    with facade.connect() as client:
        client.ask(b"POST", b"/api", JSON, body=graphql("query GetCart { cart }"))
    assert _counted(facade, 1) == [("GetCart", "moved", "new", 1, 0, 0)]


@pytest.mark.parametrize("between", [b"&", b";"])
def test_a_query_that_stands_twice_is_unread(
    counting: Callable[..., Facade], between: bytes
) -> None:
    """Frameworks take the first, the last, or split at semicolons, too. No event of Lambda's with
    single or decoded parameters carries it."""
    facade = counting(moved(by(OperationKind.GRAPHQL), stage=Stage.LEGACY, new=""))
    with facade.connect() as client:
        client.get(b"/api?query=%7Ba%7D" + between + b"query=%7Bb%7D")
    assert facade.last().unread == "ambiguous"
