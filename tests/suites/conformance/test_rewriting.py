"""Answers that name a backend, on the wire."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from figway.model.table import Table
from tests.suites.conformance.conftest import Open
from tests.support.wire import RawBackend, table_of


def answer(*lines: bytes, status: bytes = b"302 Found") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"Content-Length: 0", b"", b""])


def test_redirects_to_a_backend_lead_to_the_facade(facade_of: Open, legacy: RawBackend) -> None:
    """trap 8: never followed; another host is left alone."""
    facade = facade_of(secure=True)
    here = b"http://127.0.0.1:%d" % legacy.port
    with facade.connect() as client:
        for field, value, becomes in (
            (b"Location", here + b"/a?b=%2F", b"https://shop.example/a?b=%2F"),
            (b"content-location", here + b"/a", b"https://shop.example/a"),
            (b"Refresh", b"5; url=" + here + b"/a", b"5; url=https://shop.example/a"),
            (b"Location", b"https://other.example/a", b"https://other.example/a"),
            (b"Location", b"/a", b"/a"),
        ):
            legacy.play = answer(field + b": " + value, b"X-Same: " + value)
            got = client.get()
            assert got.status == 302
            assert got.one(field) == becomes
            assert got.one(b"X-Same") == value
    assert len(legacy.requests) == 5


def test_cookies_of_a_backend_become_the_facades(facade_of: Open, legacy: RawBackend) -> None:
    """trap 9, trap 2: Domain and Path per backend; every attribute and every cookie kept."""
    table = table_of(legacy.port)
    backend = replace(table.backends["legacy"], url=f"http://127.0.0.1:{legacy.port}/base")
    facade = facade_of(Table(default_backend="legacy", backends={"legacy": backend}))
    legacy.play = answer(
        b"Set-Cookie: a=1; Domain=127.0.0.1; Path=/base/x; SameSite=None; Secure; Partitioned",
        b"Set-Cookie: b=2; Path=/; Priority=High",
        b"Location: /base/next",
        status=b"200 OK",
    )
    with facade.connect() as client:
        got = client.get(b"/x")
    assert legacy.last.line == b"GET /base/x HTTP/1.1"
    assert got.all(b"set-cookie") == [
        b"a=1; Domain=shop.example; Path=/x; SameSite=None; Secure; Partitioned",
        b"b=2; Path=/; Priority=High",
    ]
    assert got.one(b"location") == b"/next"


@pytest.mark.parametrize("trusted", [True, False])
def test_a_trusted_proxy_knows_the_public_host(
    facade_of: Open, legacy: RawBackend, trusted: bool
) -> None:
    """trap 7, trap 8: what an untrusted client claims is not believed."""
    facade = facade_of(trusted_proxies=(ip_network("127.0.0.0/8"),) if trusted else ())
    legacy.play = answer(b"Location: http://127.0.0.1:%d/a" % legacy.port)
    with facade.connect() as client:
        got = client.get(b"/", b"X-Forwarded-Host: www.example", b"X-Forwarded-Proto: https")
    expected = b"https://www.example/a" if trusted else b"http://shop.example/a"
    assert got.one(b"location") == expected
