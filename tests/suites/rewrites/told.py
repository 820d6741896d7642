"""What Figway tells of a rewrite: a proxy with its shadow worker between the two servers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import httpx

from figway.evidence.judgement import Judgement, Now, judge
from figway.evidence.window import BuildEvidence
from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, RouteMatch, Stage, Table
from tests.support.shadow_world import ShadowWorld

FOUND = frozenset({"real", "unsteady", "varies_differently", "likely_real"})
EACH = 30
"""Times that each request is made."""


class Rewrite(ShadowWorld):
    """Two real servers as legacy and new, with some routes; all else at its defaults.

    `targets` are what is asked for, by the path template of a route.
    """

    def __init__(
        self, state_dir: Path, legacy: str, new: str, targets: dict[str, tuple[str, ...]]
    ) -> None:
        super().__init__(state_dir)
        self._urls = {"legacy": legacy, "new": new}
        self._targets = targets

    def table(self) -> Table:
        before = super().table()
        backends = {
            name: replace(backend, url=self._urls[name])
            for name, backend in before.backends.items()
        }
        routes = {
            f"r{at}": Route(
                id=f"r{at}",
                match=RouteMatch(path=path),
                stage=Stage.SHADOW,
                new="new",
                shadow=ShadowPolicy(),
            )
            for at, path in enumerate(self._targets)
        }
        return replace(before, backends=MappingProxyType(backends), routes=MappingProxyType(routes))

    async def compared(self, headers: dict[str, str]) -> dict[str, Judgement]:
        """Ask for each target, so that it is compared; what is told then, by path template."""
        proxy = await self.start(shadow_legacy_percent="50")
        every = [target for targets in self._targets.values() for target in targets]
        async with httpx.AsyncClient(base_url=proxy.facade, trust_env=False) as client:
            for _ in range(EACH):
                await asyncio.gather(*(client.get(target, headers=headers) for target in every))
        await self.settled(EACH * len(every))
        found: dict[str, BuildEvidence] = {}
        for row in self.batches.rows:
            for data in row["evidence"]:
                found.setdefault(row["route"], BuildEvidence()).add(BuildEvidence.from_data(data))
        return {path: judge(found[f"r{at}"], Now()) for at, path in enumerate(self._targets)}


async def judged_through_figway(
    state_dir: Path, legacy: str, new: str, targets: dict[str, tuple[str, ...]], **headers: str
) -> dict[str, Judgement]:
    """What a fresh Figway tells of two servers, by path template."""
    world = Rewrite(state_dir, legacy, new, targets)
    try:
        return await world.compared(headers)
    finally:
        for proxy in world.proxies:
            await proxy.destroy()
        world.control.stop()
        world.legacy.close()
        world.new.close()


def told(judged: Judgement) -> set[str]:
    """`header:vary missing`, `$.data added`: the fields that are told as differences."""
    return {f"{item.path} {item.kind}" for item in judged.fields if item.standing in FOUND}


def others(judged: Judgement) -> dict[str, str]:
    """Fields that are told in any other way, by their standing."""
    return {item.path: item.standing for item in judged.fields if item.standing not in FOUND}
