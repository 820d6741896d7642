"""The way back, off the happy path: what the command line says is held against what origins saw.

Two control planes on one PostgreSQL, three proxies. One bad backend, the kill switch, undo and
redo, a dead control plane, a restored database, a proxy that refuses every table, a new that hangs,
clients that leave early, and a stop.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from control_plane.cli.errors import Exit
from tests.suites.story.tell import Tell
from tests.suites.story.two_planes import HOST, TwoPlanes, running
from tests.support.load import Load, get

BROKEN = """
backends:
  - {id: broken, side: new, url: "http://127.0.0.1:9", credentials: [{header: Authorization, value: "env:FIGWAY_SECRET_THAT_NOBODY_SET"}]}
routes:
  - {id: invoices, match: {path: "/invoices/{id}"}, new: broken, stage: new}
"""  # noqa: E501
NEW = {"p1": "new", "p2": "new", "p3": "new"}
LEGACY = {"p1": "legacy", "p2": "legacy", "p3": "legacy"}


class Teller:
    """Runs commands and looks at the facades, and tells both in the step at hand."""

    def __init__(self, system: TwoPlanes, figures: dict[str, Any]) -> None:
        self._system = system
        self._figures = figures

    async def cli(
        self, *words: str, code: int = 0, says: str = "", at: str = "A", stdin: str = ""
    ) -> str:
        """Run a command, which must end so and say so; what it printed."""
        done = await self._system.cli(*words, at=at, stdin=stdin)
        self._figures.setdefault("commands", []).append(done)
        text = "\n".join(done["said"])
        assert done["code"] == code, done
        assert says in text, (says, text)
        return text

    async def served(self, path: str = "/orders/1", **wanted: str) -> None:
        """Within seconds the proxies answer so, and their origins executed as many requests."""
        self._figures.setdefault("served", []).append(
            {path: await self._system.until_sides(path, **wanted)}
        )
        before = self._system.origins()
        sides = await self._system.sides(path)
        seen = self._system.origins() - before
        self._figures.setdefault("origins", []).append({path: dict(seen)})
        for side in ("legacy", "new"):
            assert seen[side] == list(sides.values()).count(side), (seen, sides)


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        await _begin(tell, system)
        await _bad_backend(tell, system)
        await _kill(tell, system)
        await _undo(tell, system)
        await _dead_control_plane(tell, system)
        await _restored(tell, system)
        await _refused(tell, system)
        await _night(tell, system)
        await _hung_new(tell, system)
        await _early_leaving(tell, system)


async def _begin(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("a route is served by new at three proxies of two control planes") as out:
        teller = Teller(system, out)
        await teller.cli("backends", "set", "shop", "--side", "new", "--url", system.new.url)
        await teller.cli("routes", "set", "orders", "--path", "/orders/{id}", "--new", "shop")
        await teller.cli("flip", "orders", "new", code=Exit.NOT_CONFIRMED, says="--yes")
        await teller.cli("flip", "orders", "new", "--yes", "--wait", at="B", says="3 of 3 proxies")
        await teller.served(**NEW)


async def _bad_backend(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("what is wrong or doubtful is said when saving") as out:
        teller = Teller(system, out)
        function = ("backends", "set", "fn", "--side", "new", "--function")
        await teller.cli(*function, "no such name!", code=Exit.REFUSED, says="function_invalid")
        await teller.cli(*function, "orders", says="region_missing")
        await teller.cli("backends", "rm", "shop", code=Exit.REFUSED, says="used by route orders")
        await teller.cli("backends", "rm", "fn")
    async with tell.step("a backend that no proxy can open harms its own route alone") as out:
        teller = Teller(system, out)
        await teller.cli("apply", "--merge", "--yes", "--wait", "-", stdin=BROKEN, says="3 of 3")
        await teller.served("/invoices/1", **LEGACY)
        await teller.served(**NEW)
        said = await teller.cli("fleet")
        assert "cannot open backend broken" in said, said
    async with tell.step("a flip to what proxies cannot open is refused unless forced") as out:
        teller = Teller(system, out)
        await teller.cli("flip", "invoices", "legacy", "--wait", says="3 of 3")
        flip = ("flip", "invoices", "new")
        says, code = "p1, p2, p3 cannot open backend broken: ", Exit.NOT_CONFIRMED
        await teller.cli(*flip, "--yes", code=code, says=says)
        await teller.cli("undo", "--yes", at="B", code=code, says=says)
        await teller.cli(*flip, "--force", "-r", "mended within the hour", "--wait", says="3 of 3")
        await teller.served("/invoices/1", **LEGACY)
        await teller.cli("flip", "orders", "legacy", "--wait", says="3 of 3")
        await teller.served(**LEGACY)
        await teller.cli("flip", "orders", "new", "--yes", "--wait", says="3 of 3")


async def _kill(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("the kill switch holds with the bad backend in the table") as out:
        teller = Teller(system, out)
        await teller.cli("kill", "on", "-r", "new answers wrongly", at="B", says="3 of 3")
        await teller.served(**LEGACY)
        said = await teller.cli("get")
        assert "kill switch" in said.splitlines()[0], said
    async with tell.step(
        "undo takes back the change before it, and leaves the switch alone"
    ) as out:
        teller = Teller(system, out)
        await teller.cli("undo", says="Takes back revision")
        await teller.cli("kill", "status", says="on for the fleet")
        await teller.served(**LEGACY)
        await teller.cli("redo", "--yes", "--wait", says="3 of 3")
        await teller.served(**LEGACY)
        await teller.cli("kill", "off", says="3 of 3")
        await teller.served(**NEW)


async def _undo(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("undo goes back step by step, and redo forward again") as out:
        teller = Teller(system, out)
        await teller.cli("undo", "--wait")  # the flip to new
        await teller.served(**LEGACY)
        await teller.cli("undo", "--yes", "--wait")  # the flip to legacy before it
        await teller.served(**NEW)
        await teller.cli("redo", "--wait")
        await teller.served(**LEGACY)
        await teller.cli("redo", "--yes", "--wait")
        await teller.served(**NEW)
        await teller.cli("redo", code=Exit.NOT_FOUND, says="nothing to redo")


async def _dead_control_plane(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("a dead control plane: what its proxies do is not claimed") as out:
        teller = Teller(system, out)
        await system.end("A", signal.SIGKILL)
        await teller.served(**NEW)
        said = await teller.cli("kill", "on", at="B", code=Exit.NOT_APPLIED)
        assert "p1" in said, said
        assert "p3" in said, said
        await teller.served(p1="new", p2="legacy", p3="new")
        await teller.cli("get", at="A", code=Exit.UNREACHABLE)
    async with tell.step("it is started again, and they follow") as out:
        teller = Teller(system, out)
        await system.start_plane("A")
        await teller.served(**LEGACY)
        await teller.cli("kill", "status", says="3 of 3")
        await teller.cli("kill", "off", says="3 of 3")
        await teller.served(**NEW)


async def _restored(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step(
        "the database goes back to an older copy, and all end on one table"
    ) as out:
        teller = Teller(system, out)
        await system.keep_copy()
        await teller.served(**NEW)
        await teller.cli("flip", "orders", "legacy", "--wait", says="3 of 3")
        await teller.served(**LEGACY)
        await system.restore()
        await teller.served(**NEW)
        said = await asyncio.gather(*(system.cli("-o", "json", "revisions", at=n) for n in "AB"))
        assert said[0]["said"] == said[1]["said"]
        await teller.cli("flip", "orders", "legacy", "--wait", at="B", says="3 of 3")
        await teller.served(**LEGACY)
        await teller.cli("flip", "orders", "new", "--yes", "--wait", says="3 of 3")
        await teller.served(**NEW)


async def _refused(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("one proxy refuses every table: it is named, and obeys the switch") as out:
        teller = Teller(system, out)
        system.other.on = True
        said = await teller.cli(
            "flip", "orders", "legacy", "--wait", "--timeout", "8", code=Exit.NOT_APPLIED
        )
        assert "p3" in said, said
        await teller.served(p1="legacy", p2="legacy", p3="new")
        assert "p3 refuses" in await teller.cli("fleet")
        await teller.cli("kill", "on", says="3 of 3")
        await teller.served(**LEGACY)
        system.other.on = False
        await teller.cli("flip", "orders", "new", "--yes", "--wait", says="3 of 3")
        await teller.served(**LEGACY)
        await teller.cli("kill", "off", says="3 of 3")
        await teller.served(**NEW)


async def _night(tell: Tell, system: TwoPlanes) -> None:
    local = ("--local", "--state", str(system.folder / "p1"))
    async with tell.step("half of everything is broken, and one command is typed") as out:
        teller = Teller(system, out)
        process = system.group.child("A").process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(system.server.kill)
        press = ("kill", "on", "-r", "it burns")
        typed = asyncio.create_task(
            teller.cli(*press, at="A,B", code=Exit.NOT_APPLIED, says="1 of 3 proxies send")
        )
        begun = time.perf_counter()
        await system.until_sides(p2="legacy")
        out["p2_on_legacy_ms"] = round((time.perf_counter() - begun) * 1_000)
        said = await typed
        assert "The database has not taken it" in said
        assert "p1" in said
        assert "p3" in said
        await teller.served(p1="new", p2="legacy", p3="new")
        said = await teller.cli("kill", "status", at="A,B", says="on for the fleet")
        assert "The database has not answered" in said, "what is not known is said"
        await teller.cli("kill", "on", *local, says="within a second")
        await teller.served(p1="legacy", p2="legacy", p3="new")
        await teller.cli("kill", "off", at="A,B", code=Exit.FAILED)
        await teller.served(p1="legacy", p2="legacy", p3="new")
    async with tell.step("all of it comes back, and the press holds everywhere") as out:
        teller = Teller(system, out)
        await asyncio.to_thread(system.server.start)
        process.send_signal(signal.SIGCONT)
        await teller.served(**LEGACY)
        await _until_said(system, "3 of 3")
        await teller.cli("kill", "status", says="3 of 3")
        await teller.cli("kill", "off", *local, says="follows the fleet")
        await teller.cli("kill", "off", at="A,B", says="3 of 3")
        await teller.served(**NEW)


async def _until_said(system: TwoPlanes, says: str) -> None:
    """Each control plane says of the switch what all proxies do."""
    async with asyncio.timeout(30):
        for name in "AB":
            while says not in "".join((await system.cli("kill", "status", at=name))["said"]):
                await asyncio.sleep(0.2)


async def _hung_new(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("new hangs: legacy answers every read, and soon at once") as out:
        teller = Teller(system, out)
        await teller.cli("backends", "set", "shop", "--set", "timeouts.head_ms=400", "--wait")
        request = get("/orders/2", HOST)
        await teller.cli("kill", "on", "-r", "so that legacy's load is known", says="3 of 3")
        async with Load(system.facades["p1"], lambda _: request, connections=6, pause=0.1) as load:
            await load.answered(200)
        await teller.cli("kill", "off", says="3 of 3")
        await system.until_sides(p1="new")
        system.new.signal(signal.SIGSTOP)
        async with Load(system.facades["p1"], lambda _: request, connections=4, pause=0.1) as load:
            await load.answered(120)
            tally = await load.stop()
        out |= {
            "statuses": dict(tally.statuses),
            "slow": sum(ms > 350 for ms in tally.milliseconds),
        }
        assert set(tally.statuses) == {200}
        assert not tally.lost
        assert out["slow"] <= 12, "a row of five time-outs, on four connections, opens the breaker"
        assert "orders open" in await teller.cli("fleet")
        system.new.signal(signal.SIGCONT)
        await teller.served(p2="new")
        await _until_new(system, "p1")


async def _until_new(system: TwoPlanes, proxy: str) -> None:
    async with asyncio.timeout(60):
        while (await system.ask(proxy)).body != b"new":
            await asyncio.sleep(0.2)


async def _early_leaving(tell: Tell, system: TwoPlanes) -> None:
    async with tell.step("clients leave early, and the proxy stops at once all the same") as out:
        teller = Teller(system, out)
        url = urlsplit(system.facades["p1"])
        for _ in range(50):
            with socket.create_connection((url.hostname or "", url.port or 0)) as client:
                client.sendall(f"GET /orders/3 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        begun = time.perf_counter()
        out["exit_code"] = await system.end("p1")
        out["stopped_ms"] = round((time.perf_counter() - begun) * 1_000)
        assert out["exit_code"] == 0
        assert out["stopped_ms"] < 15_000, "it was killed, or waited for its drain time"
        await teller.cli("kill", "on", says="2 of 2")
        await teller.cli("kill", "off", says="2 of 2")
    async with tell.step("a control plane stops while it streams; the other goes on") as out:
        teller = Teller(system, out)
        out["exit_code"] = await system.end("A")
        assert out["exit_code"] == 0
        await teller.cli("kill", "status", at="B")
