"""What the control plane says beside the table reaches a sandbox too: kill switch, installation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from figway.model.codec import table_hash, to_data
from figway.model.table import Route, RouteMatch, Stage, Table
from tests.support.serverless.facade import TableServer
from tests.support.serverless.life import GET, NEW, Life, body_of, bundle
from tests.support.wire import OK, RawBackend, table_of

X, Y = "1" * 32, "2" * 32
Live = Callable[..., Life]


@pytest.fixture
def new() -> Iterator[RawBackend]:
    raw = RawBackend()
    raw.play = lambda peer, request: peer.send(NEW)
    yield raw
    raw.stop()


def moved(backend: RawBackend, new: RawBackend) -> Table:
    """Everything at new."""
    route = Route(id="all", match=RouteMatch(path="/{rest=**}"), stage=Stage.NEW, new="new")
    return table_of(backend.port, new.port, route)


def served(life: Life) -> str:
    """Who answers once the present question is answered."""
    life.invoke({"refresh": True})
    return "new" if body_of(life.invoke(GET)) == "new" else "legacy"


@pytest.fixture
def life(live: Live, backend: RawBackend, new: RawBackend, tables: TableServer) -> Life:
    backend.play = lambda peer, request: peer.send(OK)
    tables.says = {"Figway-Installation": X}
    tables.publish(moved(backend, new))
    return live(FIGWAY_TABLE_URL=tables.url, FIGWAY_TABLE_MAX_AGE_S="0")


def test_the_kill_switch_comes_with_every_answer(life: Life, tables: TableServer) -> None:
    """B1, B4: with a table, with a 304, and with an error that carries no table."""
    assert served(life) == "new"
    tables.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "1"}
    assert served(life) == "legacy", "with a 304"
    tables.says |= {"Figway-Kill": "off", "Figway-Kill-Number": "2"}
    assert served(life) == "new"
    tables.status = 503
    tables.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "3"}
    assert served(life) == "legacy", "the newest table cannot be read, and the switch holds"
    tables.status = 200
    assert served(life) == "legacy", "on still: a table changes nothing of it"


def test_a_switch_that_is_on_holds_for_the_first_table(
    live: Live, backend: RawBackend, new: RawBackend, tables: TableServer
) -> None:
    """B1: a cold start meets it before anything was served."""
    backend.play = lambda peer, request: peer.send(OK)
    tables.publish(moved(backend, new))
    tables.says = {"Figway-Kill": "on", "Figway-Kill-Number": "1"}
    life = live(FIGWAY_TABLE_URL=tables.url)
    assert body_of(life.invoke(GET)) != "new"


def test_a_stranger_has_no_say(life: Life, tables: TableServer) -> None:
    """B1: what refuses the key, or sends elsewhere, may be no control plane of ours."""
    assert served(life) == "new"
    tables.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "9"}
    for tables.status in (401, 404):
        assert served(life) == "new"


def test_another_installation_takes_no_routes_away(
    life: Life, tables: TableServer, backend: RawBackend
) -> None:
    """T5: an empty database behind the same address; followed when its operator says so."""
    assert served(life) == "new"
    tables.publish(table_of(backend.port))
    tables.says = {"Figway-Installation": Y}
    assert served(life) == "new"
    tables.says["Figway-Adopts"] = X
    assert served(life) == "legacy"


def test_a_bundled_table_says_whose_it_is(
    live: Live, backend: RawBackend, new: RawBackend, tables: TableServer, tmp_path: Path
) -> None:
    """T5: a cold start with a last good table does not follow an empty database either, unless
    FIGWAY_INSTALLATION says so."""
    backend.play = lambda peer, request: peer.send(OK)
    table = moved(backend, new)
    data = {"revision": 3, "etag": table_hash(table), "table": to_data(table), "installation": X}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(data))
    tables.publish(table_of(backend.port))
    tables.says = {"Figway-Installation": Y}
    settings = {"FIGWAY_TABLE_FILE": str(path), "FIGWAY_TABLE_URL": tables.url}
    assert served(live(**settings)) == "new"
    assert served(live(**settings, FIGWAY_INSTALLATION=Y)) == "legacy"
    path.unlink()
    nameless = {**settings, "FIGWAY_TABLE_FILE": bundle(path, table)}
    assert served(live(**nameless)) == "legacy", "an older bundle names none: whoever answers"


def test_a_control_plane_without_a_table_is_asked_again_soon(
    life: Life, tables: TableServer
) -> None:
    """B1: it may have the kill switch to tell; one that is away is asked ever more seldom."""
    table = life.sandbox.table
    tables.status = 503
    tables.says |= {"Figway-Kill": "off", "Figway-Kill-Number": "1"}
    for _ in range(8):
        life.invoke({"refresh": True})
    assert table._retry_at - table._clock() <= 0
    tables.says = {}
    life.invoke({"refresh": True})
    assert table._retry_at - table._clock() > 10
