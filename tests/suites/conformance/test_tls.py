"""The facade as the end of TLS: what backends and clients are told about it."""

from __future__ import annotations

import ssl

import trustme

from figway.model.table import Route, RouteMatch, Stage
from tests.suites.conformance.conftest import Open
from tests.support.wire import Client, RawBackend, table_of


def test_tls_ends_here(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """trap 7: the scheme is told to backends, and an issued cookie is Secure."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.example").configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    route = Route(id="r", match=RouteMatch(path="/r"), stage=Stage.CANARY, weight=5_000, new="new")
    facade = facade_of(table_of(legacy.port, new.port, route), server)
    client = Client(facade.port)
    client.sock = trust.wrap_socket(client.sock, server_hostname="shop.example")
    with client:
        assert client.get().body == b"ok"
        assert client.ask(b"POST", b"/", body=b"b" * 300_000).status == 200
        cookie = client.get(b"/r").one(b"set-cookie")
    assert legacy.requests[0].one(b"x-forwarded-proto") == b"https"
    assert legacy.requests[0].one(b"forwarded").endswith(b"proto=https")
    assert legacy.requests[1].body == b"b" * 300_000
    assert cookie.endswith(b"; Secure")
