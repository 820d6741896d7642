"""Several control planes: a function asks one, and the next when that one does not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from figway.model.table import Table
from proxy.serverless.settings import SettingsError, load
from proxy.serverless.tables import HANG_S
from tests.integration.proxy.serverless.test_notices import X, moved, served
from tests.support.serverless.facade import TableServer
from tests.support.serverless.life import GET, NEW, Life, body_of
from tests.support.wire import OK, RawBackend

BASE = {"FIGWAY_CONTROL_KEY": "fgw_a_b", "FIGWAY_TABLE_MAX_AGE_S": "0"}


@pytest.fixture
def new() -> Iterator[RawBackend]:
    raw = RawBackend()
    raw.play = lambda peer, request: peer.send(NEW)
    yield raw
    raw.stop()


@pytest.fixture
def other() -> Iterator[TableServer]:
    server = TableServer()
    yield server
    server.stop()


@pytest.fixture
def life(
    live: Callable[..., Life],
    backend: RawBackend,
    new: RawBackend,
    tables: TableServer,
    other: TableServer,
) -> Life:
    backend.play = lambda peer, request: peer.send(OK)
    table: Table = moved(backend, new)
    for server in (tables, other):
        server.says = {"Figway-Installation": X}
        server.publish(table)
    return live(**BASE, FIGWAY_CONTROL_URL=f"{tables.url}/, {other.url}")


@pytest.mark.parametrize("status", [500, 503, 401, 404])
def test_the_next_one_is_asked_after_a_failure(
    life: Life, tables: TableServer, other: TableServer, status: int
) -> None:
    """B1: a sandbox knew one control plane, and heard of no press while that one was away."""
    assert served(life) == "new"
    assert not other.asked
    tables.status = status
    other.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "1"}
    assert served(life) == "new", "this question fails"
    assert served(life) == "legacy"
    asked = tables.asked
    assert served(life) == "legacy"
    assert tables.asked == asked, "it stays with the other one"


def test_one_that_hangs_is_given_up(
    life: Life, tables: TableServer, other: TableServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1, B9: an answer that never comes keeps no other control plane from being asked; one that
    came while the sandbox was frozen is read first."""
    assert served(life) == "new"
    table, now = life.sandbox.table, 1_000.0
    table._clock = lambda: now + table._checked
    tables.hold.clear()
    other.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "1"}
    life.invoke(GET)
    now += HANG_S + 0.1
    life.invoke(GET)
    assert table._call is not None, "thawed: the answer may lie in the socket"
    life.invoke(GET)
    assert table._call is None
    now += 2
    life.invoke(GET)
    assert served(life) == "legacy"
    assert body_of(life.invoke(GET)) != "new"
    tables.hold.set()


def test_it_tells_which_press_it_heard_of(life: Life, tables: TableServer) -> None:
    """B1: so that a control plane that lost the press learns of it; and it lets go of it for no
    older word."""
    served(life)
    assert "figway-kill" not in tables.heard, "none yet"
    tables.says |= {"Figway-Kill": "on", "Figway-Kill-Number": "5"}
    assert served(life) == "legacy"
    tables.says |= {"Figway-Kill": "off", "Figway-Kill-Number": "4"}
    for _ in range(4):
        assert served(life) == "legacy"
    told = {name: value for name, value in tables.heard.items() if name.startswith("figway-")}
    assert told == {
        "figway-kill": "on",
        "figway-kill-number": "5",
        "figway-installation": X,
    }
    tables.says |= {"Figway-Kill-Number": "6"}
    assert served(life) == "new"


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        ("http://a.example,http://a.example/", "twice"),
        ("http://a.example,ftp://b.example", "http or https"),
    ],
)
def test_lists_that_cannot_be_meant(urls: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load({**BASE, "FIGWAY_CONTROL_URL": urls})
