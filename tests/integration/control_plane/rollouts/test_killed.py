"""The control plane that acts is killed (SIGKILL) at every place at which something was written:
no step is lost, none is done twice, and what is told of it is told once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from control_plane.audit.entry import AuditEntry
from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from control_plane.clock import now_ms
from tests.support.control import control_plane
from tests.support.databases import CopyOf
from tests.support.killed import Forks, forks, goes_on, still
from tests.support.rollouts import STEPS, Heard

APPROVED = [STEPS[0], {"weight": "5%", "approve": True}, *STEPS[2:]]
Prepare = Callable[[Heard], Awaitable[None]]


async def _planned(heard: Heard) -> None:
    """Nothing was started."""


def _at(stands: str, **plan: Any) -> Prepare:
    """The rollout stands there, and all is well."""

    async def prepare(heard: Heard) -> None:
        await heard.start(**plan)
        if stands:
            await heard.walk_to(stands)

    return prepare


def _failing(**plan: Any) -> Prepare:
    """New fails at 25 %."""

    async def prepare(heard: Heard) -> None:
        await _at("25 %", **plan)(heard)
        await heard.proxy()
        await heard.report(legacy=75, new=0, failed=40)

    return prepare


def _told(word: str) -> Prepare:
    """A person said a word at 5 %."""

    async def prepare(heard: Heard) -> None:
        await _at("5 %")(heard)
        assert (await heard.say(word)).status_code == 200

    return prepare


def _flipped(weight: int) -> Prepare:
    """A person flipped by hand at 5 %."""

    async def prepare(heard: Heard) -> None:
        await _at("5 %")(heard)
        assert (await heard.control.flip(weight)).status_code == 200

    return prepare


async def _stepped_back(heard: Heard) -> None:
    await _at("25 %")(heard)
    await heard.tick(legacy=75, new=0, failed=40)


async def _waits_for_approval(heard: Heard) -> None:
    await _at("5 %", steps=APPROVED)(heard)
    assert (await heard.tick())["waiting_for"] == "approval"


async def _to_be_sent(heard: Heard) -> None:
    """An endpoint is to be told of everything, and refuses each connection."""
    endpoint = {"id": "hook", "url": "http://127.0.0.1:9/", "types": ["figway.rollout.*"]}
    assert (await heard.control.post("/webhooks", endpoint)).status_code == 201
    await _at("5 %")(heard)


TRANSITIONS: dict[str, tuple[Prepare, str]] = {
    "a start": (_planned, "start"),
    "the first move": (_at(""), "look"),
    "a move further": (_at("5 %"), "look"),
    "the last move": (_at("25 %"), "look"),
    "the end": (_at("new"), "look"),
    "a step back": (_failing(), "look"),
    "the proxies follow a step back": (_stepped_back, "look"),
    "a breach leads to legacy": (_failing(on_breach="legacy"), "look"),
    "a breach pauses": (_failing(on_breach="pause"), "look"),
    "an approval is missing": (_at("5 %", steps=APPROVED), "look"),
    "a flip further by hand": (_flipped(9_000), "look"),
    "a flip back by hand": (_flipped(100), "look"),
    "an approval": (_waits_for_approval, "approve"),
    "a pause": (_at("5 %"), "pause"),
    "a resumption": (_told("pause"), "resume"),
    "a promotion": (_at("5 %"), "promote"),
    "a promotion to the end": (_at("5 %"), "promote-full"),
    "an abort": (_at("5 %"), "abort"),
    "a retry": (_told("abort"), "retry"),
    "a delivery": (_to_be_sent, "send"),
}
"""What comes before, and what the process does that is killed."""


@dataclass(frozen=True)
class World:
    """Databases to begin from: an installation with a rollout, at one moment."""

    template: str
    key: str
    person: str
    moment_ms: int
    what: str
    copy_of: CopyOf

    def job(self, url: str) -> dict[str, Any]:
        """What every process is told."""
        return {"url": url, "key": self.key, "person": self.person, "what": self.what,
                "moment_ms": self.moment_ms}  # fmt: skip


@pytest.fixture(scope="module")
def processes() -> Iterator[Forks]:
    """A process that forks."""
    with forks() as found:
        yield found


@pytest.fixture
async def world(request: pytest.FixtureRequest, migrated_url: str, copy_of: CopyOf) -> World:
    """The database of a transition, just before it."""
    prepare, what = TRANSITIONS[request.param]
    key = str(generate())
    async with control_plane(migrated_url, rollout_seconds=60, key=key) as control:
        await control.seed()
        heard = Heard(control)
        await prepare(heard)
        if "breach" not in request.param and request.param != "a step back":
            await heard.proxy()
            await heard.report()
        entry = AuditEntry("test", "", "key.create", "key")
        person = await create_key(
            control.services.database, name="ann", role=Role.ADMIN, entry=entry
        )
        moment = now_ms()

    return World(migrated_url, key, str(person), moment, what, copy_of)


@pytest.mark.long
@pytest.mark.parametrize(
    "world", TRANSITIONS, indirect=True, ids=lambda name: name.replace(" ", "_")
)
async def test_killed_at_every_place_in_a_transition(world: World, processes: Forks) -> None:
    """Whoever comes next, a process that starts anew or another that runs already, makes of it what
    would have come of it without the kill."""
    with world.copy_of(world.template) as url:
        passed = processes.run(**world.job(url), kill_at=0)["passed"]
        wanted = processes.run(**world.job(url), goes_on=True)
    assert passed >= 4
    for place in range(1, passed + 1):
        with world.copy_of(world.template) as url:
            if place % 2:
                assert processes.run(**world.job(url), kill_at=place) == {"killed": True}
                found = processes.run(**world.job(url), goes_on=True)
            else:
                async with still(url, world.key, world.moment_ms) as other:
                    assert processes.run(**world.job(url), kill_at=place) == {"killed": True}
                    found = await goes_on(other, world.what, world.person)
        assert found == wanted, f"killed at place {place} of {passed}"


@pytest.mark.parametrize("world", ["a move further"], indirect=True)
async def test_the_places_lie_on_both_sides_of_a_move(world: World, processes: Forks) -> None:
    """Killed at the first nothing was done, killed at the last it was: the table as the database
    has it afterwards, before anybody else has looked."""
    with world.copy_of(world.template) as url:
        passed = processes.run(**world.job(url), kill_at=0)["passed"]
    stood = []
    for place in (1, passed):
        with world.copy_of(world.template) as url:
            processes.run(**world.job(url), kill_at=place)
            async with still(url, world.key, world.moment_ms) as other:
                stood.append(await Heard(other).stands())
    assert stood == ["5 %", "25 %"]
