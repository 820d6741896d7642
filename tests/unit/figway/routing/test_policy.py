"""What policies make of targets, headers and claims; and CORS preflights in a split."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.model.codec import from_data, to_data
from figway.model.policies import (
    NO_POLICIES,
    BodyPolicy,
    ClaimRule,
    HeaderEdits,
    HeaderField,
    JwtPolicy,
    Maintenance,
    PathRewrite,
    RewriteKind,
    RoutePolicies,
)
from figway.model.table import Route, Stage
from figway.model.words import Side
from figway.routing.compile import compile_table
from figway.routing.decide import decide
from figway.routing.policy import Edits, PolicyPlan, maintenance_problem
from figway.serving.claims import check, valid_until
from tests.support.tables import Head, route, table

ISSUER = "https://id.example"


def plan(template: str = "/shop/{id}/{rest=**}", **fields: Any) -> PolicyPlan:
    return PolicyPlan(RoutePolicies(**fields), template)


@pytest.mark.parametrize(
    ("prefix", "to", "target", "becomes"),
    [
        ("/shop", "/v2", b"/shop/7", b"/v2/7"),
        ("/shop/", "/v2/", b"/shop", b"/v2"),
        ("/shop", "", b"/shop/7?a=%2F&&b", b"/7?a=%2F&&b"),
        ("/shop", "", b"/shop", b"/"),
        ("/shop", "", b"/shop?x", b"/?x"),
        ("", "/v2", b"/a%2Fb", b"/v2/a%2Fb"),
        ("/shop", "/v2", b"/shopping/7", b"/shopping/7"),
        ("/shop", "/v2", b"/a?/shop", b"/a?/shop"),
        ("/shop", "/v2", b"*", b"*"),
    ],
)
def test_prefixes(prefix: str, to: str, target: bytes, becomes: bytes) -> None:
    """trap 15, trap 16: whole segments, and the query as it is."""
    policy_plan = plan(path=PathRewrite(prefix=prefix, to=to))
    assert policy_plan.target(target, Side.NEW) == becomes
    assert policy_plan.target(target, Side.LEGACY) == target


def test_templates_put_raw_variables_in_place() -> None:
    """trap 14: nothing is decoded."""
    rewrite = PathRewrite(
        kind=RewriteKind.TEMPLATE, to="/v2/{rest}/of/{id}", sides=(Side.LEGACY, Side.NEW)
    )
    policy_plan = plan(path=rewrite)
    for side in Side:
        assert policy_plan.target(b"/shop/a%2Fb/c/d;e?q=%20", side) == b"/v2/c/d;e/of/a%2Fb?q=%20"


NAMES = st.sampled_from([b"A", b"b", b"Set-Cookie", b"x-y"])
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=5)), max_size=8)


@given(PAIRS)
def test_header_edits(headers: list[tuple[bytes, bytes]]) -> None:
    edits = Edits(HeaderEdits(set=(HeaderField(name="a", value="1"),), remove=("X-Y",)))
    after = edits.apply(headers)
    assert after[-1] == (b"a", b"1")
    assert after[:-1] == [p for p in headers if p[0].lower() not in (b"a", b"x-y")]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (b"application/json", True),
        (b"APPLICATION/JSON; charset=utf-8", True),
        (b"image/png", True),
        (b"text/plain", False),
        (b"imagepng", False),
        (b"image", False),
        (None, False),
    ],
)
def test_content_types(value: bytes | None, fits: bool) -> None:
    policy_plan = plan(body=BodyPolicy(content_types=("application/json", "image/*")))
    head = Head(headers=[] if value is None else [(b"content-type", value)])
    problem = policy_plan.body_problem(head)
    assert (problem is None) is fits
    assert problem is None or problem.status == 415
    assert plan().body_problem(head) is None


def test_maintenance_answers() -> None:
    problem = maintenance_problem(Maintenance())
    assert (problem.status, problem.retry_after) == (503, 60)
    assert b"urn:figway:problem:maintenance" in problem.body()
    page = maintenance_problem(
        Maintenance(status=200, retry_after_s=0, content_type="text/html", body="<p>back soon</p>")
    )
    assert page.body() == b"<p>back soon</p>"
    assert dict(page.headers(page.body()))[b"content-type"] == b"text/html"
    assert b"retry-after" not in dict(page.headers(b""))


def test_a_route_without_policies_has_no_edge_and_no_trace() -> None:
    plain = route("r", "/x")
    assert compile_table(table(plain)).plans["r"].policy_plan is None
    assert "policies" not in to_data(plain)
    decoded = from_data(Route, to_data(plain))
    assert decoded.policies is NO_POLICIES


def test_policies_are_written_down_and_read_again() -> None:
    policies = RoutePolicies(
        maintenance=Maintenance(body="x"),
        jwt=JwtPolicy(issuer=ISSUER, claims=(ClaimRule(name="scope", values=("a",)),)),
        path=PathRewrite(prefix="/a", sides=(Side.NEW, Side.LEGACY)),
        request_headers=HeaderEdits(remove=("x",)),
    )
    assert from_data(RoutePolicies, to_data(policies)) == policies
    written = json.dumps(to_data(policies, whole=True))
    assert from_data(RoutePolicies, json.loads(written)) == policies


# -- claims ------------------------------------------------------------------------------------

POLICY = JwtPolicy(
    issuer=ISSUER, audiences=("shop", "api"), claims=(ClaimRule(name="scope", values=("read",)),)
)
GOOD: dict[str, Any] = {"iss": ISSUER, "aud": "shop", "exp": 1_000, "scope": "write read"}


def test_good_claims_hold_until_they_expire() -> None:
    assert check(POLICY, GOOD, 0) is None
    assert check(POLICY, {**GOOD, "aud": ["x", "api"], "scope": ["read"]}, 0) is None
    until = valid_until(POLICY, GOOD)
    assert check(POLICY, GOOD, until - 1) is None
    assert check(POLICY, GOOD, until) is not None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"iss": ISSUER + "/"}, 401),
        ({"iss": None}, 401),
        ({"aud": "other"}, 401),
        ({"aud": None}, 401),
        ({"aud": {"shop": 1}}, 401),
        ({"exp": None}, 401),
        ({"exp": True}, 401),
        ({"exp": "1000"}, 401),
        ({"exp": float("nan")}, 401),
        ({"exp": float("inf")}, 401),
        ({"exp": -1_000}, 401),
        ({"nbf": 100}, 401),
        ({"nbf": "soon"}, 401),
        ({"iat": 100}, 401),
        ({"scope": "readers"}, 403),
        ({"scope": None}, 403),
        ({"scope": 7}, 403),
    ],
)
def test_bad_claims(change: dict[str, Any], status: int) -> None:
    refusal = check(POLICY, {**GOOD, **change}, 0)
    assert refusal is not None
    assert refusal.status == status


def test_claims_of_other_types() -> None:
    policy = JwtPolicy(
        issuer=ISSUER,
        claims=(ClaimRule(name="admin", values=("true",)), ClaimRule(name="tenant", values=("7",))),
    )
    claims = {"iss": ISSUER, "exp": 10, "admin": True, "tenant": 7}
    assert check(policy, claims, 0) is None
    assert check(policy, {**claims, "admin": 1}, 0) is not None


# -- preflights --------------------------------------------------------------------------------


def test_a_preflight_is_never_issued_an_identity() -> None:
    """trap 13: it is dealt by the client's address, again and again to the same side."""
    compiled = compile_table(
        table(route("r", "/x", stage=Stage.CANARY, weight=5_000, new="functions"))
    )
    headers = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"POST")]
    head = Head(b"/x", method="OPTIONS", headers=headers)
    decision, *others = [
        decide(compiled.match(head), head, kill=False, forced=None, fresh_id=lambda: b"fresh")
        for _ in range(3)
    ]
    assert {other.bucket for other in others} == {decision.bucket}
    assert (decision.issue, decision.key_source) == (b"", "client_address")
    plain = Head(b"/x", method="OPTIONS")
    found = decide(compiled.match(plain), plain, kill=False, forced=None, fresh_id=lambda: b"id")
    assert found.issue == b"id"
