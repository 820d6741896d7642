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


def _soap(body: bytes, head: bytes = b"", namespace: bytes = b"") -> bytes:
    where = namespace or b"http://schemas.xmlsoap.org/soap/envelope/"
    return b'%b<x:Envelope xmlns:x="%b"><x:Body>%b</x:Body></x:Envelope>' % (head, where, body)


XML = b"Content-Type: text/xml; charset=utf-8"
FORM = b"Content-Type: application/x-www-form-urlencoded"
MULTI = b"Content-Type: multipart/form-data; boundary=b1"
_GET = b'<Get xmlns="urn:shop"/>'
_CUT = b"\r\n--b1--\r\n"
ODD: dict[str, tuple[bytes, bytes, bytes, str]] = {
    # kind and query, header, body, what is read: the operation, or a reason
    "g: escaped": (b"g", JSON, rb'{"query": "\u0071uery A { \u0061 }"}', "graphql query A"),
    "g: an escaped member": (b"g", JSON, rb'{"\u0071uery": "query A { a }"}', "graphql query A"),
    "g: twice, once escaped": (
        b"g", JSON, rb'{"query": "query A { a }", "\u0071uery": "query B { b }"}', "ambiguous"),
    "g: a comment with commas": (
        b"g", JSON, graphql("# query B { b },\n,,query,A,{,a,}"), "graphql query A"),
    "g: a comment that ends at CR": (
        b"g", JSON, graphql("query A { a } # {\rquery B { b }"), "ambiguous"),
    "g: a block string": (
        b"g", JSON, graphql('query A { a(x: """ } query B { b } \\""" """) }'), "graphql query A"),
    "g: aliases and fragments": (
        b"g", JSON, graphql("{ me: user ...F } fragment F on Query { cart: basket }"),
        "graphql query { user basket }"),
    "g: a name that none has": (
        b"g", JSON, graphql("query A { a }", operationName="B"), "malformed"),
    "g: a name that is no text": (
        b"g", JSON, graphql("query A { a }", operationName=1), "malformed"),
    "g: deep": (b"g", JSON, graphql("{a" * 5_000 + "}" * 5_000), "too_long"),
    "g: deep in JSON": (b"g", JSON, b'{"query": "{ a }", "v": %b}' % (b"[" * 9_000), "malformed"),
    "g: BOM": (b"g", JSON, b"\xef\xbb\xbf" + graphql("{ a }"), "ambiguous"),
    "g: a stored document and a text": (
        b"g", JSON, graphql("query A { a }", documentId="x"), "ambiguous"),
    "g: a stored operation and a text": (
        b"g", JSON, graphql("query A { a }", operationId="x/y"), "ambiguous"),
    "g: one in the extensions": (
        b"g", JSON, graphql("query A { a }", extensions={"operationId": "x"}), "ambiguous"),
    "g: another method asked for": (
        b"g", JSON, graphql("query A { a }", _method="DELETE"), "ambiguous"),
    "g: a text in the URL, too": (b"g?query=%7Bb%7D", JSON, graphql("query A { a }"), "ambiguous"),
    "g: an upload": (b"g", MULTI, b"--b1\r\n\r\n" + _CUT, "media_type"),
    "g: a subscription": (
        b"g", JSON, graphql("subscription S { s }"), "graphql subscription S"),
    "g: an empty batch": (b"g", JSON, b"[]", "absent"),
    "s: a prefix nobody uses": (
        b"s", XML, _soap(b'<q:Get xmlns:q="urn:shop"/>'), "soap {urn:shop}Get"),
    "s: between comments and CDATA": (
        b"s", XML, _soap(b"<!-- <Put/> --><![CDATA[<Put/>]]><?x y?>" + _GET), "soap {urn:shop}Get"),
    "s: in a header alone": (
        b"s", XML, b'<x:Envelope xmlns:x="http://www.w3.org/2003/05/soap-envelope"><x:Header>'
        b"<x:Body>%b</x:Body></x:Header><x:Body/></x:Envelope>" % _GET, "absent"),
    "s: an xsi:type": (
        b"s", XML,
        _soap(b'<Get xmlns="urn:shop" xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
              b'i:type="Put"/>'), "soap {urn:shop}Get"),
    "s: a document type": (b"s", XML, _soap(_GET, b"<!DOCTYPE x [<!ENTITY a 'b'>]>"), "malformed"),
    "s: another charset than it says": (
        b"s", XML, _soap(b'<G\xe9t xmlns="urn:shop"/>', b"<?xml version='1.0' encoding='latin1'?>"),
        "media_type"),
    "s: UTF-16": (b"s", XML, _soap(_GET).decode().encode("utf-16"), "media_type"),
    "s: UTF-7": (b"s", b"Content-Type: text/xml; charset=utf-7", _soap(_GET), "media_type"),
    "s: two children": (b"s", XML, _soap(_GET + b'<Put xmlns="urn:shop"/>'), "ambiguous"),
    "s: two bodies": (
        b"s", XML, _soap(_GET).replace(b"</x:Envelope>", b"<x:Body/></x:Envelope>"), "ambiguous"),
    "s: an action that says otherwise": (
        b"s", XML + b'\r\nSOAPAction: "urn:shop/Put"', _soap(_GET), "soap {urn:shop}Get"),
    "s: no envelope": (b"s", XML, _GET, "malformed"),
    "s: another envelope": (b"s", XML, _soap(_GET, namespace=b"urn:mine"), "malformed"),
    "j: a notification": (b"j", JSON, b'{"jsonrpc": "2.0", "method": "a.b"}', "jsonrpc a.b"),
    "j: 1.0 with an odd id": (b"j", JSON, b'{"method": "a.b", "id": [null]}', "jsonrpc a.b"),
    "j: the method twice": (b"j", JSON, b'{"method": "a", "method": "b", "id": 1}', "ambiguous"),
    "j: in another case": (b"j", JSON, b'{"method": "a", "Method": "b"}', "ambiguous"),
    "j: a response": (b"j", JSON, b'{"result": 1, "id": 1}', "absent"),
    "j: a batch": (b"j", JSON, b'[{"method": "a"}, {"method": "b"}]', "jsonrpc a, jsonrpc b"),
    "j: a batch with a number": (b"j", JSON, b'[{"method": "a"}, 1]', "malformed"),
    "j: another version": (b"j", JSON, b'{"jsonrpc": 2.0, "method": "a"}', "malformed"),
    "j: not a number": (b"j", JSON, b'{"method": "a", "params": NaN}', "malformed"),
    "j: a control in the name": (b"j", JSON, rb'{"method": "a\u0000b"}', "ambiguous"),
    "j: half a character": (b"j", JSON, rb'{"method": "\ud800"}', "ambiguous"),
    "j: as text": (b"j", b"Content-Type: text/plain", b'{"method": "a"}', "media_type"),
    "j: no type": (b"j", b"X-A: b", b'{"method": "a"}', "media_type"),
    "j: two types": (b"j", JSON + b"\r\nContent-Type: text/plain", b'{"method": "a"}', ""),
    "f: percent and plus": (b"f", FORM, b"x=1&%61ction=se%61rch+it", "form search it"),
    "f: twice": (b"f", FORM, b"action=a&action=b", "ambiguous"),
    "f: in the URL, too": (b"f?action=b", FORM, b"action=a", "ambiguous"),
    "f: in a cookie, too": (b"f", FORM + b"\r\nCookie: a=1; action=b", b"action=a", "ambiguous"),
    "f: nested": (b"f", FORM, b"action[x]=a", "ambiguous"),
    "f: split at semicolons": (b"f", FORM, b"x=1;action=b&action=a", "ambiguous"),
    "f: another method": (b"f", FORM, b"_method=delete&action=a", "ambiguous"),
    "f: the same method": (b"f", FORM, b"_method=post&action=a", "form a"),
    "f: another charset": (b"f", FORM + b"; charset=utf-16", b"action=a", "media_type"),
    "f: no UTF-8": (b"f", FORM, b"action=%ff", "malformed"),
    "f: a file of that name": (
        b"f", MULTI, b'--b1\r\nContent-Disposition: form-data; name="action"; filename="x"\r\n\r\na'
        + _CUT, "ambiguous"),
    "f: a quoted name of a file that holds another": (
        b"f", MULTI,
        b'--b1\r\nContent-Disposition: form-data; name="up"; filename="a; name=action"\r\n\r\na'
        + _CUT, "ambiguous"),
    "f: a method in parts": (
        b"f", MULTI,
        b'--b1\r\nContent-Disposition: form-data; name="_method"\r\n\r\nPUT\r\n'
        b'--b1\r\nContent-Disposition: form-data; name="action"\r\n\r\na' + _CUT, "ambiguous"),
    "f: parts": (
        b"f", MULTI,
        b'--b1\r\nContent-Disposition: form-data; name="action"\r\n\r\na' + _CUT, "form a"),
    "f: an odd boundary": (
        b"f", b'Content-Type: multipart/form-data; boundary="a b"',
        b'--a b\r\nContent-Disposition: form-data; name="action"\r\n\r\na\r\n--a b--\r\n',
        "malformed"),
}  # fmt: skip


def test_every_door_reads_odd_bodies_alike(
    facade_with: Callable[..., Facade], legacy: RawBackend
) -> None:
    """Line 1: never a wrong name; what is unread goes on as it came, with its reason."""
    kinds = {"g": OperationKind.GRAPHQL, "s": OperationKind.SOAP, "j": OperationKind.JSONRPC}
    operations = {name: by(kind) for name, kind in kinds.items()}
    operations["f"] = by(OperationKind.FORM, field="action")
    facade = facade_with(*(
        Route(id=name, match=RouteMatch(path=f"/{name}", operation=operation))
        for name, operation in operations.items()
    ))  # fmt: skip
    wrong = []
    with facade.connect() as client:
        for number, (name, (target, header, body, expected)) in enumerate(ODD.items(), 1):
            client.ask(b"POST", b"/" + target, header, body=body)
            record = facade.last(number)
            read = record.unread or record.operation
            if expected and read != expected:
                wrong.append(f"{name}: {read!r} is not {expected!r}")
            if legacy.requests[-1].body != body:
                wrong.append(f"{name}: another body arrived")
    assert wrong == []


def test_a_query_string_is_read_alike(facade_with: Callable[..., Facade]) -> None:
    """GraphQL by GET."""
    facade = facade_with(moved(by(OperationKind.GRAPHQL), stage=Stage.LEGACY))
    cases = {
        b"?query=query+A%7Ba%7D": "graphql query A",
        b"?query=query+A%7Ba%7Dquery+B%7Bb%7D&operationName=B": "graphql query B",
        b"?query=%7Ba%7D&documentId=x": "ambiguous",
        b"?query=%7Ba%7D&operationId=x": "ambiguous",
        b"?query=%7Ba%7D&variables=%7B%22query%22:1%7D": "graphql query { a }",
        b"?query=%zz": "malformed",
        b"?extensions=%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22zz%22%7D%7D": "malformed",
        b"?wsdl": "absent",
    }
    found = {}
    with facade.connect() as client:
        for number, query in enumerate(cases, 1):
            client.get(b"/api" + query)
            record = facade.last(number)
            found[query] = record.unread or record.operation
    assert found == cases
