"""Logins that live in a connection (NTLM, Negotiate): each client is only ever who it is."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from figway.model.comparison import ShadowPolicy
from figway.model.table import Stage
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.test_fields import route
from tests.support.wire import Client, Facade, Message, Peer, RawBackend, table_of


class Logins:
    """A backend that knows a user by the connection, as IIS does: `Authorization: NTLM <user>` logs
    the connection in, and whoever uses it afterwards is that user."""

    def __init__(self, scheme: bytes = b"NTLM") -> None:
        self.scheme = scheme
        self.users: dict[Peer, bytes] = {}

    def __call__(self, peer: Peer, request: Message) -> None:
        for value in request.all(b"authorization"):
            self.users[peer] = value.split(b" ")[1]
        user = self.users.get(peer)
        if user is None:
            challenge = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %b\r\n" % self.scheme
            peer.send(challenge + b"Content-Length: 0\r\n\r\n")
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(user), user))


def who(client: Client, *fields: bytes, method: bytes = b"GET") -> bytes:
    answer = client.ask(method, b"/x", *fields)
    return answer.body if answer.status == 200 else b"%d" % answer.status


@pytest.fixture(params=[b"NTLM", b"Negotiate", b"negotiate"])
def scheme(request: pytest.FixtureRequest) -> bytes:
    return bytes(request.param)


@pytest.fixture
def routed(
    request: pytest.FixtureRequest,
    scheme: bytes,
    facade_of: Open,
    legacy: RawBackend,
    new: RawBackend,
) -> Facade:
    for raw in (legacy, new):
        raw.play = Logins(scheme)
    routes = {
        "no route": (),
        "legacy": (route(stage=Stage.SHADOW, shadow=ShadowPolicy(sample=10_000)),),
        "new": (route(),),
    }
    return facade_of(table_of(legacy.port, new.port, *routes[request.param]))


EVERYWHERE = pytest.mark.parametrize("routed", ["no route", "legacy", "new"], indirect=True)


@EVERYWHERE
def test_two_users_and_a_stranger(routed: Facade, scheme: bytes) -> None:
    """W26: interleaved on kept connections, each is only who it is."""
    with ExitStack() as stack:
        anna, bert, stranger = (stack.enter_context(routed.connect()) for _ in range(3))
        assert who(stranger) == b"401"
        assert who(anna, b"Authorization: %b anna" % scheme) == b"anna"
        assert who(stranger) == b"401"
        assert who(bert, b"Authorization: %b bert" % scheme) == b"bert"
        for _ in range(4):
            assert [who(anna), who(stranger), who(bert)] == [b"anna", b"401", b"bert"]


@EVERYWHERE
def test_pipelined(routed: Facade, scheme: bytes) -> None:
    """W26: requests that are sent together meet the login of their own connection."""
    with routed.connect() as anna, routed.connect() as stranger:
        login = b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: %b anna\r\n\r\n" % scheme
        plain = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
        anna.send(login + plain * 3)
        stranger.send(plain * 3)
        assert [anna.answer().body for _ in range(4)] == [b"anna"] * 4
        assert [stranger.answer().status for _ in range(3)] == [401] * 3


@EVERYWHERE
def test_the_login_ends_with_the_clients_connection(routed: Facade, scheme: bytes) -> None:
    """W26: what a client leaves behind serves nobody."""
    with routed.connect() as anna:
        assert who(anna, b"Authorization: %b anna" % scheme) == b"anna"
    routed.wait_for(lambda: not routed.door.connections)
    for _ in range(3):
        with routed.connect() as stranger:
            assert who(stranger) == b"401"


def test_the_schemes_are_found_among_others(facade: Facade, legacy: RawBackend) -> None:
    """W26: a challenge in a list, or in a second line, is a challenge; Basic alone is none."""
    legacy.play = (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
        b"WWW-Authenticate: Digest realm=y, NTLM\r\nContent-Length: 0\r\n\r\n"
    )
    with facade.connect() as client:
        assert who(client) == b"401"
    facade.wait_for(lambda: not facade.door.connections)
    upstream = facade.runtime._backends["legacy"].upstream
    facade.wait_for(lambda: upstream.pool.open == 0)  # type: ignore[attr-defined]
    legacy.play = legacy.play.replace(b"NTLM", b"Bearer")
    with facade.connect() as client:
        assert who(client) == b"401"
    assert upstream.pool.idle == 1  # type: ignore[attr-defined]


def test_a_proxy_in_front_that_mixes_its_clients(facade_of: Open, legacy: RawBackend) -> None:
    """W26: behind a trusted proxy the connection is not the client's: another address is nobody."""
    from tests.suites.conformance.test_fields import TRUSTED

    legacy.play = Logins()
    facade = facade_of(trusted_proxies=TRUSTED)
    with facade.connect() as proxy:
        mine, other = b"X-Forwarded-For: 203.0.113.1", b"X-Forwarded-For: 203.0.113.2"
        assert who(proxy, b"Authorization: NTLM anna", mine) == b"anna"
        assert who(proxy, mine) == b"anna"
        assert who(proxy, other) == b"401"
        assert who(proxy, mine) == b"401"


def test_a_write_whose_client_leaves_closes_its_connection(
    facade: Facade, legacy: RawBackend
) -> None:
    """W26: the answer that nobody takes any more frees no connection for others."""
    logins = Logins()
    legacy.play = logins
    with facade.connect() as anna:
        assert who(anna, b"Authorization: NTLM anna") == b"anna"
        anna.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
    facade.wait_for(lambda: not facade.door.connections)
    with facade.connect() as stranger:
        assert who(stranger) == b"401"


@pytest.mark.parametrize(
    "lines",
    [
        b"PURGE /x HTTP/1.1\r\nHost: a\r\n",
        b"GET http://a/x HTTP/1.1\r\nHost: a\r\n",
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n",
    ],
)
def test_a_login_outlives_whatever_form_a_request_has(
    facade: Facade, legacy: RawBackend, lines: bytes
) -> None:
    """W26: a request that one door cannot read is still that client's, and ends with it."""
    legacy.play = Logins()
    with facade.connect() as anna:
        assert who(anna, b"Authorization: NTLM anna") == b"anna"
        anna.send(lines + b"\r\n")
        assert anna.answer().body == b"anna"
        assert who(anna) == b"anna"
    facade.wait_for(lambda: not facade.door.connections)
    upstream = facade.runtime._backends["legacy"].upstream
    facade.wait_for(lambda: upstream.pool.open == 0)  # type: ignore[attr-defined]
