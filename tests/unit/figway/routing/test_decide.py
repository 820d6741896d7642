"""Which side serves a request, and why (traps 38 to 42)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from figway.message.force import sign, verify
from figway.model.table import Capability, KeySource, Stage, StickyKey
from figway.model.words import Side
from figway.routing.compile import Plan, compile_table
from figway.routing.decide import Decision, Why, cookie_value, decide
from figway.routing.split import bucket
from tests.support.tables import Head, route, table


def plan(stage: Stage, weight: int = 0, sticky: tuple[StickyKey, ...] | None = None) -> Plan:
    fields: dict[str, Any] = {} if sticky is None else {"sticky": sticky}
    compiled = compile_table(
        table(
            route("orders", "/orders", stage=stage, weight=weight, new="functions", capability="c"),
            capabilities=[Capability(id="c", **fields)],
        )
    )
    return compiled.plans["orders"]


def asked(
    which: Plan, head: Head | None = None, *, kill: bool = False, forced: Side | None = None
) -> Decision:
    return decide(which, head or Head(), kill=kill, forced=forced, fresh_id=lambda: b"fresh")


@pytest.mark.parametrize(
    ("stage", "side"),
    [
        (Stage.LEGACY, Side.LEGACY),
        (Stage.SHADOW, Side.LEGACY),
        (Stage.NEW, Side.NEW),
        (Stage.RETIRED, Side.NEW),
    ],
)
def test_a_stage_decides_alone(stage: Stage, side: Side) -> None:
    found = asked(plan(stage))
    assert (found.side, found.why, found.issue) == (side, Why.STAGE, b"")


@pytest.mark.parametrize("stage", list(Stage))
def test_the_kill_switch_sends_every_stage_to_legacy(stage: Stage) -> None:
    found = asked(plan(stage, 10_000), kill=True, forced=Side.NEW)
    assert (found.side, found.why) == (Side.LEGACY, Why.KILL_SWITCH)


def test_what_no_route_matches_goes_to_legacy_even_when_forced() -> None:
    default = compile_table(table()).default
    assert asked(default, forced=Side.NEW).why is Why.NO_ROUTE


def test_a_client_without_a_key_is_issued_an_identity_that_decides_at_once() -> None:
    """trap 40, trap 39: never a constant bucket; the cookie says who, not where to."""
    found = asked(plan(Stage.CANARY, 5_000))
    assert found.issue == b"fresh"
    assert found.bucket == bucket(b"c", b"fresh")
    assert found.side is (Side.NEW if found.bucket < 5_000 else Side.LEGACY)
    again = Head(headers=[(b"Cookie", b"a=b; figway_id=fresh")])
    second = asked(plan(Stage.CANARY, 5_000), again)
    assert (second.side, second.bucket, second.issue) == (found.side, found.bucket, b"")


def test_no_identity_is_issued_where_nothing_is_split() -> None:
    for stage in (Stage.LEGACY, Stage.SHADOW, Stage.NEW, Stage.RETIRED):
        assert asked(plan(stage)).issue == b""


def test_a_chain_takes_the_first_key_that_is_there() -> None:
    chain = (
        StickyKey(source=KeySource.HEADER, name="X-User"),
        StickyKey(source=KeySource.JWT_CLAIM, name="sub"),
        StickyKey(source=KeySource.COOKIE, name="sid"),
    )
    split = plan(Stage.CANARY, 5_000, chain)
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "ida"}).encode()).rstrip(b"=")
    token = (b"Authorization", b"Bearer x." + claims + b".sig")
    cookie = (b"Cookie", b"sid=7")
    header = (b"x-user", b"eva")
    for headers, key, source in (
        ([cookie], b"7", "cookie"),
        ([cookie, token], b"ida", "jwt_claim"),
        ([cookie, token, header], b"eva", "header"),
    ):
        found = asked(split, Head(headers=headers))
        assert (found.bucket, found.key_source) == (bucket(b"c", key), source)


@pytest.mark.parametrize(
    "token",
    [
        b"Basic abc",
        b"Bearer",
        b"Bearer a.b",
        b"Bearer a.!!!.c",
        b"Bearer a." + base64.urlsafe_b64encode(b"[1]") + b".c",
        b"Bearer a." + base64.urlsafe_b64encode(b"{" * 500) + b".c",
        b"Bearer a." + b"A" * 10_000 + b".c",
    ],
)
def test_a_token_that_cannot_be_read_is_no_key(token: bytes) -> None:
    chain = (StickyKey(source=KeySource.JWT_CLAIM, name="sub"),)
    found = asked(plan(Stage.CANARY, 5_000, chain), Head(headers=[(b"authorization", token)]))
    assert found.key_source == "client_address"
    assert found.bucket == bucket(b"c", b"203.0.113.7")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"sid=7", b"7"),
        (b"a=1; sid=7; b=2", b"7"),
        (b'sid="7"', b"7"),
        (b"xsid=1; sid=7", b"7"),
        (b"sidx=1", b""),
        (b"sid", b""),
        (b"sid=a=b", b"a=b"),
        (b"", b""),
        (None, b""),
    ],
)
def test_cookies_are_read_by_whole_names(header: bytes | None, value: bytes) -> None:
    assert cookie_value(header, b"sid") == value


def test_only_a_signed_wish_in_time_forces_a_side() -> None:
    """trap 42"""
    secret = b"s" * 32
    token = sign(Side.NEW, 1_000, secret).encode()
    assert verify(token, 1_000, secret) is Side.NEW
    assert verify(token, 1_001, secret) is None
    assert verify(token, 1_000, b"t" * 32) is None
    assert verify(token, 1_000, b"") is None
    assert verify(token.replace(b"new", b"legacy"), 1_000, secret) is None
    assert verify(token.replace(b"1000", b"9999"), 1_000, secret) is None
    for forged in (
        b"new",
        b"new.1000",
        b"new.1000.",
        b".1000." + b"0" * 64,
        b"x" * 500,
        b"\xff.1.a",
    ):
        assert verify(forged, 1, secret) is None


def test_a_tester_may_try_new_early_but_never_brings_a_retired_route_back() -> None:
    assert asked(plan(Stage.LEGACY), forced=Side.NEW).side is Side.NEW
    assert asked(plan(Stage.NEW), forced=Side.LEGACY).side is Side.LEGACY
    assert asked(plan(Stage.RETIRED), forced=Side.LEGACY).side is Side.NEW
