"""What explanations say of route policies."""

from __future__ import annotations

from typing import Any

import pytest

from figway.explain.policies import PolicyStep
from figway.explain.request import Explanation, explain
from figway.model.policies import (
    BodyPolicy,
    ClaimRule,
    HeaderEdits,
    HeaderField,
    JwtPolicy,
    Maintenance,
    PathRewrite,
    RateKey,
    RateLimit,
    RoutePolicies,
)
from figway.model.table import Stage
from figway.routing.compile import compile_table
from tests.support.tables import Head, route, table

JWT = JwtPolicy(
    issuer="https://id.example",
    audiences=("shop", "app"),
    claims=(ClaimRule(name="scope", values=("orders",)), ClaimRule(name="sub")),
)
BODY = BodyPolicy(max_bytes=1_000, content_types=("application/json", "image/*"))
BEARER = (b"Authorization", b"bearer x.y.z")
JSON = (b"Content-Type", b"application/json; charset=utf-8")


def told(head: Head, stage: Stage = Stage.NEW, **policies: Any) -> Explanation:
    ours = route(
        "shop", "/shop/{id}", new="functions", stage=stage, policies=RoutePolicies(**policies)
    )
    return explain(compile_table(table(ours), 1, "tag"), head)


def met(head: Head, stage: Stage = Stage.NEW, **policies: Any) -> list[tuple[str, str, int]]:
    steps = told(head, stage, **policies).policies
    return [(step.policy, step.outcome, step.status) for step in steps]


def shop(*headers: tuple[bytes, bytes], method: str = "POST") -> Head:
    return Head(b"/shop/7", method, query=b"a=1", headers=list(headers))


def test_a_route_without_policies_has_none() -> None:
    assert told(shop()).policies == ()


def test_the_order_is_that_of_the_guard() -> None:
    found = met(
        shop(BEARER, JSON),
        rate_limits=(RateLimit(requests=5),),
        jwt=JWT,
        body=BODY,
        path=PathRewrite(prefix="/shop", to="/v2"),
        request_headers=HeaderEdits(set=(HeaderField(name="X-A", value="1"),), remove=("X-B",)),
        response_headers=HeaderEdits(remove=("Server",)),
    )
    assert found == [
        ("rate_limit", "depends", 429),
        ("jwt", "depends", 401),
        ("content_type", "passes", 0),
        ("body_size", "depends", 413),
        ("path", "changes", 0),
        ("request_headers", "changes", 0),
        ("response_headers", "changes", 0),
    ]


def test_maintenance_ends_it() -> None:
    found = met(shop(), maintenance=Maintenance(status=503), jwt=JWT)
    assert found == [("maintenance", "refuses", 503), ("jwt", "not_reached", 0)]


def test_a_token_is_wanted() -> None:
    (step,) = told(shop(), jwt=JWT).policies
    asked = "issuer https://id.example, audience shop or app, claim scope = orders, claim sub"
    assert step == PolicyStep("jwt", "refuses", 401, f"no bearer token was sent; it needs {asked}")
    assert met(shop((b"Authorization", b"Basic eA==")), jwt=JWT) == [("jwt", "refuses", 401)]
    preflight = Head(
        b"/shop/7",
        "OPTIONS",
        headers=[(b"Origin", b"https://a"), (b"Access-Control-Request-Method", b"GET")],
    )
    assert met(preflight, jwt=JWT, body=BODY) == [
        ("jwt", "passes", 0),
        ("body_size", "passes", 0),
    ]


@pytest.mark.parametrize(
    ("headers", "method", "outcomes"),
    [
        ((), "GET", ("passes", "passes")),
        ((), "POST", ("depends", "depends")),
        ((JSON,), "POST", ("passes", "depends")),
        (((b"Content-Length", b"0"),), "POST", ("passes", "passes")),
        (((b"Content-Length", b"9"),), "POST", ("refuses", "not_reached")),
        (((b"Content-Type", b"image/png"), (b"Content-Length", b"9")), "GET", ("passes",) * 2),
        ((JSON, (b"Content-Length", b"1001")), "POST", ("passes", "refuses")),
        ((JSON, (b"Transfer-Encoding", b"chunked")), "POST", ("passes", "depends")),
        (((b"Transfer-Encoding", b"chunked"),), "POST", ("refuses", "not_reached")),
    ],
)
def test_bodies(
    headers: tuple[tuple[bytes, bytes], ...], method: str, outcomes: tuple[str, ...]
) -> None:
    found = told(shop(*headers, method=method), body=BODY).policies
    assert tuple(step.outcome for step in found) == outcomes


def test_a_path_is_rewritten_for_the_side_that_serves() -> None:
    path = PathRewrite(prefix="/shop", to="/v2")
    (new,) = told(shop(), path=path).policies
    assert (new.outcome, new.text) == ("changes", "new gets /v2/7?a=1")
    (legacy,) = told(shop(), Stage.LEGACY, path=path).policies
    assert (legacy.outcome, legacy.text) == ("passes", "legacy gets /shop/7?a=1")


def test_whom_a_limit_counts() -> None:
    keyed = RateLimit(requests=5, window_s=2, burst=9, key=RateKey.HEADER, key_name="X-Key")
    (missing,) = told(shop(), rate_limits=(keyed,)).policies
    assert missing.text == (
        "default: 5 in 2 s, 9 at once, by header X-Key, which is missing: "
        "by client address (203.0.113.7)"
    )
    (sent,) = told(shop((b"X-Key", b"secret")), rate_limits=(keyed,)).policies
    assert sent.text == "default: 5 in 2 s, 9 at once, by header X-Key"
