"""How the command line tells of route policies."""

from __future__ import annotations

import pytest

from control_plane.cli.explain import _print
from figway.explain.request import explain
from figway.model.policies import JwtPolicy, Maintenance, RateLimit, RoutePolicies
from figway.model.table import Stage
from figway.routing.compile import compile_table
from tests.support.tables import Head, route, table


def shown(policies: RoutePolicies, capsys: pytest.CaptureFixture[str]) -> str:
    ours = route("shop", "/shop", new="functions", stage=Stage.NEW, policies=policies)
    found = explain(compile_table(table(ours), 1, "tag"), Head(b"/shop")).to_dict()
    found["policies"] = [  # as they come out of JSON
        {"policy": s["policy"], "outcome": s["outcome"], "status": s["status"], "text": s["text"]}
        for s in found["policies"]
    ]
    _print(found, draft=False)
    return " ".join(capsys.readouterr().out.split())


def test_policies_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    jwt = JwtPolicy(issuer="https://id.example", audiences=("shop",))
    text = shown(RoutePolicies(rate_limits=(RateLimit(requests=5),), jwt=jwt), capsys)
    assert "policy rate limit: 429 if it does not hold (default: 5 in 1 s" in text
    assert "policy jwt: refused with 401 (no bearer token was sent; it needs issuer" in text


def test_maintenance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    jwt = JwtPolicy(issuer="https://id.example", audiences=("shop",))
    text = shown(RoutePolicies(maintenance=Maintenance(), jwt=jwt), capsys)
    assert "policy maintenance: refused with 503 (every request is answered 503)" in text
    assert "policy jwt: not reached" in text
