"""Values are written canonically, read strictly, and hashed at the cost of what changed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.model.backend import Backend
from figway.model.codec import (
    CodecError,
    TableHasher,
    canonical,
    content_hash,
    from_data,
    table_hash,
    to_data,
)
from figway.model.table import Capability, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.support.tables import LEGACY, NEW, route, table

ORDERS = route("orders", "/orders/{id}", methods=("GET",), new="functions", stage=Stage.CANARY)
ids = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def routes() -> st.SearchStrategy[Route]:
    return st.builds(
        Route,
        id=ids,
        match=st.builds(RouteMatch, path=st.just("/x"), methods=st.tuples(st.just("GET"))),
        stage=st.sampled_from(Stage),
        weight=st.integers(0, 10_000),
        description=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    )


@given(routes())
def test_what_is_written_is_read_back(item: Route) -> None:
    assert from_data(Route, json.loads(canonical(item))) == item


@given(st.lists(routes(), max_size=5, unique_by=lambda item: item.id))
def test_a_table_comes_back_whole(items: list[Route]) -> None:
    whole = table(*items)
    assert from_data(Table, json.loads(canonical(whole))) == whole


def test_defaults_are_left_out_unless_asked_for() -> None:
    assert to_data(ORDERS) == {
        "id": "orders",
        "match": {"path": "/orders/{id}", "methods": ["GET"]},
        "new": "functions",
        "stage": "canary",
    }
    whole = to_data(ORDERS, whole=True)
    assert whole["weight"] == 0
    assert whole["fallback"]["deadline_ms"] == 60_000
    assert from_data(Route, whole) == ORDERS


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ([], "$", "expected an object"),
        ({"match": {"path": "/"}}, "$.id", "missing"),
        ({"id": "a", "match": {}}, "$.match.path", "missing"),
        ({"id": "a", "match": {"path": "/"}, "weigth": 1}, "$.weigth", "unknown field"),
        ({"id": "a", "match": {"path": "/"}, "weight": "5"}, "$.weight", "whole number"),
        ({"id": "a", "match": {"path": "/"}, "weight": True}, "$.weight", "whole number"),
        ({"id": "a", "match": {"path": "/"}, "weight": 1.5}, "$.weight", "whole number"),
        ({"id": 7, "match": {"path": "/"}}, "$.id", "a string"),
        ({"id": "a", "match": {"path": "/"}, "stage": "beta"}, "$.stage", "one of legacy, shadow"),
        ({"id": "a", "match": {"path": "/", "methods": "GET"}}, "$.match.methods", "a list"),
        ({"id": "a", "match": {"path": "/", "methods": [1]}}, "$.match.methods[0]", "a string"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(data: Any, path: str, words: str) -> None:
    with pytest.raises(CodecError) as caught:
        from_data(Route, data)
    assert caught.value.path == path
    assert words in caught.value.message


def test_an_id_stands_once() -> None:
    twice = {"backends": [to_data(LEGACY), to_data(LEGACY)]}
    with pytest.raises(CodecError, match="stands here twice"):
        from_data(Table, twice)


@given(st.dictionaries(ids, st.integers(0, 9), max_size=6))
def test_order_does_not_change_a_hash(salts: dict[str, int]) -> None:
    items = [Capability(id=name, salt=str(salt)) for name, salt in salts.items()]
    assert table_hash(table(capabilities=items)) == table_hash(table(capabilities=items[::-1]))


def test_every_part_of_a_table_is_in_its_hash() -> None:
    base = table(ORDERS)
    others = [
        table(),
        table(dataclasses.replace(ORDERS, weight=1)),
        table(ORDERS, kill_switch=True),
        table(ORDERS, default_backend=""),
        table(ORDERS, backends=(LEGACY,)),
        table(ORDERS, capabilities=(Capability(id="orders"),)),
    ]
    hashes = {table_hash(item) for item in [base, *others]}
    assert len(hashes) == len(others) + 1


def test_a_hasher_agrees_with_a_fresh_one_and_does_not_hash_again() -> None:
    hasher = TableHasher()
    before = table(*(route(f"r{number}", f"/{number}") for number in range(2_000)))
    assert hasher.table(before) == table_hash(before)
    kept = before.routes["r7"]
    assert hasher.item("route", kept) == content_hash(kept)
    changed = dataclasses.replace(kept, weight=5)
    after = dataclasses.replace(before, routes={**before.routes, "r7": changed})
    assert hasher.table(after) == table_hash(after) != table_hash(before)
    few = dataclasses.replace(before, routes={"r7": changed})
    assert hasher.table(few) == table_hash(few)


def test_a_backend_of_another_side_has_another_hash() -> None:
    assert content_hash(NEW) != content_hash(dataclasses.replace(NEW, side=Side.LEGACY))
    assert content_hash(Backend(id="a", side=Side.NEW)) == content_hash(
        Backend(id="a", side=Side.NEW, description="")
    )
