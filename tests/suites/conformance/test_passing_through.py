"""Day 0: what legacy and the client get through the facade is what the other one sent."""

from __future__ import annotations

import gzip
import hashlib
import re

import pytest

from figway.model.backend import HostPolicy
from figway.model.table import Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.support.wire import Facade, Message, Peer, RawBackend, table_of

ADDED = [b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"]
ADDED += [b"traceparent", b"figway-hop"]


def raw(status: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"", b""]) + body


def as_seen(door: str, pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a door can keep of header names: ASGI has them in lower case."""
    return pairs if door == "native" else [(name.lower(), value) for name, value in pairs]


def test_the_request_reaches_legacy_unchanged(
    door: str, facade: Facade, legacy: RawBackend
) -> None:
    """trap 4, trap 2: equal header lists, order and case kept, less the documented changes."""
    sent = [
        (b"Host", b"shop.example"),
        (b"X-Custom", b"one"),
        (b"aCCept", b"text/html"),
        (b"X-Custom", b"two"),
        (b"Cookie", b"a=1; b=2"),
        (b"X-Empty", b"e"),
    ]
    with facade.connect() as client:
        client.send(
            b"GET /p?q=1 HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % p for p in sent) + b"\r\n"
        )
        assert client.answer().body == b"ok"
    got = legacy.last.headers
    assert legacy.last.line == b"GET /p?q=1 HTTP/1.1"
    assert got[: len(sent)] == [sent[0], *as_seen(door, sent[1:])]
    assert [name.lower() for name, _ in got[len(sent) :]] == ADDED


def test_nothing_is_added_for_a_client_that_sends_nothing(
    facade: Facade, legacy: RawBackend
) -> None:
    """trap 4: no Accept, Accept-Encoding or User-Agent that the client never sent."""
    with facade.connect() as client:
        client.get()
    assert [name.lower() for name, _ in legacy.last.headers] == [b"host", *ADDED]


def test_the_answer_reaches_the_client_unchanged(
    door: str, facade: Facade, legacy: RawBackend
) -> None:
    """trap 2: two Set-Cookies stay two; responses gain nothing."""
    pairs = [
        (b"Server", b"legacy/1"),
        (b"Set-Cookie", b"a=1; Path=/; SameSite=Lax"),
        (b"X-UPPER", b"Kept"),
        (b"Set-Cookie", b"b=2, still b; Partitioned"),
        (b"Content-Length", b"2"),
    ]
    legacy.play = raw(b"200 OK", *(b"%b: %b" % pair for pair in pairs), body=b"ok")
    with facade.connect() as client:
        answer = client.get()
    assert answer.headers == as_seen(door, pairs)
    assert answer.body == b"ok"


def test_no_cookie_passes_from_one_client_to_another(facade: Facade, legacy: RawBackend) -> None:
    """trap 1: two clients through one pooled connection."""
    legacy.play = raw(b"200 OK", b"Set-Cookie: session=first", b"Content-Length: 0")
    with facade.connect() as one:
        assert one.get().one(b"set-cookie") == b"session=first"
    with facade.connect() as two:
        two.get()
    assert legacy.last.all(b"cookie") == []


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate"])
def test_coded_bodies_are_relayed_raw(facade: Facade, legacy: RawBackend, coding: bytes) -> None:
    """trap 3: identical bytes, Content-Encoding and Content-Length for any coding."""
    body = gzip.compress(b"hello" * 1_000) if coding == b"gzip" else bytes(range(256)) * 9
    legacy.play = raw(
        b"200 OK",
        b"Content-Encoding: " + coding,
        b"Content-Length: %d" % len(body),
        body=body,
    )
    with facade.connect() as client:
        answer = client.get(b"/", b"Accept-Encoding: " + coding)
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
    assert answer.one(b"content-encoding") == coding
    assert answer.one(b"content-length") == b"%d" % len(body)
    assert legacy.last.one(b"accept-encoding") == coding


def test_hop_by_hop_fields_end_here(facade: Facade, legacy: RawBackend) -> None:
    """trap 6: the known ones and those that Connection names, in both directions."""
    legacy.play = raw(
        b"200 OK",
        b"Connection: X-Secret, keep-alive",
        b"Keep-Alive: timeout=5",
        b"X-Secret: internal",
        b"Proxy-Authenticate: Basic",
        b"X-Kept: yes",
        b"Content-Length: 0",
    )
    with facade.connect() as client:
        answer = client.get(
            b"/", b"Connection: X-Private, close", b"X-Private: 1", b"TE: trailers", b"X-Too: 1"
        )
        assert client.closed()
    assert [name.lower() for name, _ in answer.headers if name.lower() != b"connection"] == [
        b"x-kept",
        b"content-length",
    ]
    names = [name.lower() for name, _ in legacy.last.headers]
    assert names == [b"host", b"x-too", *ADDED]


@pytest.mark.parametrize(
    ("policy", "host"),
    [
        (HostPolicy.PRESERVE, b"shop.example"),
        (HostPolicy.BACKEND, b"127.0.0.1:%d"),
        (HostPolicy.LITERAL, b"internal.example"),
    ],
)
def test_host_follows_the_policy(
    facade_of: Open, legacy: RawBackend, policy: HostPolicy, host: bytes
) -> None:
    """trap 7: preserve, backend or literal; X-Forwarded-Host always says the public one."""
    facade = facade_of(table_of(legacy.port, host_policy=policy, host="internal.example"))
    with facade.connect() as client:
        client.get()
    expected = host % legacy.port if b"%d" in host else host
    assert legacy.last.one(b"host") == expected
    assert legacy.last.one(b"x-forwarded-host") == b"shop.example"


FORGED = (b"X-Forwarded-For: 9.9.9.9", b"X-Forwarded-Proto: https", b"Forwarded: for=9.9.9.9")


def test_forwarded_fields_of_strangers_are_replaced(facade: Facade, legacy: RawBackend) -> None:
    """trap 7: never trusted from an untrusted peer."""
    with facade.connect() as client:
        client.get(b"/", *FORGED)
    seen = legacy.last
    assert seen.one(b"x-forwarded-for") == b"127.0.0.1"
    assert seen.one(b"x-forwarded-proto") == b"http"
    assert seen.one(b"forwarded") == b'for=127.0.0.1;host="shop.example";proto=http'
    assert facade.last().client == "127.0.0.1"


def test_forwarded_fields_of_trusted_proxies_are_kept(facade_of: Open, legacy: RawBackend) -> None:
    """trap 7: a trusted proxy's word counts, and is added to."""
    import ipaddress

    facade = facade_of(trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),))
    with facade.connect() as client:
        client.get(b"/", *FORGED)
    seen = legacy.last
    assert seen.one(b"x-forwarded-for") == b"9.9.9.9, 127.0.0.1"
    assert seen.one(b"x-forwarded-proto") == b"https"
    assert seen.one(b"forwarded").startswith(b"for=9.9.9.9, for=127.0.0.1")
    assert facade.last().client == "9.9.9.9"


@pytest.mark.parametrize(
    "path", [b"/docs", b"/openapi.json", b"/metrics", b"/healthz", b"/a/", b"/a", b"//", b"/live"]
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"DELETE"])
def test_the_path_space_is_legacys_whole(
    facade: Facade, legacy: RawBackend, path: bytes, method: bytes
) -> None:
    """trap 11: no path and no method is answered by the facade itself."""
    legacy.play = raw(b"299 Legacy", b"Content-Length: 0")
    with facade.connect() as client:
        assert client.ask(method, path).status == 299
    assert legacy.last.line == b"%b %b HTTP/1.1" % (method, path)


def test_head_has_a_length_and_no_body(facade: Facade, legacy: RawBackend) -> None:
    """trap 12: the connection stays in step."""
    legacy.play = raw(b"200 OK", b"Content-Length: 1234")
    with facade.connect() as client:
        assert client.ask(b"HEAD", b"/").one(b"content-length") == b"1234"
        assert client.ask(b"HEAD", b"/").one(b"content-length") == b"1234"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_a_body(facade: Facade, legacy: RawBackend, status: bytes) -> None:
    """trap 12: no body, no chunk, and the next answer is the next answer."""
    legacy.play = raw(status, b"ETag: x")
    with facade.connect() as client:
        for _ in range(2):
            answer = client.get()
            assert answer.status == int(status[:3])
            assert answer.all(b"transfer-encoding") == []


def test_interim_answers_are_not_the_answer(door: str, facade: Facade, legacy: RawBackend) -> None:
    """trap 12: 103 is relayed where the door can, and never mistaken for the answer."""
    hints = raw(b"103 Early Hints", b"Link: </s.css>; rel=preload")
    legacy.play = hints + raw(b"100 Continue") + raw(b"200 OK", b"Content-Length: 2", body=b"ok")
    with facade.connect() as client:
        first = client.get()
        if door == "native":
            assert (first.status, first.one(b"link")) == (103, b"</s.css>; rel=preload")
            first = client.answer()
        assert (first.status, first.body) == (200, b"ok")


def test_expect_is_answered_by_the_facade(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """trap 12: with a fallback, 100 Continue comes at once, the body follows without Expect."""
    route = Route(id="r", match=RouteMatch(path="/"), stage=Stage.NEW, new="new")
    facade = facade_of(table_of(legacy.port, new.port, route))
    with facade.connect() as client:
        client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert client.answer().status == 200
    assert new.last.body == b"body"
    assert new.last.all(b"expect") == []


def test_bodies_pass_whole_in_both_framings(facade: Facade, legacy: RawBackend) -> None:
    """A length stays a length and chunks stay chunks, towards the backend and back."""

    def echo(peer: Peer, request: Message) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(request.body), request.body))

    legacy.play = echo
    body = bytes(range(256)) * 2_000
    with facade.connect() as client:
        assert client.ask(b"POST", b"/", body=body).body == body
        assert legacy.last.one(b"content-length") == b"%d" % len(body)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 60_000):
            piece = body[at : at + 60_000]
            client.send(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece))
        client.send(b"0\r\nX-Trailer: t\r\n\r\n")
        assert client.answer().body == body
        assert legacy.last.all(b"transfer-encoding") == [b"chunked"]
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        client.answer()
        assert legacy.last.all(b"content-length") == [b"0"]


def test_redirects_are_not_followed(facade: Facade, legacy: RawBackend) -> None:
    """trap 8: a redirect is the client's business; its host is no backend's here."""
    legacy.play = raw(b"302 Found", b"Location: https://else.where/x?y#z", b"Content-Length: 0")
    with facade.connect() as client:
        assert client.get().one(b"location") == b"https://else.where/x?y#z"
    assert len(legacy.requests) == 1


def test_going_in_a_circle_is_noticed(facade: Facade, legacy: RawBackend) -> None:
    """trap 23: the hop count goes up, and ends in 508."""
    with facade.connect() as client:
        client.get(b"/", b"Figway-Hop: 4")
        assert legacy.last.one(b"figway-hop") == b"5"
        answer = client.get(b"/", b"Figway-Hop: 5")
    assert answer.status == 508
    assert answer.one(b"content-type") == b"application/problem+json"
    assert len(legacy.requests) == 1
    assert facade.last(2).problem == "loop"


def test_the_facade_behind_itself(facade: Facade, legacy: RawBackend) -> None:
    """trap 23: a real circle ends, and each round left a record."""
    facade.swap(table_of(facade.port))
    with facade.connect() as client:
        assert client.get().status == 508
    facade.wait_for(lambda: len(facade.records) == 6)
    assert legacy.requests == []


def test_a_trace_is_begun_or_continued(facade: Facade, legacy: RawBackend) -> None:
    """W3C Trace Context: the client's trace goes on; without one the facade begins it."""
    given = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with facade.connect() as client:
        client.get(b"/", b"traceparent: " + given)
        assert legacy.last.all(b"traceparent") == [given]
        client.get()
        fresh = legacy.last.one(b"traceparent")
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fresh)
    assert facade.last(1).trace_id == given[3:35].decode()
    assert facade.last(2).trace_id == fresh[3:35].decode()


def test_the_environments_proxy_is_not_used(
    facade: Facade, legacy: RawBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """trap 5: HTTP_PROXY in the environment changes nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with facade.connect() as client:
        assert client.get().status == 200
    assert len(legacy.requests) == 1
