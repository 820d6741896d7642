"""Explanations: the data plane's own decision, with its reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from figway.explain.request import Explanation, FallbackRule, Loser, explain
from figway.model.backend import WorkflowMode
from figway.model.comparison import ShadowPolicy
from figway.model.table import (
    BreakerPolicy,
    Capability,
    FallbackPolicy,
    KeySource,
    Stage,
    StickyKey,
    Table,
)
from figway.model.words import Side
from figway.routing.compile import compile_table
from figway.routing.shadow import Skip, why_not_copied
from figway.routing.split import bucket
from tests.support.tables import Head, on, route, table
from tests.unit.figway.validate.aws_cases import (
    FIFO_URL,
    TOPIC,
    events,
    led,
    queue,
    stream,
    workflow,
)

ME = (b"Cookie", b"figway_id=me")


def shop(**fields: Any) -> Table:
    """Routes of a shop; the fields are those of the route that takes an order."""
    order = {"new": "functions", "stage": Stage.CANARY, "weight": 2_500, "capability": "shop"}
    return table(
        route("order", "/orders/{id}", **{**order, **fields}),
        route("orders", "/orders/{rest=**}"),
        route("beta", "/orders/{id}", headers=(on("beta", "present"),)),
        route("delete", "/orders/{id}", methods=("DELETE",)),
        route("elsewhere", "/users"),
        capabilities=[Capability(id="shop")],
    )


def told(head: Head, of: Table | None = None, **options: Any) -> Explanation:
    return explain(compile_table(of or shop(), 7, "tag"), head, **options)


def test_a_canary_explained() -> None:
    found = told(Head(b"/orders/a%2F7", headers=[ME]))
    number = bucket(b"shop", b"me")
    assert found.route_id == "order"
    assert (found.matched, found.revision, found.capability_id) == ("route", 7, "shop")
    assert found.variables == {"id": "a%2F7"}
    assert (found.key, found.key_source, found.bucket) == ("me", "cookie", number)
    assert (found.weight, found.why) == (2_500, "weight")
    assert found.side == ("new" if number < 2_500 else "legacy")
    assert found.losers == (
        Loser("beta", "one of its conditions does not hold"),
        Loser("delete", "it does not list the method"),
        Loser("orders", "order is more specific"),
    )


def test_no_route_and_a_doubtful_path_differ() -> None:
    """trap 14: the reason is told."""
    nothing = told(Head(b"/none"))
    assert (nothing.matched, nothing.side, nothing.backend_id) == ("no_route", "legacy", "monolith")
    assert nothing.why == "no_route"
    doubtful = told(Head(b"/orders/../users"))
    assert (doubtful.matched, doubtful.losers, doubtful.variables) == ("ambiguous_path", (), {})


def test_a_client_without_key() -> None:
    found = told(Head(b"/orders/1"))
    assert (found.key, found.key_source, found.issues) == ("", "issued", "figway_id")
    given = told(Head(b"/orders/1"), fresh_id=lambda: b"abc")
    assert (given.key, given.bucket) == ("abc", bucket(b"shop", b"abc"))
    address = Capability(id="shop", sticky=(StickyKey(source=KeySource.CLIENT_ADDRESS),))
    by_address = told(Head(b"/orders/1"), replace(shop(), capabilities={"shop": address}))
    assert (by_address.key, by_address.key_source) == ("203.0.113.7", "client_address")


def test_the_kill_switch_and_a_testers_wish() -> None:
    killed = told(Head(b"/orders/1"), replace(shop(stage=Stage.NEW), kill_switch=True))
    assert (killed.side, killed.why, killed.fallback) == ("legacy", "kill_switch", ())
    assert (killed.shadow, killed.shadow_why) == (False, "the kill switch is on")
    forced = told(Head(b"/orders/1"), forced=Side.NEW)
    assert (forced.side, forced.why, forced.key_source) == ("new", "forced", "")


def test_a_preflight_counts_as_what_it_announces() -> None:
    """trap 13"""
    headers = [(b"Origin", b"https://a"), (b"Access-Control-Request-Method", b"DELETE")]
    found = told(Head(b"/orders/1", "OPTIONS", headers=headers))
    assert (found.method, found.route_id) == ("DELETE", "delete")


@pytest.mark.parametrize(
    ("method", "fields", "rules"),
    [
        ("GET", {}, {"breaker_open": "", "not_sent": "", "timeout": "", "status": ""}),
        (
            "POST",
            {},
            {
                "breaker_open": "",
                "not_sent": "",
                "timeout": "unsafe_method",
                "status": "unsafe_method",
            },
        ),
        (
            "POST",
            {"fallback": FallbackPolicy(enabled=False)},
            dict.fromkeys(["breaker_open", "not_sent", "timeout", "status"], "disabled"),
        ),
        (
            "GET",
            {"stage": Stage.RETIRED, "breaker": BreakerPolicy(enabled=False)},
            dict.fromkeys(["not_sent", "timeout", "status"], "retired"),
        ),
        (
            "PUT",
            {"fallback": FallbackPolicy(idempotent_methods=True, statuses=())},
            {"breaker_open": "", "not_sent": "", "timeout": ""},
        ),
    ],
)
def test_fallback_rules_for_the_method(
    method: str, fields: dict[str, Any], rules: dict[str, str]
) -> None:
    found = told(Head(b"/orders/1", method), shop(**{"stage": Stage.NEW, **fields}))
    assert found.fallback == tuple(FallbackRule(when, not why, why) for when, why in rules.items())


def test_a_key_opens_the_way_back_for_a_write() -> None:
    keyed = shop(stage=Stage.NEW, fallback=FallbackPolicy(idempotency_key=True))
    assert not told(Head(b"/orders/1", "POST"), keyed).fallback[2].allowed
    head = Head(b"/orders/1", "POST", headers=[(b"Idempotency-Key", b"k")])
    assert told(head, keyed).fallback[2].allowed


NEW_SIDE, LEGACY_SIDE = Side.NEW, Side.LEGACY


@pytest.mark.parametrize(
    ("stage", "served", "method", "policy", "skip"),
    [
        (Stage.LEGACY, LEGACY_SIDE, "GET", {}, Skip.STAGE),
        (Stage.RETIRED, NEW_SIDE, "GET", {"from_new": True}, Skip.STAGE),
        (Stage.SHADOW, LEGACY_SIDE, "GET", {}, Skip.NO),
        (Stage.SHADOW, LEGACY_SIDE, "POST", {}, Skip.UNSAFE_METHOD),
        (Stage.SHADOW, LEGACY_SIDE, "POST", {"dry_run": "header"}, Skip.NO),
        (Stage.SHADOW, LEGACY_SIDE, "GET", {"unsafe_get": True}, Skip.UNSAFE_GET),
        (Stage.SHADOW, LEGACY_SIDE, "GET", {"sample": 0}, Skip.NOT_SAMPLED),
        (Stage.CANARY, LEGACY_SIDE, "GET", {}, Skip.NO),
        (Stage.CANARY, NEW_SIDE, "GET", {}, Skip.NOT_ASKED),
        (Stage.CANARY, NEW_SIDE, "GET", {"from_new": True}, Skip.NO),
        (Stage.NEW, NEW_SIDE, "GET", {"from_new": True}, Skip.NO),
        (Stage.NEW, NEW_SIDE, "POST", {"from_new": True, "dry_run": "header"}, Skip.UNSAFE_METHOD),
    ],
)
def test_what_is_copied(
    stage: Stage, served: Side, method: str, policy: dict[str, Any], skip: Skip
) -> None:
    """trap 24, trap 25: writes and reads that write are not copied unless the route says so."""
    compiled = compile_table(shop(stage=stage, shadow=ShadowPolicy(**policy)))
    assert why_not_copied(compiled.plans["order"], served, method) is skip


def test_what_is_copied_is_told() -> None:
    sampled = shop(stage=Stage.SHADOW, shadow=ShadowPolicy(sample=250))
    found = told(Head(b"/orders/1"), sampled)
    assert found.shadow
    assert found.shadow_why == (
        "2.5 % of what legacy serves go to new; legacy is asked again only where its own answer "
        "may be stored (shadow.legacy_reads)"
    )
    write = told(Head(b"/orders/1", "POST"), sampled)
    assert not write.shadow
    assert "not safe" in write.shadow_why


def test_the_json_form_holds_everything() -> None:
    data = json.loads(json.dumps(told(Head(b"/orders/1", headers=[ME])).to_dict()))
    assert data["route_id"] == "order"
    assert data["losers"][0] == {
        "route_id": "beta",
        "why": "one of its conditions does not hold",
    }
    assert all(isinstance(rule, dict) for rule in data["fallback"])


def test_a_hand_over_is_told_with_its_answer_and_its_fallback() -> None:
    """What the client gets, and that no method is repeated after a doubtful send."""
    backend = queue(FIFO_URL, location="/exports/{id}", retry_after_s=5)
    found = told(Head(b"/exports/pdf"), led(backend, methods=()))
    assert found.becomes == (
        f"a message of the queue {FIFO_URL}, in order by the sticky key, once for an "
        "Idempotency-Key; the answer is 202 with Location /exports/{id}, Retry-After 5"
    )
    assert "202 before the work is done" in found.shadow_why
    allowed = {rule.when: rule.allowed for rule in found.fallback}
    assert allowed == {"breaker_open": True, "not_sent": True, "timeout": False, "status": False}
    waited = told(Head(b"/exports/pdf"), led(workflow(respond_async=True), methods=()))
    assert "whose output is the answer; 202 where" in waited.becomes
    started = told(Head(b"/exports/pdf"), led(workflow(mode=WorkflowMode.START), methods=()))
    assert "named by its Idempotency-Key" in started.becomes
    assert told(Head(b"/exports/pdf"), led(events(TOPIC), methods=())).becomes.startswith(
        "a message of the topic"
    )
    entry = told(Head(b"/exports/pdf"), led(stream(max_length=1_000), methods=()))
    assert entry.becomes == (
        "an entry of the stream jobs at redis://10.0.0.7:6379/0, cut to about 1000 entries, once "
        "within 300 s for an Idempotency-Key; the answer is 202"
    )
    plain = told(Head(b"/orders/1"), shop(stage=Stage.NEW))
    assert plain.becomes == ""
    at_legacy = led(workflow(), methods=())
    routes = {name: replace(one, stage=Stage.LEGACY) for name, one in at_legacy.routes.items()}
    found = told(Head(b"/exports/pdf"), replace(at_legacy, routes=MappingProxyType(routes)))
    assert found.side == "legacy"
    assert found.becomes.startswith("at new: an execution of ")


def test_what_a_proxy_in_front_says_is_explained() -> None:
    """W34: X-Forwarded-Proto counts where it is believed, and the setting is named."""
    (step,) = told(Head(b"/users", headers=[(b"X-Forwarded-Proto", b"https")])).policies
    assert (step.policy, step.outcome, step.status) == ("forwarded", "depends", 0)
    assert "FIGWAY_TRUSTED_PROXIES" in step.text
    assert told(Head(b"/users")).policies == ()


def test_a_refused_spelling_is_explained() -> None:
    """W18: the step names the status, the route that is met and the setting of the table."""
    private = table(route("gone", "/old", stage=Stage.RETIRED, new="functions"))
    (step,) = told(Head(b"/OLD"), private).policies
    assert (step.policy, step.outcome, step.status) == ("spelling", "refuses", 400)
    assert "gone" in step.text
    assert "refuse_other_spellings" in step.text
    assert told(Head(b"/old"), private).policies == ()
    open_ = replace(private, refuse_other_spellings=False)
    assert told(Head(b"/OLD"), open_).policies == ()
