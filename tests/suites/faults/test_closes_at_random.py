"""New closes kept connections whenever it likes."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

from tests.suites.faults.arena import Arena, Request, Seen, play
from tests.support.load import Connection
from tests.support.peer import Peer


def test_new_closes_kept_connections_at_random(tmp_path: Path) -> None:
    """trap 22: only what nobody has answered is repeated, and only where the method may be."""
    chance = Random(7)

    async def talk(arena: Arena) -> None:
        async def closes(peer: Peer, request: Request) -> bool | None:
            await peer.answer(b"new")
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.004)
                return False
            return None

        async def client(number: int) -> None:
            link = await Connection.open(arena.proxy.facade)
            for turn in range(40):
                method = "POST" if turn % 4 == 0 else "GET"
                path = f"/moved/{number}-{turn}"
                seen.append(await arena.ask(method, path, b"{}" * (turn % 4 == 0), connection=link))
                await asyncio.sleep(chance.random() * 0.004)
            link.close()

        seen: list[Seen] = []
        arena.new.fault = closes
        await asyncio.gather(*(client(number) for number in range(5)))
        reads = [item for item in seen if item.method == "GET"]
        writes = [item for item in seen if item.method == "POST"]
        assert {item.status for item in reads} == {200}
        assert {item.status for item in writes} <= {200, 502}
        ran = Counter(
            request.path
            for request in [*arena.new.requests, *arena.legacy.requests]
            if request.method == "POST"
        )
        assert max(ran.values()) == 1, "a write ran twice"
        arena.new.fault = None
        await arena.tell("New closes kept connections at random", reads[0], *writes)

    play(talk, tmp_path)
