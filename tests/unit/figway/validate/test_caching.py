"""Trap 43: what caches would make of the answers of a route on its way."""

from __future__ import annotations

import pytest

from figway.model.policies import HeaderEdits, HeaderField, Maintenance, RoutePolicies
from figway.model.table import Capability, KeySource, Stage, StickyKey
from figway.model.words import Side
from figway.validate.caching import check_answer
from figway.validate.findings import Findings
from figway.validate.table import validate
from tests.support.tables import route, table

COOKIE = StickyKey(source=KeySource.COOKIE, name="figway_id")
TENANT = StickyKey(source=KeySource.HEADER, name="X-Tenant")
CLAIM = StickyKey(source=KeySource.JWT_CLAIM, name="sub")
ADDRESS = StickyKey(source=KeySource.CLIENT_ADDRESS)


def codes(
    *headers: tuple[str, str],
    status: int = 200,
    stage: Stage = Stage.CANARY,
    chain: tuple[StickyKey, ...] = (COOKIE,),
) -> list[str]:
    findings = Findings()
    ours = route("shop", "/shop", new="functions", stage=stage, weight=100)
    check_answer(ours, Capability(id="c", sticky=chain), Side.NEW, status, headers, "x", findings)
    return [finding.code for finding in findings.found]


@pytest.mark.parametrize("status", [301, 308])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.NEW])
def test_a_permanent_redirect_is_told_of_while_a_route_moves(status: int, stage: Stage) -> None:
    """trap 43: temporary redirects only."""
    assert codes(status=status, stage=stage) == ["redirect_permanent"]
    assert codes(("Cache-Control", "no-store"), status=status, stage=stage) == []


@pytest.mark.parametrize(
    ("status", "stage"), [(302, Stage.CANARY), (307, Stage.NEW), (301, Stage.RETIRED)]
)
def test_other_redirects_are_nobodys_business(status: int, stage: Stage) -> None:
    """trap 43"""
    assert codes(status=status, stage=stage) == []


@pytest.mark.parametrize(
    ("control", "mixes"),
    [
        ("public", True),
        ("max-age=60", True),
        ("MAX-AGE=60, must-revalidate", True),
        ("private, max-age=60", False),
        ("no-store", False),
        ("no-cache", False),
        ("max-age=0", False),
        ("max-age=60, s-maxage=0", False),
        ("max-age=0, s-maxage=60", True),
    ],
)
def test_what_a_shared_cache_may_keep(control: str, mixes: bool) -> None:
    """trap 43: `Vary` or no-store."""
    assert codes(("Cache-Control", control)) == (["cache_mixes_sides"] if mixes else [])
    assert codes(("Cache-Control", control), ("Vary", "Accept, COOKIE")) == []
    assert codes(("Cache-Control", control), stage=Stage.NEW) == []


def test_expires_alone_invites_a_cache() -> None:
    """trap 43"""
    assert codes(("Expires", "Thu, 01 Dec 2050 16:00:00 GMT")) == ["cache_mixes_sides"]
    assert codes() == []


@pytest.mark.parametrize(
    ("chain", "vary"),
    [
        ((COOKIE, TENANT), "Cookie, X-Tenant"),
        ((CLAIM,), "Authorization"),
        ((COOKIE, ADDRESS), "*"),
    ],
)
def test_vary_names_all_that_decides_the_side(chain: tuple[StickyKey, ...], vary: str) -> None:
    """trap 43"""
    public = ("Cache-Control", "public")
    assert codes(public, ("Vary", vary), chain=chain) == []
    assert codes(public, ("Vary", "Accept"), chain=chain) == ["cache_mixes_sides"]


def test_the_tables_own_answers() -> None:
    """trap 43: neither a maintenance answer nor a header edit brings it about unseen."""
    closed = RoutePolicies(maintenance=Maintenance(status=301))
    found = validate(table(route("shop", "/shop", policies=closed)))
    assert [(item.code, item.severity.value) for item in found] == [("redirect_permanent", "error")]
    public = HeaderEdits(set=(HeaderField(name="Cache-Control", value="public"),))
    split = route(
        "shop", "/shop", new="functions", stage=Stage.CANARY, weight=9,
        policies=RoutePolicies(response_headers=public),
    )  # fmt: skip
    found = validate(table(split))
    assert [(item.code, item.severity.value) for item in found] == [
        ("cache_mixes_sides", "warning")
    ]
