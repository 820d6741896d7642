"""The demo's visitors: a few people who browse the travel shop through the facade."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from control_plane import outbound

_PEOPLE = 12
"""At once."""
_PAGES = 10
"""That one of them looks at before somebody else comes."""
_QUERY = "query Stay($n: Int!) { hotel(id: $n) { name stars city price { amount } } }"
_GRAPHQL_EVERY = 5
_PATHS = (
    "/",
    "/hotels",
    "/hotels/{n}",
    "/api/catalogue?city=Lisboa",
    "/api/catalogue?q=pool&sort=price",
    "/api/catalogue?page={page}",
    "/api/catalogue/{n}",
    "/api/users/{n}",
    "/api/users/{n}/profile",
    # As often as it takes for its rollout to end while somebody watches (`demo.ROLLOUT`).
    *("/api/bookings?user={n}",) * 6,
    "/export/catalogue.xml",
)


async def visitors(facade: str, rate: float) -> None:
    """Ask the facade `rate` times a second, as people with their own cookies, until cancelled."""
    if rate <= 0:
        return
    chance = random.Random(7)  # noqa: S311 - which page comes next is no secret
    async with asyncio.TaskGroup() as group:
        for _ in range(_PEOPLE):
            group.create_task(_visitor(facade, _PEOPLE / rate, random.Random(chance.random())))  # noqa: S311


async def _visitor(facade: str, pause: float, chance: random.Random) -> None:
    # A client each: a browser keeps its own cookies, and with them its side of a split.
    from control_plane.outbound import (
        AsyncClient,
        HTTPError,
    )  # slow to import, and needed here alone

    async with AsyncClient(base_url=facade, trust_env=False, timeout=10.0) as client:
        for page in itertools.count():
            await asyncio.sleep(pause * (0.5 + chance.random()))
            if page % _PAGES == 0:
                client.cookies.clear()  # somebody else comes: a small weight meets some of many
            with suppress(HTTPError):
                await _ask(client, chance)


async def _ask(client: outbound.AsyncClient, chance: random.Random) -> None:
    """One page, or one query of the partners' GraphQL."""
    number = chance.randint(1, 200)
    if chance.randrange(_GRAPHQL_EVERY) == 0:
        await client.post("/graphql", json={"query": _QUERY, "variables": {"n": number}})
        return
    await client.get(chance.choice(_PATHS).format(n=number, page=chance.randint(1, 9)))
