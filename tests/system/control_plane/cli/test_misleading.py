"""What misled new users: what a command prints and how it ends is what is so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.cli.errors import Exit
from tests.support.command_line import Cli
from tests.support.control_process import running, start


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line of a control plane with a route, and no proxy."""
    folder = tmp_path_factory.mktemp("control")
    with running(folder, FIGWAY_LEGACY_URL="http://127.0.0.1:1") as process:
        url, key = start(process)
        made = Cli(url, str(key))
        made.text("backends", "set", "fn", "--side", "new", "--url", "http://127.0.0.1:2")
        for name in ("orders", "baskets"):
            made.text("routes", "set", name, "--path", f"/{name}/{{id}}", "--new", "fn")
        yield made
        made.api.close()


def test_a_key_that_may_not_presses_nothing(cli: Cli, tmp_path: Path) -> None:
    """use 3: it printed "Not allowed", switched this host all the same, and ended with 0."""
    key = cli.post("keys", {"name": "looks", "role": "viewer"})["key"]
    proxy = tmp_path / "proxy"
    proxy.mkdir()
    error = cli.fails("--key", key, "kill", "on", "--state", str(tmp_path))
    assert error.code is Exit.FORBIDDEN
    assert not (proxy / "kill").exists()
    assert "off for the fleet" in cli.text("kill", "status")


def test_the_kill_switch_is_told_wherever_stages_are(cli: Cli) -> None:
    """use 3: `fleet` and `get` did not show it; `kill off -r why` was a usage error."""
    cli.run("kill", "on", "-r", "checkout is wrong")
    try:
        for command in ("get", "fleet"):
            assert "kill switch on" in cli.text(command), command
        assert "checkout is wrong" in cli.text("kill", "status")
    finally:
        cli.run("kill", "off", "-r", "why")
    assert "off for the fleet" in cli.text("kill", "status")
    assert "kill switch" not in cli.text("get")


def test_a_shadow_without_a_sample_copies_a_tenth(cli: Cli) -> None:
    """use 6: it copied all, and doubled the load on new at once."""
    assert "--sample 100%" in cli.text("shadow", "orders")
    assert cli.data("routes", "show", "orders")["shadow"]["sample"] == 1_000
    cli.text("shadow", "orders", "--sample", "100%")
    cli.text("shadow", "orders")
    assert cli.data("routes", "show", "orders")["shadow"]["sample"] == 10_000, "chosen already"
    cli.text("flip", "orders", "legacy")


def test_get_shows_what_is_asked_for(cli: Cli) -> None:
    """use 16, use 17: 500 routes are no page to look at."""
    assert [row["item"]["id"] for row in cli.data("get", "bask")] == ["baskets"]
    assert cli.data("get", "--stage", "new") == []
    assert "No route is like that" in cli.text("get", "nothing-like-it")
    assert {row["item"]["id"] for row in cli.data("get")} >= {"orders", "baskets"}


def test_what_is_in_use_is_named(cli: Cli) -> None:
    """use 5: "there is no backend", said `backends rm` of one that is in use."""
    error = cli.fails("backends", "rm", "fn")
    assert error.code is Exit.REFUSED
    assert "used by routes" in str(error.findings)


def test_another_address_is_not_the_admin_api(cli: Cli) -> None:
    """use 5: pointed at something else it said `HTTP 404`."""
    url = cli.env["FIGWAY_ADMIN_URL"]
    error = cli.fails("--admin-url", f"{url}/console/login", "get")
    assert error.code is Exit.UNREACHABLE
    assert "is not a control plane" in error.message


def test_nothing_compared_is_no_agreement(cli: Cli) -> None:
    """use 8: "No differences that count" stood below "Nothing was compared yet"."""
    text = cli.text("compare", "top", "orders")
    assert "Nothing was compared yet of orders" in text
    assert "No differences" not in text
    assert "figway shadow orders starts it" in text
