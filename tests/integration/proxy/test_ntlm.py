"""A real NTLM and Negotiate acceptor (pyspnego) behind the facade: each is only who it is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from figway.model.comparison import ShadowPolicy
from figway.model.table import FallbackPolicy, Route, RouteMatch, Stage
from proxy.request.runtime import FacadeSettings
from tests.support.wire import DOORS, Client, Facade, Message, Peer, backend, table_of

spnego = pytest.importorskip("spnego")

USERS = {"anna": "Secret-1", "bert": "Secret-2"}


class Acceptor:
    """An application that asks for a login once a connection, as IIS does."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        self.contexts: dict[Peer, Any] = {}
        self.users: dict[Peer, bytes] = {}

    def __call__(self, peer: Peer, request: Message) -> None:
        prefix = self.scheme.encode() + b" "
        given = [value for value in request.all(b"authorization") if value.startswith(prefix)]
        challenge = self.scheme.encode()
        if given:
            challenge = self._step(peer, base64.b64decode(given[0][len(prefix) :]))
        user = self.users.get(peer)
        if user is None:
            peer.send(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %b\r\nContent-Length: 0\r\n\r\n"
                % challenge
            )
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(user), user))

    def _step(self, peer: Peer, token: bytes) -> bytes:
        context = self.contexts.get(peer)
        if context is None or context.complete:
            options = spnego.NegotiateOptions.use_ntlm
            context = spnego.server(protocol=self.scheme.lower(), options=options)
            self.contexts[peer] = context
        try:
            answer = context.step(token)
        except spnego.exceptions.SpnegoError:
            del self.contexts[peer]
            return self.scheme.encode()
        if context.complete:
            self.users[peer] = str(context.client_principal).rpartition("\\")[2].encode()
        return b"%b %b" % (self.scheme.encode(), base64.b64encode(answer or b""))


def log_in(client: Client, scheme: str, user: str, method: bytes = b"GET") -> bytes:
    """The whole handshake over one connection; who the application then says it is."""
    options = spnego.NegotiateOptions.use_ntlm
    context = spnego.client(
        f"DOMAIN\\{user}", USERS[user], protocol=scheme.lower(), options=options
    )
    token = context.step()
    for _ in range(4):
        line = b"Authorization: %b %b" % (scheme.encode(), base64.b64encode(token))
        answer = client.ask(method, b"/x", line)
        if answer.status == 200:
            return answer.body
        token = context.step(base64.b64decode(answer.one(b"www-authenticate").split(b" ", 1)[1]))
    raise AssertionError("the handshake does not end")


def who(client: Client) -> bytes:
    answer = client.get(b"/x")
    return answer.body if answer.status == 200 else b"%d" % answer.status


@pytest.fixture(autouse=True)
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "users"
    file.write_text("".join(f"DOMAIN:{user}:{word}\n" for user, word in USERS.items()))
    monkeypatch.setenv("NTLM_USER_FILE", str(file))


@pytest.fixture(params=["NTLM", "Negotiate"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


ROUTES = {
    "no route": {},
    "shadow": {"stage": Stage.SHADOW, "shadow": ShadowPolicy(sample=10_000)},
    "new with a fallback": {
        "stage": Stage.NEW,
        "fallback": FallbackPolicy(),
        "shadow": ShadowPolicy(sample=10_000, from_new=True),
    },
}


@pytest.fixture(params=list(ROUTES))
def facade(request: pytest.FixtureRequest, scheme: str, door: str) -> Iterator[Facade]:
    fields: dict[str, Any] = ROUTES[request.param]
    match = RouteMatch(path="/{rest=**}")
    routes = [Route(id="r", match=match, new="new", **fields)] if fields else []
    with backend(Acceptor(scheme)) as legacy, backend(Acceptor(scheme)) as new:
        opened = Facade(door, table_of(legacy.port, new.port, *routes), FacadeSettings())
        yield opened
        opened.stop()


@pytest.fixture(params=list(DOORS))
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_two_users_and_a_stranger(facade: Facade, scheme: str) -> None:
    """W26: interleaved on kept connections, pipelined, with fallback and shadow on."""
    with ExitStack() as stack:
        anna, bert, stranger = (stack.enter_context(facade.connect()) for _ in range(3))
        assert who(stranger) == b"401"
        assert log_in(anna, scheme, "anna") == b"anna"
        assert who(stranger) == b"401"
        assert log_in(bert, scheme, "bert") == b"bert"
        for _ in range(3):
            assert [who(anna), who(stranger), who(bert)] == [b"anna", b"401", b"bert"]
        for client in (anna, bert, stranger):
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        assert [anna.answer().body for _ in range(3)] == [b"anna"] * 3
        assert [bert.answer().body for _ in range(3)] == [b"bert"] * 3
        assert [stranger.answer().status for _ in range(3)] == [401] * 3
    with facade.connect() as late:
        assert who(late) == b"401"
