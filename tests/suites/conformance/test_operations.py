"""Routes by operation, over real sockets: the body decides, and reaches one backend whole, once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest

from figway.model.operations import OperationKind, OperationMatch, OperationType
from figway.model.policies import RateLimit, RoutePolicies
from figway.model.table import Capability, Route, RouteMatch, Stage, Table
from tests.suites.conformance.conftest import Open
from tests.support.wire import Facade, RawBackend, table_of

JSON = b"Content-Type: application/json"
NEW = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"


def by(kind: OperationKind, *names: str, **fields: object) -> OperationMatch:
    return OperationMatch(kind=kind, names=names, **fields)  # type: ignore[arg-type]


def moved(operation: OperationMatch, **fields: object) -> Route:
    match = RouteMatch(path="/api", operation=operation)
    return Route(**{"id": "moved", "match": match, "stage": Stage.NEW, "new": "new", **fields})  # type: ignore[arg-type]


CART = moved(by(OperationKind.GRAPHQL, "GetCart", types=(OperationType.QUERY,)))


@pytest.fixture
def facade_with(facade_of: Open, legacy: RawBackend, new: RawBackend) -> Callable[..., Facade]:
    new.play = NEW

    def make(*routes: Route, **settings: object) -> Facade:
        return facade_of(table_of(legacy.port, new.port, *routes), **settings)

    return make


def graphql(text: str, **more: object) -> bytes:
    return json.dumps({"query": text, **more}).encode()


ONLY = {
    "the named query": (graphql("query GetCart { cart { id } }"), JSON, True),
    "chosen by operationName": (
        graphql("query A { a } query GetCart { c }", operationName="GetCart"), JSON, True),
    "another query": (graphql("query GetUser { user }"), JSON, False),
    "a mutation of that name": (graphql("mutation GetCart { cart }"), JSON, False),
    "not chosen": (graphql("query A { a } query GetCart { c }"), JSON, False),
    "a batch of it": (b"[%b]" % graphql("query GetCart { c }"), JSON, True),
    "a mixed batch": (
        b"[%b, %b]" % (graphql("query GetCart { c }"), graphql("query B { c }")), JSON, False),
    "compressed": (
        gzip.compress(graphql("query GetCart { c }")), JSON + b"\r\nContent-Encoding: gzip", False),
    "in UTF-16": (graphql("query GetCart { c }").decode().encode("utf-16"), JSON, False),
    "as text": (graphql("query GetCart { c }"), b"Content-Type: text/plain", False),
    "no JSON": (b"query GetCart { c }", JSON, False),
    "ten megabytes": (graphql("query GetCart { c }", pad="x" * 10_000_000), JSON, False),
    "just over the limit": (graphql("query GetCart { c }", pad="x" * 65_536), JSON, False),
    "just under it": (graphql("query GetCart { c }", pad="x" * 65_400), JSON, True),
}  # fmt: skip


@pytest.mark.parametrize("name", ONLY)
def test_only_the_named_operation_moves_and_bodies_arrive_whole(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend, name: str
) -> None:
    body, header, moves = ONLY[name]
    facade = facade_with(CART)
    with facade.connect() as client:
        answer = client.ask(b"POST", b"/api", header, body=body)
    served, other = (new, legacy) if moves else (legacy, new)
    assert answer.body == (b"new" if moves else b"ok")
    assert [request.body for request in served.requests] == [body]
    assert other.requests == []
    assert facade.last().side == ("new" if moves else "legacy")


def test_why_an_operation_decided_nothing_is_in_the_record(
    facade_with: Callable[..., Facade],
) -> None:
    facade = facade_with(CART)
    with facade.connect() as client:
        client.ask(b"POST", b"/api", JSON, body=b"{")
        client.ask(b"POST", b"/api", JSON, body=graphql("query GetUser { u }"))
        client.ask(b"POST", b"/other", JSON, body=b"{")
    assert [(r.operation, r.unread) for r in facade.records] == [
        ("", "malformed"),
        ("graphql query GetUser", ""),
        ("", ""),
    ]


def test_a_body_in_pieces_and_in_chunks(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """Nothing is sent to anybody before the operation is known."""
    facade = facade_with(CART)
    body = graphql("query GetCart { cart }")
    with facade.connect() as client:
        client.send(b"POST /api HTTP/1.1\r\nHost: a\r\n" + JSON)
        client.send(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            assert (legacy.requests, new.requests) == ([], [])
        client.send(b"0\r\n\r\n")
        assert client.answer().body == b"new"
    assert [request.body for request in new.requests] == [body]


def test_continue_is_the_facades_to_say(
    facade_with: Callable[..., Facade], new: RawBackend
) -> None:
    """The body is wanted before a backend is known, so nobody else can ask for it."""
    facade = facade_with(CART)
    body = graphql("query GetCart { cart }")
    head = b"POST /api HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
    with facade.connect() as client:
        client.send(head % len(body) + JSON + b"\r\n\r\n")
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        client.send(body)
        assert client.answer().body == b"new"
    assert new.last.all(b"expect") == []


def test_a_client_that_leaves_while_its_body_is_read_leaves_one_record(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    facade = facade_with(CART)
    with facade.connect() as client:
        client.send(
            b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n" + JSON + b"\r\n\r\n{"
        )
        facade.wait_for(lambda: facade.runtime.in_flight == 1)
    facade.wait_for(lambda: len(facade.records) == 1)
    assert facade.last().client_gone
    assert (legacy.requests, new.requests) == ([], [])


def test_a_limit_of_the_body_holds_while_it_is_read(
    facade_with: Callable[..., Facade], legacy: RawBackend
) -> None:
    facade = facade_with(CART, max_body=100)
    body = graphql("query GetCart { cart }", pad="x" * 200)
    with facade.connect() as client:
        client.send(b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + JSON)
        client.send(b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert client.answer().status == 413
    assert legacy.requests == []


def test_a_graphql_query_by_get(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    facade = facade_with(CART)
    with facade.connect() as client:
        assert client.get(b"/api?query=query+GetCart%7Bcart%7D").body == b"new"
        assert client.get(b"/api?query=query+Other%7Bcart%7D").body == b"ok"
        assert client.get(b"/api").body == b"ok"
    assert len(new.requests) == 1


SOAP = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<m:%b xmlns:m="urn:shop"/></s:Body></s:Envelope>'
)
KINDS = {
    "soap": (by(OperationKind.SOAP, "{urn:shop}Get"), b"text/xml", SOAP % b"Get", SOAP % b"Put"),
    "jsonrpc": (
        by(OperationKind.JSONRPC, "order.get"), b"application/json",
        b'{"jsonrpc": "2.0", "id": 1, "method": "order.get"}', b'{"method": "order.put"}'),
    "form": (
        by(OperationKind.FORM, "search", field="action"), b"application/x-www-form-urlencoded",
        b"q=1&action=search", b"q=1&action=buy"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_kinds(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend, kind: str
) -> None:
    operation, media, named, other = KINDS[kind]
    facade = facade_with(moved(operation))
    with facade.connect() as client:
        assert client.ask(b"POST", b"/api", b"Content-Type: " + media, body=named).body == b"new"
        assert client.ask(b"POST", b"/api", b"Content-Type: " + media, body=other).body == b"ok"
    assert ([r.body for r in new.requests], [r.body for r in legacy.requests]) == ([named], [other])


def _part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    head = b'--b1\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n' % (name, more)
    return head + value + b"\r\n"


_FILE = b'; filename="a.bin"'
_UP = _part(b"action", b"up")
UPLOADS = {
    "small, the field first": (_UP + _part(b"file", b"x" * 1_000, _FILE), True),
    "small, the field last": (_part(b"file", b"x" * 1_000, _FILE) + _UP, True),
    "small, the field twice": (_UP + _part(b"file", b"x", _FILE) + _part(b"action", b"no"), False),
    "large, the field first": (_UP + _part(b"file", b"x" * 600_000, _FILE), False),
    "large, the field again after the file": (
        _UP + _part(b"file", b"x" * 600_000, _FILE) + _part(b"action", b"delete"), False),
    "just over the limit": (_UP + _part(b"file", b"x" * 65_536, _FILE), False),
}  # fmt: skip


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_moves_by_its_field_only_where_all_of_it_is_read(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend, name: str
) -> None:
    """Line 1: what stands behind the first 64 KiB may name another value."""
    parts, moves = UPLOADS[name]
    facade = facade_with(moved(by(OperationKind.FORM, "up", field="action")))
    body, media = parts + b"--b1--\r\n", b"Content-Type: multipart/form-data; boundary=b1"
    with facade.connect() as client:
        client.ask(b"POST", b"/api", media, body=body)
    served, other = (new, legacy) if moves else (legacy, new)
    assert [request.body for request in served.requests] == [body]
    assert other.requests == []


def test_a_soap_action_that_lies_moves_nothing(
    facade_with: Callable[..., Facade], legacy: RawBackend
) -> None:
    facade = facade_with(moved(by(OperationKind.SOAP, "{urn:shop}Get")))
    headers = b'Content-Type: text/xml\r\nSOAPAction: "urn:shop/Get"'
    with facade.connect() as client:
        assert client.ask(b"POST", b"/api", headers, body=SOAP % b"Put").body == b"ok"
    assert len(legacy.requests) == 1


def test_a_limit_by_operation(facade_with: Callable[..., Facade], new: RawBackend) -> None:
    """Policies of the route hold for its operation, and for no other of the path."""
    once = RoutePolicies(rate_limits=(RateLimit(requests=1, window_s=60),))
    facade = facade_with(moved(by(OperationKind.GRAPHQL, "GetCart"), policies=once))
    with facade.connect() as client:
        statuses = [
            client.ask(b"POST", b"/api", JSON, body=graphql(f"query {name} {{ a }}")).status
            for name in ("GetCart", "GetCart", "Other", "Other")
        ]
    assert statuses == [200, 429, 200, 200]


def test_users_stay_where_they_are(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """trap 41: a capability's operations and pages share the salt, whatever is read to choose."""
    new.play = NEW
    split = {"stage": Stage.CANARY, "weight": 5_000, "capability": "cart"}
    routes = [
        moved(by(OperationKind.GRAPHQL, "GetCart"), **split),
        moved(by(OperationKind.GRAPHQL, "GetUser"), id="user", **split),
        Route(id="page", match=RouteMatch(path="/cart"), new="new", **split),  # type: ignore[arg-type]
    ]
    plain = table_of(legacy.port, new.port, *routes)
    table = Table(
        default_backend="legacy", backends=plain.backends, routes=plain.routes,
        capabilities={"cart": Capability(id="cart")},
    )  # fmt: skip
    facade = facade_of(table)
    sides: list[bytes] = []
    with facade.connect() as client:
        for user in range(300):
            cookie = b"Cookie: figway_id=%d\r\n" % user + JSON
            met = {
                client.ask(b"POST", b"/api", cookie, body=graphql("query GetCart { a }")).body,
                client.ask(b"POST", b"/api", cookie, body=graphql("query GetUser { a }")).body,
                client.get(b"/cart", cookie).body,
            }
            assert len(met) == 1
            sides += met
    assert 110 < sides.count(b"new") < 190


def test_a_table_swapped_while_a_body_is_read(
    facade_with: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """The request goes by the table of the moment at which its operation is known."""
    facade = facade_with(CART)
    body = graphql("query GetCart { cart }")
    with facade.connect() as client:
        client.send(b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body))
        client.send(JSON + b"\r\n\r\n" + body[:9])
        facade.wait_for(lambda: facade.runtime.in_flight == 1)
        facade.swap(table_of(legacy.port))
        client.send(body[9:])
        assert client.answer().body == b"ok"
    assert facade.last().revision == 2
