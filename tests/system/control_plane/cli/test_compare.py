"""`figway compare` and `figway ignore` against a control plane that runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli.errors import Exit
from control_plane.cli.pairs import inert, lines_of
from tests.support.command_line import Cli
from tests.support.comparing import answer, batch, evidenced, example, field, request, route
from tests.support.control import ROUTE
from tests.support.control_process import running, start

LEGACY = {"updated": "2026-01-01", "items": [{"price": 10}]}
NEW = {"updated": "2026-01-02", "items": [{"price": 11}]}


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, Any]]:
    evil = answer({"a": "\x1b[31m\u202e"})
    return [
        example(LEGACY, NEW),
        example(evil, {"a": 1}, request=request("/orders/\x1b[2J")),
        example({"a": 1}, {"a": 1}),
    ]


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, pairs: list[dict[str, Any]]) -> Iterator[Cli]:
    with running(tmp_path_factory.mktemp("control")) as process:
        url, key = start(process)
        found = Cli(url, str(key))
        for side, name in (("legacy", "legacy"), ("new", "fn")):
            found.post("backends", {"id": name, "side": side, "url": "http://127.0.0.1:9"})
        found.post("routes", {**ROUTE, "stage": "shadow"})
        counted = evidenced(988, {"$.items[*].price|changed": 12}, examples=pairs)
        noisy = {"entries": [["$.updated|changed", "f"]], "count": 500}
        counted["evidence"][0]["signatures"].append(noisy)
        counted["captured"] = 1_500
        counted["fields"] = [field("$.items[*].price", 12)]
        paused = {"side": "new", "backend": "fn", "why": "slow", "since_ms": 1}
        found.post(
            "comparisons/batches",
            batch(1, counted, worker={"paused": [paused], "queue": {}}),
        )
        yield found
        found.api.close()


def test_top(cli: Cli) -> None:
    overview = cli.text("compare", "top")
    assert "orders" in overview
    assert "99.20%" in overview
    assert "paused" in overview
    one = cli.text("compare", "top", "orders")
    assert "over 1500 rated pairs of 1500 captured" in one
    assert "99.00%: needs" in one
    assert "99.90%: refuted" in one
    assert "$.items[*].price" in one
    assert "$.updated" not in one
    assert "1 more do not count" in one
    assert "legacy varies here by itself" in cli.text("compare", "top", "orders", "--noise")
    assert cli.data("compare", "top")[0]["evidence"]["agreement"]["mismatches"] == 12
    assert cli.fails("compare", "top", "nowhere").code is Exit.NOT_FOUND


def test_examples_and_one_of_them(cli: Cli, pairs: list[dict[str, Any]]) -> None:
    listed = cli.text("compare", "examples", "orders", "--field", "$.items[*].price")
    assert pairs[0]["id"] in listed
    assert pairs[1]["id"] not in listed
    shown = cli.text("compare", "show", pairs[0]["id"])
    assert '-      "price": 10' in shown
    assert '+      "price": 11' in shown
    beside = cli.text("compare", "show", pairs[0]["id"], "--side-by-side")
    assert '"price": 10' in beside
    assert '"price": 11' in beside
    assert cli.data("compare", "show", pairs[0]["id"][:8])["example"]["verdict"] == "mismatch"
    assert cli.fails("compare", "show", "none").code is Exit.NOT_FOUND


def test_captured_text_is_inert(cli: Cli, pairs: list[dict[str, Any]]) -> None:
    for words in (("show", pairs[1]["id"]), ("show", pairs[1]["id"], "-s")):
        shown = cli.text("compare", *words)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\\u001b[2J" in shown
    assert "\x1b" not in cli.text("compare", "examples", "orders")
    assert inert("x" * 600).endswith("... 600 characters")
    failed = {**answer(""), "failure": "timeout"}
    assert lines_of(failed) == ["failed: timeout"]


def test_rules_from_preview_to_undo(cli: Cli) -> None:
    words = ("orders", "$.items[*].price", "--kind", "number_tolerance", "--absolute", "1")
    tried = cli.data("ignore", "preview", *words)
    assert tried["fields"] == [{"field": "$.items[*].price|changed", "before": 1, "after": 0}]
    assert "mismatches before" in cli.text("ignore", "preview", *words)
    added = cli.text("ignore", "add", *words, "--note", "rounding", "--id", "price")
    assert "Undo: figway undo" in added
    assert "rounding" in cli.text("ignore", "list", "orders")
    gone = cli.text("ignore", "rm", "orders", "$.items[*].price")
    assert "comparison.rules" in gone
    cli.text("undo")
    assert [rule["id"] for rule in cli.data("ignore", "list", "orders")] == ["price"]
    back = cli.data("ignore", "preview", "orders", "--remove", "price")
    counted = [back[when]["mismatch"] for when in ("before", "after")]
    assert counted == [1, 2]  # without the rule the price counts again
    cli.text("ignore", "rm", "orders", "price")
    mapped = ("ignore", "add", "orders", "$.state", "--kind", "map_value", "--pair", "A=active",
              "--pair", "null=0", "--id", "state")  # fmt: skip
    cli.text(*mapped)
    assert cli.data("ignore", "list", "orders")[0]["pairs"] == [["A", "active"], [None, 0]]
    cli.text("ignore", "rm", "orders", "state")


def test_refused_rules(cli: Cli) -> None:
    assert cli.fails("ignore", "add", "orders", "price").code is Exit.REFUSED
    assert cli.fails("ignore", "rm", "orders", "none").code is Exit.NOT_FOUND
    assert cli.fails("ignore", "preview", "orders").code is Exit.USAGE
    bad = cli.fails("ignore", "add", "orders", "$.a", "--kind", "map_value", "--pair", "x")
    assert bad.code is Exit.USAGE


def test_noise_is_overruled(cli: Cli) -> None:
    assert "noise_overrules" in cli.text("compare", "noise", "orders", "$.updated", "signal")
    assert "$.updated" in cli.text("compare", "top", "orders")
    cli.text("compare", "noise", "orders", "$.updated", "learned")
    assert "$.updated" not in cli.text("compare", "top", "orders")


def test_replay(cli: Cli, pairs: list[dict[str, Any]]) -> None:
    late = cli.fails("compare", "replay", "orders", "--limit", "1", "--timeout", "0.2")
    assert late.code is Exit.NOT_APPLIED
    [old] = cli.api.get("comparisons/replays", params={"instance": "p1"}).json()["jobs"]

    def work() -> None:
        for _ in range(100):
            found = cli.api.get("comparisons/replays", params={"instance": "p1"}).json()
            for job in found["jobs"]:
                results = [
                    {"example": entry["id"], "verdict": "match"} for entry in job["examples"]
                ]
                cli.post(f"comparisons/replays/{job['id']}/results", {"results": results})
                return
            time.sleep(0.05)

    proxy = threading.Thread(target=work)
    proxy.start()
    said = cli.text("compare", "replay", "orders", "--example", pairs[0]["id"])
    proxy.join()
    assert "1 of 1 replayed: 1 gone" in said
    assert "replayed" in cli.text("compare", "show", pairs[0]["id"])
    none = cli.fails("compare", "replay", "orders", "--verdict", "stale")
    assert none.code is Exit.CONFLICT
    assert old["route"] == "orders"


def test_export(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "test_orders.py"
    cli.text("compare", "export", "orders", "--format", "pytest", "-O", str(file))
    compile(file.read_text(), str(file), "exec")
    assert "GET {{base_url}}/orders/7" in cli.text("compare", "export", "orders", "-f", "hurl")
    har = json.loads(cli.text("compare", "export", "orders", "--format", "har"))
    assert har["log"]["version"] == "1.2"
    bad = cli.fails("compare", "export", "orders", "-O", str(tmp_path / "no" / "x.py"))
    assert "cannot be written" in bad.message


def test_watch(cli: Cli) -> None:
    sent = threading.Timer(
        1.0, lambda: cli.post("comparisons/batches", batch(50, route(1, 0, route="zzz"), route(4)))
    )
    lines: list[str] = []

    def listen() -> None:
        with cli.api.stream("GET", "comparisons/live", params={"route": "orders"}) as stream:
            sent.start()
            for line in stream.iter_lines():
                lines.append(line)
                if '"verdicts"' in line:
                    return

    listen()
    assert not any("zzz" in line for line in lines)
    told = json.loads(lines[-1].removeprefix("data: "))
    assert told["verdicts"]["match"] == 4


def test_what_caches_would_make_of_it(cli: Cli) -> None:
    """trap 43: beside the evidence."""
    assert "redirect_permanent" not in cli.text("compare", "top", "orders")
    moved = answer("", status=301, headers=[["Location", "/a"]])
    pair = example(answer("", status=302, headers=[["Location", "/a"]]), moved)
    cli.post("comparisons/batches", batch(2, route(0, 1, examples=[pair])))
    text = cli.text("compare", "top", "orders")
    assert "redirect_permanent routes.orders" in text
    assert "new answers" in text
