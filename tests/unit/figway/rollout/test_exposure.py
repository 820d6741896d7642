"""What only leads back towards legacy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.model.backend import Backend
from figway.model.table import (
    BreakerForce,
    BreakerPolicy,
    Capability,
    Route,
    RouteMatch,
    Stage,
    Table,
)
from figway.model.words import Side
from figway.rollout.exposure import exposure, only_back

BASE = Table(
    default_backend="mono",
    backends={"mono": Backend(id="mono", side=Side.LEGACY, url="http://a"),
              "fn": Backend(id="fn", side=Side.NEW, url="http://b")},
    capabilities={"c": Capability(id="c")},
    routes={"r": Route(id="r", match=RouteMatch(path="/r"), new="fn", stage=Stage.CANARY,
                       weight=500, capability="c")},
)  # fmt: skip


def _with(**changes: Any) -> Table:
    return replace(BASE, routes={"r": replace(BASE.routes["r"], **changes)})


def _force(force: BreakerForce) -> BreakerPolicy:
    return BreakerPolicy(force=force)


@pytest.mark.parametrize(
    ("after", "back"),
    [
        (BASE, True),
        (_with(stage=Stage.SHADOW), True),
        (_with(stage=Stage.LEGACY, weight=0), True),
        (_with(weight=499), True),
        (_with(weight=501), False),
        (_with(stage=Stage.NEW), False),
        (_with(stage=Stage.SHADOW, weight=9_000), True),
        (_with(breaker=_force(BreakerForce.OPEN)), True),
        (_with(breaker=_force(BreakerForce.CLOSED)), False),
        (_with(evidence_since=9), True),
        (_with(description="other"), False),
        (_with(new="fn2"), False),
        (_with(match=RouteMatch(path="/s"), stage=Stage.LEGACY), False),
        (replace(BASE, routes={}), True),
        (replace(BASE, routes={**BASE.routes, "s": replace(BASE.routes["r"], id="s")}), False),
        (replace(BASE, kill_switch=True), True),
        (replace(BASE, default_backend="fn"), False),
        (replace(BASE, backends={}), False),
        (replace(BASE, capabilities={"c": Capability(id="c", salt="x")}), False),
    ],
)
def test_what_leads_back(after: Table, back: bool) -> None:
    """Stage, weight, a forced breaker, a deleted route, the kill switch: and nothing else."""
    assert only_back(BASE, after) is back


def test_the_kill_switch_going_off_is_not_back() -> None:
    """It lets new serve again."""
    assert not only_back(replace(BASE, kill_switch=True), BASE)


def test_a_breaker_forced_open_is_not_let_go_unseen() -> None:
    """It kept users on legacy."""
    held = _with(breaker=_force(BreakerForce.OPEN))
    assert not only_back(held, BASE)
    closed = _with(breaker=_force(BreakerForce.CLOSED))
    assert only_back(closed, BASE)


def test_new_to_a_full_canary_is_back() -> None:
    """Back in rank, and no user more on new."""
    assert only_back(_with(stage=Stage.NEW), _with(stage=Stage.CANARY, weight=10_000))


_ROUTES = st.builds(
    lambda stage, weight: replace(BASE.routes["r"], stage=stage, weight=weight),
    st.sampled_from(Stage), st.integers(0, 10_000),
)  # fmt: skip


@given(_ROUTES, _ROUTES)
def test_back_never_shows_new_to_more_users(before: Route, after: Route) -> None:
    """A change that is only back never has more exposure, whatever stages and weights."""
    tables = (replace(BASE, routes={"r": route}) for route in (before, after))
    if only_back(*tables):
        assert exposure(after) <= exposure(before)


def _routes(*routes: Route) -> Table:
    return replace(BASE, routes={route.id: route for route in routes})


def _at(route_id: str, path: str, stage: Stage, **match: Any) -> Route:
    return Route(id=route_id, match=RouteMatch(path=path, **match), new="fn", stage=stage)


BROAD = _at("broad", "/parts/{id}", Stage.NEW)


@pytest.mark.parametrize(
    ("deleted", "back"),
    [
        (_at("narrow", "/parts/one", Stage.LEGACY), False),
        (_at("narrow", "/parts/{id}", Stage.SHADOW, methods=("GET",)), False),
        (_at("narrow", "/parts/one", Stage.NEW), True),
        (_at("narrow", "/bolts/one", Stage.LEGACY), True),
        (_at("narrow", "/parts/one/more", Stage.LEGACY), True),
    ],
)
def test_a_deleted_route_leads_back_unless_another_takes_its_requests(
    deleted: Route, back: bool
) -> None:
    """A narrow route at legacy before a broad one at new: without it users come to new."""
    assert only_back(_routes(BROAD, deleted), _routes(BROAD)) is back
