"""Versions of HTTP that are not spoken here, and what announces them."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest
import trustme

from proxy.doors.asgi import AsgiDoor
from tests.suites.conformance.conftest import Open
from tests.support.flow import Stand
from tests.support.wire import OK, Client, Facade, Message, Peer, RawBackend

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CURL = shutil.which("curl")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (PREFACE + b"\0\0\0\4\0\0\0\0\0", 505, "http_version"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version"),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "http_version"),
        (b"GET / HTTP/3\r\nHost: a\r\n\r\n", 505, "http_version"),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "http_version"),
        (b"GET /\r\n\r\n", 400, "bad_request_line"),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_line"),
        (b"\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request_line"),
        (b"PROXY TCP4 1.1.1.1 2.2.2.2 3 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400,
         "proxy_protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12, 400, "proxy_protocol"),
    ],
)  # fmt: skip
def test_what_is_not_spoken_is_named(
    facade: Facade, legacy: RawBackend, data: bytes, status: int, code: str
) -> None:
    """W34 (PROXY protocol), and HTTP/2 with prior knowledge: the doors say the same."""
    with facade.connect() as client:
        client.send(data)
        answer = client.answer()
        assert client.closed()
    assert answer.status == status
    assert json.loads(answer.body)["type"].endswith(f":{code}")
    assert legacy.requests == []


@pytest.mark.parametrize(
    "target", [b"/x#y", b"/x?", b"/x??a", b"/x?a#", b'/x|y^z`{}"<>\\', b"/\xff?\xfe", b"*"]
)
def test_the_doors_take_the_same_targets(facade: Facade, legacy: RawBackend, target: bytes) -> None:
    """Whatever a server beneath makes of it, legacy gets the target that the client sent."""
    with facade.connect() as client:
        client.send(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 200
        assert client.get(b"/next").status == 200
    assert legacy.requests[0].line == b"OPTIONS " + target + b" HTTP/1.1"


@pytest.mark.parametrize("coding", [b" chunked \t", b"\tchunked", b"CHUNKED", b"  Chunked"])
def test_the_doors_take_the_same_spellings_of_chunked(
    facade: Facade, legacy: RawBackend, coding: bytes
) -> None:
    """White space around a value and its case say nothing (RFC 9112, 5.1 and 7)."""
    with facade.connect() as client:
        client.send(
            b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:" + coding + b"\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        )
        assert client.answer().status == 200
    assert legacy.last.body == b"abc"


@pytest.mark.parametrize("method", [b"PROPFIND", b"M-SEARCH", b"QUERY", b"get", b"FOO_BAR"])
def test_the_doors_take_the_same_methods(facade: Facade, legacy: RawBackend, method: bytes) -> None:
    """Methods are legacy's to know (RFC 9110, 9.1)."""
    with facade.connect() as client:
        assert client.ask(method, b"/x", body=b"abc").status == 200
    assert legacy.last.line == method + b" /x HTTP/1.1"
    assert legacy.last.body == b"abc"


@pytest.mark.parametrize("method", [b"GET", b"PURGE"])
def test_the_next_answer_of_a_draining_facade_is_the_last(
    facade: Facade, legacy: RawBackend, method: bytes
) -> None:
    """Whichever connection serves it: the client is told, and the end is waited for."""
    with facade.connect() as client:
        assert client.get(b"/warm").status == 200
        facade.call(facade.door.stop_listening)
        assert client.ask(method, b"/x").one(b"connection").lower() == b"close"
        assert client.closed()


def test_a_drain_waits_for_what_was_handed_over(facade: Facade, legacy: RawBackend) -> None:
    """A request under way is finished, in whatever form it came."""
    go = threading.Event()

    def play(peer: Peer, request: Message) -> None:
        assert go.wait(10)
        peer.send(OK)

    legacy.play = play
    with facade.connect() as client:
        client.send(b"PURGE /x HTTP/1.1\r\nHost: a\r\n\r\n")
        facade.wait_for(lambda: len(legacy.requests) == 1)
        drained = facade.start(facade.door.drain(10))
        facade.wait_for(lambda: facade.door.draining)
        go.set()
        assert client.answer().status == 200
        assert drained.result(10) == 0


def test_tls_does_not_offer_http_2(facade_of: Open, legacy: RawBackend) -> None:
    """A client that would speak HTTP/2 or HTTP/1.1 (ALPN) goes on in the latter."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.example").configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    client = Client(facade_of(tls=server).port)
    with trust.wrap_socket(client.sock, server_hostname="shop.example") as wrapped:
        client.sock = wrapped
        assert wrapped.selected_alpn_protocol() != "h2"
        assert client.get(b"/x").status == 200


@pytest.mark.parametrize("version", ["2", "3"])
async def test_the_asgi_door_is_not_for_servers_that_speak_other_versions(version: str) -> None:
    """Such a server cannot be told that an answer broke off; so it is told at once."""
    stand = Stand()
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": version,
        "method": "POST",
        "scheme": "https",
        "path": "/x",
        "raw_path": b"/x",
        "query_string": b"",
        "headers": [(b"host", b"a"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
        "client": ("192.0.2.1", 4711),
    }
    await asyncio.wait_for(AsgiDoor(stand.runtime)(scope, receive, send), 5)
    assert sent[0]["status"] == 505
    assert b"connection" not in dict(sent[0]["headers"])  # a field that HTTP/2 forbids
    assert json.loads(sent[1]["body"])["type"].endswith(":http_version")
    assert "legacy" not in stand.fakes or not stand.fakes["legacy"][0].attempts


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_would_rather_speak_http_2(
    facade: Facade, legacy: RawBackend, method: str
) -> None:
    """W28: curl --http2 asks for h2c, and goes on in HTTP/1.1, with its body."""

    def play(peer: Peer, request: Message) -> None:
        assert request.body == (b"abc" if method == "POST" else b"")
        peer.send(OK)

    legacy.play = play
    assert CURL is not None
    command = [CURL, "--silent", "--http2", "--write-out", " %{http_version} %{http_code}"]
    body = ["--data", "abc"] if method == "POST" else []
    run = subprocess.run(
        [*command, *body, f"http://127.0.0.1:{facade.port}/x"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert run.stdout == b"ok 1.1 200"
    assert legacy.last.all(b"upgrade") == []
