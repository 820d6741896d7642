"""How the command line tells of route policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.cli.errors import CliError
from control_plane.cli.explain import _print, _read
from control_plane.cli.parsing import media_type_of, merged, operation_of
from figway.explain.request import explain
from figway.model.operations import OperationKind, OperationMatch
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


BY_OPERATION = route(
    "cart",
    "/graphql",
    operation=OperationMatch(kind=OperationKind.GRAPHQL, names=("GetCart",)),
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"query": "query GetCart { a }"}', "operation graphql query GetCart"),
        ('{"query": "query Other { a }"}', "not cart: it takes another operation"),
        ("{", "operation decides nothing: the body is not well-formed"),
        (None, "operation decides nothing: none was given; write --data @FILE"),
    ],
)
def test_the_operation_is_told(
    body: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    head = Head(b"/graphql", "POST", headers=[(b"content-type", b"application/json")])
    compiled = compile_table(table(BY_OPERATION), 1, "tag")
    found = explain(compiled, head, body=None if body is None else body.encode()).to_dict()
    found["losers"] = [{"route_id": one.route_id, "why": one.why} if not isinstance(one, dict)
                       else one for one in found["losers"]]  # fmt: skip
    _print(found, draft=False)
    assert told in " ".join(capsys.readouterr().out.split())


def test_bodies_and_operations_as_they_are_typed(tmp_path: Path) -> None:
    assert media_type_of(' {"a": 1}') == "application/json"
    assert media_type_of("<a/>") == "text/xml"
    assert media_type_of("a=1") == "application/x-www-form-urlencoded"
    (tmp_path / "body").write_bytes(b"a=1")
    assert _read(f"@{tmp_path / 'body'}") == "a=1"
    with pytest.raises(CliError, match="cannot be read"):
        _read(f"@{tmp_path / 'none'}")
    named = {"kind": "graphql", "field": "", "names": ["A", "B"]}
    assert operation_of("graphql:A, B") == named
    assert operation_of("soap:{urn:a}Get")["names"] == ["{urn:a}Get"]
    assert operation_of("form:action=a") == {"kind": "form", "field": "action", "names": ["a"]}
    with pytest.raises(CliError, match="no operation"):
        operation_of("xmlrpc:a")
    given = {"match": {"path": "/a", "operation": named}}
    types = {"match": {"operation": {"types": ["query"]}}}
    both = {"path": "/a", "operation": {**named, "types": ["query"]}}
    assert merged(given, types)["match"] == both


def test_maintenance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    jwt = JwtPolicy(issuer="https://id.example", audiences=("shop",))
    text = shown(RoutePolicies(maintenance=Maintenance(), jwt=jwt), capsys)
    assert "policy maintenance: refused with 503 (every request is answered 503)" in text
    assert "policy jwt: not reached" in text
