"""New is behind two URLs, and one of them dies; then the other as well."""

from __future__ import annotations

import asyncio
from pathlib import Path

from figway.model.backend import OutlierPolicy
from tests.suites.faults.arena import Arena, Party, play
from tests.support.until import until


def test_one_of_two_urls_dies(tmp_path: Path) -> None:
    """trap 22, trap 44, trap 50: nothing was sent, so the other URL gets even writes; the dead one
    is left out, which metrics and fleet say."""

    async def talk(arena: Arena) -> None:
        other = Party("new")
        await other.start()
        try:
            outlier = OutlierPolicy(failures=2, eject_ms=1_500)
            await arena.publish(arena.table(urls=(other.url,), outlier=outlier))
            assert {(await arena.ask()).side for _ in range(4)} == {"new"}
            await other.stop()
            seen = [await arena.ask("POST", body=b"{}"), await arena.ask()]
            async with asyncio.timeout(20):
                while not (out := arena.control.ack["out"]):
                    seen += [await arena.ask("POST", body=b"{}"), await arena.ask()]
                    await asyncio.sleep(0.05)
            assert {(item.status, item.side) for item in seen} == {(200, "new")}
            assert arena.legacy.asked("POST") == 0
            assert (out[0]["member"], out[0]["state"]) == (other.url, "ejected")
            assert await arena.proxy.metric("figway_member_out") == 1
            await arena.new.stop()
            fell = await arena.ask("POST", body=b"{}")
            assert (fell.status, fell.side, fell.record["fallback"]) == (200, "legacy", "connect")
            await other.start()
            await arena.new.start()
            await until(lambda: not arena.control.ack["out"], "back in")
            await arena.tell("One of two URLs of new is dead, then both", *seen, fell)
        finally:
            await other.stop()

    play(talk, tmp_path)
