"""Compiled tables: plans, and sharing between one table and the next."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figway.model.backend import Backend
from figway.model.table import BreakerPolicy, Capability, KeySource, Route, Stage, StickyKey, Table
from figway.model.words import Side
from figway.routing.compile import NO_ROUTE, CompiledTable, CompileError, compile_table
from tests.support.tables import LEGACY, NEW, Head, route, table
from tests.support.thorough import examples


def test_without_routes_everything_goes_to_the_default() -> None:
    plan = compile_table(table(), 3, "tag").match(Head(b"/any"))
    assert (plan.route_id, plan.route, plan.stage) == (NO_ROUTE, None, Stage.LEGACY)
    assert (plan.legacy, plan.new, plan.shadow.sample) == (LEGACY, None, 0)


def test_a_plan_holds_what_its_capability_says() -> None:
    """trap 41: a page, its calls and its assets share their capability's salt."""
    chain = (
        StickyKey(source=KeySource.HEADER, name="X-User"),
        StickyKey(source=KeySource.COOKIE, name="sid"),
        StickyKey(source=KeySource.COOKIE, name="other"),
    )
    shop = Capability(id="shop", salt="2024", sticky=chain)
    compiled = compile_table(
        table(
            route("page", "/shop", capability="shop", new="functions"),
            route("calls", "/api/shop", capability="shop"),
            route("lone", "/lone"),
            capabilities=[shop],
        )
    )
    page, calls, lone = (compiled.plans[name] for name in ("page", "calls", "lone"))
    assert page.salt == calls.salt == b"2024"
    assert page.sticky == calls.sticky == chain
    assert (page.issue, page.capability_id, page.new) == (b"sid", "shop", NEW)
    assert (lone.salt, lone.issue, lone.capability_id) == (b"lone", b"figway_id", "lone")
    assert lone.new is None


@pytest.mark.parametrize(
    "capability",
    [
        Capability(id="c", issue_cookie=False),
        Capability(id="c", sticky=(StickyKey(source=KeySource.CLIENT_ADDRESS),)),
    ],
)
def test_no_cookie_is_issued_where_none_may_be(capability: Capability) -> None:
    compiled = compile_table(table(route("r", "/", capability="c"), capabilities=[capability]))
    assert compiled.plans["r"].issue == b""


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Table(), "default"),
        (table(route("r", "/", legacy="gone")), "route r"),
        (table(route("r", "/", new="gone")), "route r"),
        (table(route("r", "/", stage=Stage.SHADOW)), "stage shadow"),
        (table(route("r", "//")), "template"),
    ],
)
def test_a_table_that_cannot_serve_is_refused(broken: Table, words: str) -> None:
    with pytest.raises(CompileError, match=words):
        compile_table(broken)
    with pytest.raises(CompileError, match=words):
        compile_table(table()).with_table(broken, 1, "")


def _edited(before: Table, **fields: Any) -> Table:
    frozen: dict[str, Any] = {k: MappingProxyType(v) for k, v in fields.items()}
    return replace(before, **frozen)


def test_a_flip_shares_the_matcher_and_all_other_plans() -> None:
    many = [route(f"r{n}", f"/r{n}", new="functions") for n in range(50)]
    first = compile_table(table(*many), 1, "a")
    flipped = replace(many[7], stage=Stage.CANARY, weight=100)
    second = first.with_table(
        _edited(first.table, routes={**first.table.routes, "r7": flipped}), 2, "b"
    )
    assert second.matcher is first.matcher
    assert (second.revision, second.etag) == (2, "b")
    assert [key for key in second.plans if second.plans[key] is not first.plans[key]] == ["r7"]
    assert second.match(Head(b"/r7")).weight == 100
    # A request in flight keeps the table that it started with.
    assert first.match(Head(b"/r7")).stage is Stage.LEGACY


def test_an_equal_table_decoded_anew_shares_everything() -> None:
    first = compile_table(table(route("a", "/a"), route("b", "/b")), 1, "a")
    again = first.with_table(table(route("a", "/a"), route("b", "/b")), 2, "b")
    assert again.matcher is first.matcher
    assert again.plans is first.plans


def test_a_moved_route_is_matched_anew() -> None:
    first = compile_table(table(route("a", "/a"), route("b", "/b")))
    second = first.with_table(table(route("a", "/c"), route("b", "/b")), 1, "")
    assert second.match(Head(b"/a")).route_id == NO_ROUTE
    assert second.match(Head(b"/c")).route_id == "a"


_IDS = ("a", "b", "c", "d")
_BACKENDS = st.fixed_dictionaries(
    {
        "monolith": st.sampled_from([LEGACY, replace(LEGACY, url="http://127.0.0.1:8001")]),
        "other": st.sampled_from(
            [replace(LEGACY, id="other"), replace(LEGACY, id="other", host="h")]
        ),
        "functions": st.sampled_from([NEW, replace(NEW, url="http://127.0.0.1:9001")]),
    }
)
_CAPABILITIES = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "salt"])).map(
    lambda found: {key: Capability(id=key, salt=salt) for key, salt in found.items()}
)


def _route(route_id: str) -> st.SearchStrategy[Route]:
    return st.builds(
        lambda path, stage, weight, legacy, capability, calls: route(
            route_id,
            f"/{route_id}{path}",
            stage=stage,
            weight=weight,
            legacy=legacy,
            new="functions",
            capability=capability,
            breaker=BreakerPolicy(min_calls=calls),
        ),
        st.sampled_from(["", "/{id}"]),
        st.sampled_from(list(Stage)),
        st.sampled_from([0, 100]),
        st.sampled_from(["", "monolith", "other"]),
        st.sampled_from(["", "x", "y"]),
        st.sampled_from([20, 30]),
    )


_TABLES = st.builds(
    lambda backends, capabilities, routes, default: Table(
        default_backend=default, backends=backends, capabilities=capabilities, routes=routes
    ),
    _BACKENDS,
    _CAPABILITIES,
    st.permutations(_IDS).flatmap(
        lambda ids: st.integers(0, 4).flatmap(
            lambda count: st.fixed_dictionaries({key: _route(key) for key in ids[:count]})
        )
    ),
    st.sampled_from(["monolith", "other"]),
)


def _served(compiled: CompiledTable) -> object:
    heads = [Head(f"/{name}{end}".encode()) for name in _IDS for end in ("", "/1")]
    return compiled.default, dict(compiled.plans), [compiled.match(head) for head in heads]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(_TABLES, min_size=2, max_size=4), st.data())
def test_step_by_step_is_the_same_as_from_scratch(tables: list[Table], data: st.DataObject) -> None:
    compiled = compile_table(tables[0])
    for number, following in enumerate(tables[1:], 1):
        if data.draw(st.booleans()):  # keep the objects that are equal, as a proxy does
            known = compiled.table.routes
            kept = {k: known[k] if known.get(k) == v else v for k, v in following.routes.items()}
            following = replace(following, routes=kept)
        compiled = compiled.with_table(following, number, "")
        assert _served(compiled) == _served(compile_table(following))


def test_sides_of_backends() -> None:
    other: Backend = replace(LEGACY, id="books", side=Side.LEGACY)
    compiled = compile_table(table(route("r", "/", legacy="books"), backends=[LEGACY, NEW, other]))
    assert compiled.plans["r"].legacy is other
