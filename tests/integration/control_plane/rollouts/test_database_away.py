"""The database goes away while a rollout moves: nothing advances, nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from tests.support.control import Control
from tests.support.rollouts import STEPS, Heard, set_clock

pytestmark = pytest.mark.long

BREACHED_MS = 20_000


class Outage:
    """A database that answers so many more times, and then is away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.refused = 0
        for name in ("read", "write"):
            monkeypatch.setattr(Database, name, self._guarded(getattr(Database, name)))

    def _guarded(self, real: Any) -> Any:
        @asynccontextmanager
        async def guarded(database: Database) -> AsyncIterator[AsyncConnection]:
            if self.left == 0:
                self.refused += 1
                raise OperationalError("", None, OSError("the database is away"))
            if self.left is not None:
                self.left -= 1
            async with real(database) as connection:
                yield connection

        return guarded


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    """Begins when `left` is set to a number."""
    return Outage(monkeypatch)


async def _two_minutes(control: Control, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds five seconds apart, each of which finds no database; then it is back."""
    outage.left = 0
    for look in range(24):
        set_clock(monkeypatch, BREACHED_MS + 5_000 * (look + 1))
        with pytest.raises(OperationalError):
            await control.services.ticker.round()
    outage.left = None


async def _moves(control: Control) -> list[str]:
    """What the rollout did to the table, oldest first; the timeline tells of each once."""
    items = (await control.get("/revisions", limit=200))["items"]
    made = {e["revision"]: e["summary"] for e in items if e["source"] == "rollout"}
    timeline = (await control.get("/rollouts/orders/timeline", limit=200))["items"]
    told = sorted(entry["revision"] for entry in timeline if entry["revision"])
    assert told == sorted(made)
    moves = [made[number] for number in told]
    for one, other in pairwise(moves):
        assert one != other
    return moves


@pytest.mark.parametrize("phase", ["pending", "hold", "approval", "paused", "stepping_back"])
async def test_two_minutes_without_a_database_at_each_phase(
    control: Control, outage: Outage, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """It stands as it stood, and afterwards goes on by itself, or waits for the person again."""
    await control.seed()
    heard = Heard(control)
    steps = [*STEPS[:1], {"weight": "5%", "hold": "1h" if phase == "hold" else "0s",
                          "approve": phase == "approval"}, *STEPS[2:]]  # fmt: skip
    await heard.start(steps=steps)
    if phase != "pending":
        await heard.walk_to("5 %")
        if phase == "stepping_back":
            await heard.walk_to("25 %")
            await heard.tick(failed=90)
        elif phase == "paused":
            await heard.say("pause")
        else:
            await heard.tick()
    before = await control.get("/rollouts/orders")
    assert phase in (before["phase"], before["waiting_for"])
    stood, moved = await heard.stands(), await _moves(control)
    await _two_minutes(control, outage, monkeypatch)
    assert outage.refused >= 24
    after = await control.get("/rollouts/orders")
    keys = ("phase", "waiting_for", "step", "reasons", "expected")
    assert {key: after.get(key) for key in keys} == {key: before.get(key) for key in keys}
    assert (await heard.stands(), await _moves(control)) == (stood, moved)
    if phase in ("pending", "stepping_back"):
        await heard.walk_to("25 %")
    else:
        found = await heard.tick()
        assert await heard.stands() == "5 %"
        assert phase in (found["phase"], found["waiting_for"])


@pytest.mark.parametrize("answers", range(24))
async def test_it_goes_away_in_the_middle_of_a_look(
    control: Control, outage: Outage, answers: int
) -> None:
    """After each number of answers, at every look of the walk: every step is made once."""
    await control.seed()
    heard = Heard(control)
    await heard.start()
    for _ in range(30):
        outage.left = None
        await heard.proxy()
        await heard.report()
        found = await control.get("/rollouts/orders")
        if found["phase"] == "completed":
            break
        outage.left = answers
        with suppress(OperationalError):
            await control.services.ticker.round()
        outage.left = None
        await control.services.publisher.refresh()
        await heard.proxy()
        await control.services.ticker.round()
    assert found["phase"] == "completed"
    assert len(await _moves(control)) == len(STEPS)
