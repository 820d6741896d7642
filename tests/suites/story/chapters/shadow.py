"""New answers in the shadow, is compared, found wrong, fixed, and proven right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from control_plane import outbound
from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.support.load import Connection, get
from tests.support.until import until

ROUTE = "users-get"
WRONG = "$.loyalty.points"
PAIRS = 120


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        async with tell.step("a route is put into the shadow; legacy serves on") as figures:
            await system.define()
            flipped = await system.flip(ROUTE, stage="shadow")
            before = await system.stats()
            await _ask(system, PAIRS)
            served = await system.stats()
            figures |= {
                "propagation_ms": flipped["propagation"]["ms"],
                "served_by_legacy": _users(served) - _users(before),
            }
            assert figures["served_by_legacy"] >= PAIRS
        async with tell.step("every captured request is accounted for") as figures:
            evidence = await _settled(system, flipped["revision"])
            figures |= {
                "captured": evidence["captured"],
                "verdicts": evidence["verdicts"],
                "dropped": sum(evidence["dropped"].values()),
            }
            accounted = sum(evidence["verdicts"].values()) + sum(evidence["dropped"].values())
            assert accounted == evidence["captured"] == PAIRS
        async with tell.step("the seeded difference is found by its path, noise is not") as figures:
            real = await _real(system)
            figures["real"] = real
            assert list(real) == [WRONG]
        async with tell.step("a rule is previewed, saved, and undone") as figures:
            rule = {"kind": "ignore", "target": WRONG}
            shown = await system.call("POST", f"/routes/{ROUTE}/rules/preview", {"add": [rule]})
            made = await _overwrite(system, f"/routes/{ROUTE}/rules", rule)
            back = await system.call("POST", "/revisions/undo", {"reason": "no, fix it instead"})
            figures |= {"examples_changed": len(shown["items"]), "revision": made["revision"]}
            assert shown["items"]
            assert back["changed"]
        async with tell.step("the function is fixed, and a replay says so") as figures:
            await _fix(system)
            order = {"route": ROUTE, "reason": "is it fixed?"}
            replay = await system.call("POST", "/comparisons/replays", order)
            told = await _replayed(system, replay["id"])
            figures |= {name: told[name] for name in ("total", "gone", "still", "not_replayable")}
            assert told["gone"] > 0
            assert told["still"] == told["not_replayable"] == 0
        async with tell.step("a new window of evidence finds every pair alike") as figures:
            path = f"/routes/{ROUTE}/evidence/restart"
            begun = await system.call(
                "POST", path, {}, reason="the function is fixed", wait="applied", timeout=10
            )
            await _ask(system, PAIRS)
            evidence = await _settled(system, begun["revision"])
            match = evidence["agreement"]
            figures |= {
                "rated": match["rated"],
                "matches": match["matches"],
                "lower_bound": round(match["low"], 4),
                "needs": {str(goal["rate"]): goal["needs"] for goal in match["goals"]},
            }
            assert match["mismatches"] == 0
            assert match["rated"] >= PAIRS - 2


async def _ask(system: System, requests: int) -> None:
    connection = await Connection.open(system.facade)
    for number in range(requests):
        if not connection.open_still:
            connection = await Connection.open(system.facade)
        reply = await connection.ask(get(f"/api/users/{number % 200 + 1}", system.host))
        assert reply.status == 200, reply
    connection.close()


def _users(stats: dict[str, int]) -> int:
    return stats.get("GET /api/users/{id}", 0)


async def _settled(system: System, revision: int) -> dict[str, Any]:
    """The evidence since `revision`, once every captured request is accounted for."""
    found: dict[str, Any] = {}

    async def complete() -> bool:
        route = await system.call("GET", f"/comparisons/routes/{ROUTE}")
        found.clear()
        found.update(route["evidence"] or {})
        if not found or found["revision"] < revision:
            return False
        return bool(found["captured"] >= PAIRS and found["pending"] == 0)

    await until(complete, limit_s=60.0)
    return found


async def _real(system: System) -> dict[str, int]:
    page = await system.call("GET", f"/comparisons/routes/{ROUTE}/fields", limit=1_000)
    return {row["path"]: row["pairs"] for row in page["items"] if row["standing"] == "real"}


async def _overwrite(system: System, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{system.place.admin}/api/v1{path}",
            json=body,
            params={"reason": "the story goes on"},
            headers={"if-match": "*", "authorization": f"Bearer {system.key}"},
        )
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made


async def _fix(system: System) -> None:
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.put(f"{system.functions}/host/differences", json={"*": False})
        answer.raise_for_status()


async def _replayed(system: System, replay: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def done() -> bool:
        found.update(await system.call("GET", f"/comparisons/replays/{replay}"))
        return bool(found["status"] == "done")

    await until(done, limit_s=60.0)
    return found
