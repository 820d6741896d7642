"""What the console prints to copy is run: commands, calls with curl, YAML (use 7)."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import Cli
from tests.support.comparing import batch, example, field, route
from tests.support.control import ROUTE
from tests.support.control_process import running, start
from tests.support.printed_commands import of_block, words_of

TO_TRY = [
    "/routes/orders", "/routes/bare", "/routes/orders/breaker?force=open",
    "/routes/orders/breaker?force=none", "/routes/orders/flip?stage=canary&percent=5",
    "/routes/orders/flip?stage=new", "/routes/orders/flip?stage=legacy",
    "/capabilities/shop/flip?stage=shadow", "/capabilities/shop/flip?stage=canary&percent=0.5",
    "/explain?request=/orders/7", "/shadow", "/shadow/orders", "/rollouts", "/fleet", "/kill",
    "/revisions/3", "/", "/routes", "/audit", "/backends",
]  # fmt: skip
FOREVER = {"up", "demo", "proxy", "control"}
"""Commands that run until they are ended: `tests/architecture/test_printed_commands.py` has them
parsed, and others start them."""


class Printed:
    """A control plane, and the pages of its console."""

    def __init__(self, url: str, key: str) -> None:
        self.cli = Cli(url, key)
        self.env = {**os.environ, **self.cli.env}
        self.browser = httpx.Client(
            base_url=url.removesuffix("/api/v1"), trust_env=False, timeout=60
        )
        assert self.browser.post("/console/login", data={"key": key}).status_code == 303

    def blocks(self, path: str) -> list[str]:
        """What stands in the boxes of a page, to be copied."""
        answer = self.browser.get(f"/console{path}")
        assert answer.status_code == 200, answer.text
        found = re.findall(r"<code[^>]*>([^<]*)</code>", answer.text)
        return [html.unescape(text) for text in found]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Printed]:
    with running(tmp_path_factory.mktemp("control")) as process:
        url, key = start(process)
        found = Printed(url, str(key))
        for side, name in (("legacy", "legacy"), ("new", "fn")):
            found.cli.post("backends", {"id": name, "side": side, "url": "http://127.0.0.1:9"})
        found.cli.post("capabilities", {"id": "shop"})
        found.cli.post("routes", {**ROUTE, "capability": "shop", "stage": "shadow"})
        found.cli.post("routes", {"id": "bare", "match": {"path": "/it's/{a}"}})
        pair = example({"price": 1}, {"price": 2})
        counted = route(9, 1, fields=[field("$.price", 1)], examples=[pair])
        found.cli.post("comparisons/batches", batch(1, counted))
        yield found
        found.browser.close()
        found.cli.api.close()


def _runs(printed: Printed, line: str) -> str:
    """Why a command of a page does not do what it says; empty where it does."""
    words = words_of(line)[1:]
    words = ["fn" if word == "BACKEND" else "orders" if word == "ROUTE" else word for word in words]
    if words[0] in FOREVER or "--watch" in words or "--local" in words or words[1:2] == ["watch"]:
        return ""
    if "--wait" in words:
        words += ["--timeout", "0.1"]
    result = printed.cli.run(*words)
    # 8: saved, and no proxy is there to serve it; 9: it asks, as the page's own dialog does.
    if result.exit_code == 0 or getattr(result.exception, "code", None) in (8, 9):
        return ""
    return f"{line}: {result.exception} {result.output}"


@pytest.mark.parametrize("path", TO_TRY)
def test_commands_of_a_page_do_what_they_say(printed: Printed, path: str) -> None:
    """use 7: each is run against the control plane that printed it."""
    found = [line for block in printed.blocks(path) for line in of_block(block)]
    assert [why for line in found if (why := _runs(printed, line))] == []


def test_commands_are_found() -> None:
    """The pages print some: a test of nothing would pass."""
    assert of_block("figway get\n$ figway undo 3\nnothing") == ["figway get", "figway undo 3"]


@pytest.mark.parametrize("path", TO_TRY)
def test_calls_of_a_page_are_answered(printed: Printed, path: str) -> None:
    """use 7: curl as it is printed, with the address and the key of the environment."""
    for block in printed.blocks(path):
        if not block.startswith("curl "):
            continue
        done = subprocess.run(
            ["bash", "-c", f"{block} --silent --show-error --max-time 30"],
            env=printed.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stderr)
        answer = json.loads(done.stdout)
        wanted = str(answer.get("type", "")).rpartition(":")[2]
        assert wanted in ("", "confirmation_required"), (block, answer)


def test_yaml_of_a_page_can_be_applied(printed: Printed, tmp_path: Path) -> None:
    """use 7: a route as a document is one, with `--merge`."""
    seen = 0
    for path in ("/routes/orders", "/routes/bare", "/routes/orders/flip?stage=canary&percent=5"):
        for number, block in enumerate(printed.blocks(path)):
            if not block.startswith("routes:"):
                continue
            file = tmp_path / f"{number}.yaml"
            file.write_text(block)
            printed.cli.text("validate", str(file), "--merge")
            seen += 1
    assert seen >= 3
