"""Two operators at the same moment, one at the command line and one in the console, each at a
control plane of their own: what each was told is so, and all end on one truth."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_plane.publishing.store import load
from tests.support.command_line import Cli, command_line
from tests.support.console import Browser, Page, browser
from tests.support.control import Control, control_plane
from tests.support.until import until

pytestmark = pytest.mark.long
ROUNDS = 3
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("flip", "orders", "shadow", "--yes"),
    ("undo", "--yes"),
    ("weight", "orders", "25%", "--yes"),
    ("kill", "on", "-r", "by ana"),
    ("flip", "orders", "legacy"),
    ("redo", "--yes"),
    ("kill", "off", "-r", "by ana"),
    ("undo", "--yes"),
)
SAID = (0, 3, 4, 5, 8, 9)
"""Done; nothing to undo, or no such route any more; somebody was faster; undoing it would make a
wrong table; done, and what proxies do is not known; asked."""
ANSWERED = (200, 404, 409, 412, 422)
"""The same in the console."""


async def _types(cli: Cli) -> list[tuple[tuple[str, ...], int]]:
    """Ana's commands, and how each ended."""
    done = []
    for words in COMMANDS * ROUNDS:
        result = await asyncio.to_thread(cli.run, *words)
        code = getattr(result.exception, "code", None) if result.exception else 0
        assert code in SAID, (words, code, result.output, result.exception)
        done.append((words, int(code or 0)))
    return done


async def _clicks(visitor: Browser, control: Control) -> list[tuple[str, int]]:
    """Bob's presses, and how each was answered."""
    done = []
    for number in range(ROUNDS * len(COMMANDS)):
        dialog = await visitor.part("/routes/orders/flip?stage=canary&percent=5")
        inputs = Page(dialog.text).all("input")  # none where the route was just taken back
        etag = next((a["value"] for a in inputs if a.get("name") == "etag"), "")
        newest = control.services.state.current.revision
        kill = control.services.kill.current.number
        sent: dict[int, tuple[str, dict[str, Any]]] = {
            0: ("/routes/orders/flip", {"stage": "canary", "percent": "5", "etag": etag}),
            1: (f"/revisions/{newest}/undo", {}),
            2: ("/kill", {"on": "1", "expected": str(kill)}),
            3: ("/routes/orders/flip", {"stage": "legacy", "percent": "", "etag": etag}),
            4: ("/kill", {"on": "", "expected": str(kill)}),
        }
        path, form = sent[number % 5]
        answer = await visitor.send(path, reason="by bob", **form)
        assert answer.status_code in ANSWERED, (path, answer.status_code, answer.text)
        done.append((path, answer.status_code))
    return done


async def test_two_operators_at_once(migrated_url: str) -> None:
    """T2, T3, B3, B4: every revision stands on the one before it, each is in the audit once, no
    press is lost, and both control planes end with the table that the database holds."""
    async with control_plane(migrated_url) as one:
        await one.seed()
        first = one.services.state.current.revision
        async with control_plane(migrated_url, key=one.key) as other:
            visitor = await browser(other)
            async with command_line(one) as cli:
                typed, clicked = await asyncio.gather(_types(cli), _clicks(visitor, other))
            assert any(code == 0 for _, code in typed)
            assert any(status == 200 for _, status in clicked)
            async with one.services.database.read() as connection:
                stored = await load(connection, one.services.state)
            await until(
                lambda: all(
                    control.services.state.current.etag == stored.snapshot.etag
                    for control in (one, other)
                ),
                "both follow",
            )
            await _is_one_line(one, first)
            await _kill_is_one(one, other)
        await visitor.client.aclose()


async def _is_one_line(control: Control, first: int) -> None:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await control.get("/revisions", limit=100, **cursor)
        rows += page["items"]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    numbers = [row["revision"] for row in rows]
    assert numbers == list(range(numbers[0], 0, -1)), "no gap, and none twice"
    audited = [
        row["revision"]
        for row in (await control.get("/audit", limit=1_000))["items"]
        if row.get("revision")
    ]
    assert sorted(audited) == sorted(number for number in numbers if number > 0)
    assert numbers[0] > first


async def _kill_is_one(one: Control, other: Control) -> None:
    """Both know the same press, whose number is that of the presses in the audit."""
    await other.services.kill.refresh()
    await one.services.kill.refresh()
    stands = one.services.kill.current
    assert (stands.on, stands.number) == (
        other.services.kill.current.on, other.services.kill.current.number,
    )  # fmt: skip
    presses = [
        row
        for row in (await one.get("/audit", limit=1_000))["items"]
        if row["action"] in ("kill.on", "kill.off")
    ]
    assert len(presses) == stands.number
    assert presses[0]["action"] == ("kill.on" if stands.on else "kill.off")
