"""Tokens on the wire, with an issuer on another port."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from figway.model.policies import ClaimRule, JwtAlgorithm, JwtPolicy, RoutePolicies
from tests.integration.proxy.policies.conftest import Stand
from tests.integration.proxy.policies.issuer import EC, OTHER, RSA, Issuer, public
from tests.support.wire import Client, Facade, Message, table_of


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.stop()


def policies(issuer: Issuer, **fields: Any) -> RoutePolicies:
    return RoutePolicies(jwt=JwtPolicy(issuer=issuer.url, audiences=("shop",), **fields))


def b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def stores(facade: Facade) -> list[Any]:
    return list(facade.runtime._guards._stores.values())


def opened(stand: Stand, issuer: Issuer, **fields: Any) -> Facade:
    """A facade that has the issuer's keys."""
    facade = stand.facade(policies(issuer, **fields))
    facade.wait_for(lambda: all(store.ready for store in stores(facade)))
    return facade


def ask(client: Client, token: bytes, *headers: bytes) -> Message:
    return client.get(b"/r/1", b"Authorization: Bearer " + token, *headers)


def test_good_tokens_pass_and_are_forwarded(stand: Stand, issuer: Issuer) -> None:
    facade = opened(stand, issuer)
    with facade.connect() as client:
        for token in (issuer.token(), issuer.token(EC, "ec", "ES256"), issuer.token(kid="")):
            for _ in range(2):
                assert ask(client, token).status == 200
                assert stand.new.last.one(b"authorization") == b"Bearer " + token
        assert client.get(b"/elsewhere").status == 200
    assert issuer.asked == 1


def test_bad_tokens_meet_no_backend(stand: Stand, issuer: Issuer) -> None:
    """Forged, expired, for others, of another algorithm, or no token at all: 401."""
    facade = opened(stand, issuer)
    good = issuer.token()
    head, payload, signature = good.split(b".")
    confused = b64(b'{"alg":"HS256","kid":"rsa"}') + b"." + payload
    mac = hmac.digest(RSA.as_pem(private=False), confused, "sha256")
    bad = [
        issuer.token(OTHER),
        issuer.token(exp=0),
        issuer.token(aud="others"),
        issuer.token(iss="https://evil.example"),
        issuer.token(nbf=1 << 40),
        confused + b"." + b64(mac),  # the public key as a shared secret
        issuer.token(EC, "rsa", "ES256"),  # a key of another type
        b"eyJhbGciOiJub25lIiwia2lkIjoicnNhIn0." + payload + b".",
        head + b"." + payload + b"." + signature[:-4] + b"AAAA",
        head + b"." + payload,
        b"..",
        b"\xff\xfe.a.b",
        b"e30.e30.e30",
        b"x" * 16_000 + b"." + b"y" * 200 + b"." + b"z" * 200,
    ]
    with facade.connect() as client:
        answer = client.get(b"/r/1")
        assert (answer.status, answer.one(b"www-authenticate")) == (401, b"Bearer")
        assert client.get(b"/r/1", b"Authorization: Basic YTpi").status == 401
        for token in bad:
            answer = ask(client, token)
            assert answer.status == 401, token
            assert answer.one(b"www-authenticate").startswith(b'Bearer error="invalid_token"')
            assert answer.one(b"content-type") == b"application/problem+json"
        two = ask(client, good, b"Authorization: Bearer " + issuer.token(OTHER))
        assert two.status == 400
    assert not stand.new.requests


def test_required_claims(stand: Stand, issuer: Issuer) -> None:
    facade = opened(stand, issuer, claims=(ClaimRule(name="scope", values=("write",)),))
    with facade.connect() as client:
        assert ask(client, issuer.token(scope="read write")).status == 200
        answer = ask(client, issuer.token(scope="read"))
    assert answer.status == 403
    assert b"insufficient_scope" in answer.one(b"www-authenticate")


def test_algorithms_are_the_routes_choice(stand: Stand, issuer: Issuer) -> None:
    facade = opened(stand, issuer, algorithms=(JwtAlgorithm.ES256,))
    with facade.connect() as client:
        assert ask(client, issuer.token()).status == 401
        assert ask(client, issuer.token(EC, "ec", "ES256")).status == 200


def test_a_new_key_is_fetched_when_a_token_names_it(stand: Stand, issuer: Issuer) -> None:
    """Bounded: unknown keys after that are refused without asking the issuer again."""
    facade = opened(stand, issuer)
    issuer.keys = [public(RSA, "rsa"), public(OTHER, "fresh")]
    store = stores(facade)[0]
    facade.call(lambda: setattr(store, "_asked_at", -1 << 40))
    with facade.connect() as client:
        answer = ask(client, issuer.token(OTHER, "fresh"))
        assert (answer.status, answer.one(b"retry-after")) == (503, b"1")
        facade.wait_for(lambda: store.generation == 2)
        assert ask(client, issuer.token(OTHER, "fresh")).status == 200
        for number in range(20):
            assert ask(client, issuer.token(OTHER, f"forged{number}")).status == 401
        assert ask(client, issuer.token(EC, "ec", "ES256")).status == 401  # withdrawn
    assert issuer.asked == 2


def test_an_issuer_that_is_down_lets_nobody_in(stand: Stand, issuer: Issuer) -> None:
    """Closed at first; keys that were fetched stay good when it goes down later."""
    issuer.status = 500
    facade = stand.facade(policies(issuer))
    store = stores(facade)[0]
    facade.wait_for(lambda: bool(store.problem))
    with facade.connect() as client:
        assert ask(client, issuer.token()).status == 503
        issuer.status = 200
        facade.call(lambda: setattr(store, "deadline", 0))
        facade.wait_for(lambda: store.ready)
        assert ask(client, issuer.token()).status == 200
        issuer.status = 500
        facade.call(lambda: setattr(store, "deadline", 0))
        facade.wait_for(lambda: bool(store.problem))
        assert ask(client, issuer.token()).status == 200
    assert not facade.faults


def test_stores_go_with_their_routes(stand: Stand, issuer: Issuer) -> None:
    facade = opened(stand, issuer)
    facade.swap(table_of(stand.legacy.port, stand.new.port))
    assert not stores(facade)
    with facade.connect() as client:
        assert client.get(b"/r/1").status == 200


def test_a_preflight_needs_no_token(stand: Stand, issuer: Issuer) -> None:
    """trap 13: browsers send none with it."""
    facade = opened(stand, issuer)
    ask_first = [b"Origin: https://a.example", b"Access-Control-Request-Method: POST"]
    with facade.connect() as client:
        assert client.ask(b"OPTIONS", b"/r/1", *ask_first).status == 200
        assert client.ask(b"OPTIONS", b"/r/1").status == 401
