"""Route policies on the wire."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from figway.model.policies import (
    BodyPolicy,
    HeaderEdits,
    HeaderField,
    Maintenance,
    PathRewrite,
    RateKey,
    RateLimit,
    RoutePolicies,
)
from figway.model.table import Stage
from tests.integration.proxy.policies.conftest import Stand
from tests.support.wire import table_of


@pytest.mark.parametrize("door", ["native", "asgi"])
def test_maintenance_asks_no_backend(stand: Stand, door: str) -> None:
    facade = stand.facade(RoutePolicies(maintenance=Maintenance(retry_after_s=7)), door)
    with facade.connect() as client:
        answer = client.get(b"/r/1")
        assert (answer.status, answer.one(b"retry-after")) == (503, b"7")
        assert json.loads(answer.body)["type"] == "urn:figway:problem:maintenance"
        assert client.ask(b"HEAD", b"/r/1").status == 503
        assert client.get(b"/elsewhere").status == 200
    assert not stand.new.requests
    assert facade.last().problem == "maintenance"


def test_a_page_instead_of_a_problem(stand: Stand) -> None:
    page = Maintenance(status=200, retry_after_s=0, content_type="text/html", body="<p>Soon</p>")
    with stand.facade(RoutePolicies(maintenance=page)).connect() as client:
        answer = client.get(b"/r/1")
    assert (answer.status, answer.body) == (200, b"<p>Soon</p>")
    assert answer.one(b"content-type") == b"text/html"


@pytest.mark.parametrize("door", ["native", "asgi"])
def test_a_limit_for_the_route(stand: Stand, door: str) -> None:
    limits = (RateLimit(requests=3, window_s=3_600, name="hourly"),)
    facade = stand.facade(RoutePolicies(rate_limits=limits), door)
    with facade.connect() as one, facade.connect() as other:
        statuses = [client.get(b"/r/1").status for client in (one, other, one)]
        answer = other.get(b"/r/2")
        assert other.get(b"/elsewhere").status == 200
    assert statuses == [200] * 3
    assert answer.status == 429
    assert answer.one(b"ratelimit-policy") == b'"hourly";q=3;w=3600'
    assert answer.one(b"ratelimit").startswith(b'"hourly";r=0;t=')
    assert 0 < int(answer.one(b"retry-after")) <= 1_200
    assert len(stand.new.requests) == 3


def test_limits_by_key(stand: Stand) -> None:
    limit = RateLimit(requests=1, window_s=3_600, key=RateKey.HEADER, key_name="X-Key")
    facade = stand.facade(RoutePolicies(rate_limits=(limit,)))
    with facade.connect() as client:
        statuses = [
            client.get(b"/r/1", *headers).status
            for headers in (
                [b"X-Key: a"],
                [b"X-Key: a"],
                [b"X-Key: b"],
                [],  # by address
                [],
                [b"X-Key: 127.0.0.1"],  # another's address is not its key
            )
        ]
    assert statuses == [200, 429, 200, 200, 429, 200]


def test_a_flip_does_not_refill_a_limit(stand: Stand) -> None:
    policies = RoutePolicies(rate_limits=(RateLimit(requests=1, window_s=3_600),))
    facade = stand.facade(policies)
    with facade.connect() as client:
        assert client.get(b"/r/1").status == 200
        flipped = stand.route(policies, stage=Stage.LEGACY)
        facade.swap(table_of(stand.legacy.port, stand.new.port, flipped))
        assert client.get(b"/r/1").status == 429
        wider = replace(policies, rate_limits=(RateLimit(requests=2, window_s=3_600),))
        facade.swap(table_of(stand.legacy.port, stand.new.port, stand.route(wider)))
        assert client.get(b"/r/1").status == 200


@pytest.mark.parametrize("door", ["native", "asgi"])
def test_bodies(stand: Stand, door: str) -> None:
    """trap 18: a route's own limit on bodies, announced or not, and its media types."""
    body = BodyPolicy(max_bytes=10, content_types=("application/json",))
    facade = stand.facade(RoutePolicies(body=body), door, max_body=1_000)
    json_type = b"Content-Type: application/json"
    for headers, sent, status in (
        ([json_type], b"0123456789", 200),
        ([json_type], b"0123456789x", 413),
        ([b"Content-Type: text/plain"], b"x", 415),
        ([], b"x", 415),
        ([json_type, b"Content-Type: text/plain"], b"x", 415),
    ):
        with facade.connect() as client:
            assert client.ask(b"POST", b"/r/1", *headers, body=sent).status == status
    with facade.connect() as client:
        client.send(b"POST /r/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n")
        client.send(json_type + b"\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n")
        assert client.answer().status == 413
    with facade.connect() as client:
        assert client.get(b"/r/1").status == 200
        assert client.ask(b"POST", b"/elsewhere", body=b"x" * 900).status == 200


@pytest.mark.parametrize("door", ["native", "asgi"])
def test_headers_and_paths_are_edited(stand: Stand, door: str) -> None:
    policies = RoutePolicies(
        path=PathRewrite(prefix="/r", to="/v2/things"),
        request_headers=HeaderEdits(
            set=(HeaderField(name="X-Tenant", value="shop"),), remove=("X-Debug",)
        ),
        response_headers=HeaderEdits(
            set=(HeaderField(name="Cache-Control", value="no-store"),), remove=("Server",)
        ),
    )
    stand.new.play = (
        b"HTTP/1.1 200 OK\r\nServer: x/1\r\nCACHE-CONTROL: public\r\nX-Kept: 1\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    facade = stand.facade(policies, door)
    with facade.connect() as client:
        answer = client.get(b"/r/a%2Fb?q=%20&q", b"X-Debug: 1", b"x-tenant: evil", b"X-Kept: 2")
    assert answer.body == b"ok"
    assert not answer.all(b"server")
    assert answer.all(b"cache-control") == [b"no-store"]
    assert answer.one(b"x-kept") == b"1"
    sent = stand.new.last
    assert sent.line == b"GET /v2/things/a%2Fb?q=%20&q HTTP/1.1"
    assert sent.all(b"x-tenant") == [b"shop"]
    assert not sent.all(b"x-debug")
    assert sent.one(b"x-kept") == b"2"
    assert facade.last().target == b"/r/a%2Fb?q=%20&q"


def test_legacy_gets_the_path_as_it_was(stand: Stand) -> None:
    """A rewrite is for one side, and a fallback undoes it."""
    facade = stand.facade(RoutePolicies(path=PathRewrite(prefix="/r", to="/v2")))
    stand.new.play = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
    with facade.connect() as client:
        assert client.get(b"/r/1?x").status == 200
    assert stand.new.last.line == b"GET /v2/1?x HTTP/1.1"
    assert stand.legacy.last.line == b"GET /r/1?x HTTP/1.1"


def test_a_preflight_meets_the_side_of_its_request(stand: Stand) -> None:
    """trap 13: it is neither judged by its body nor issued an identity."""
    policies = RoutePolicies(body=BodyPolicy(content_types=("application/json",)))
    facade = stand.facade(policies)
    canary = stand.route(policies, stage=Stage.CANARY, weight=10_000)
    facade.swap(table_of(stand.legacy.port, stand.new.port, canary))
    ask = [b"Origin: https://a.example", b"Access-Control-Request-Method: POST"]
    with facade.connect() as client:
        answer = client.ask(b"OPTIONS", b"/r/1", *ask)
    assert answer.status == 200
    assert not answer.all(b"set-cookie")
    assert len(stand.new.requests) == 1
