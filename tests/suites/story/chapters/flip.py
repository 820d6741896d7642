"""A route is added, flipped to new and back, and everybody serves it at once."""

from __future__ import annotations

from pathlib import Path

from control_plane import outbound
from tests.suites.story.system import running
from tests.suites.story.tell import Tell


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with (
        running(folder) as system,
        outbound.AsyncClient(base_url=system.facade, trust_env=False, timeout=20) as browser,
    ):
        async with tell.step("routes are defined and nothing moves") as figures:
            made = await system.define()
            assert made["propagation"]["applied"]
            before = await system.stats()
            assert (await browser.get("/api/users/17")).status_code == 200
            after = await system.stats()
            figures |= {"revision": made["revision"], "legacy_served": _more(before, after)}
            assert figures["legacy_served"] == 1
        async with tell.step("a flip to new is served by every worker") as figures:
            flipped = await system.flip("users-get", stage="new")
            workers = (await system.private())["workers"]
            figures |= {
                "propagation_ms": flipped["propagation"]["ms"],
                "revision": flipped["revision"],
                "workers": len(workers),
            }
            assert all(worker["revision"] == flipped["revision"] for worker in workers)
        async with tell.step("requests move: legacy serves none of them any more") as figures:
            before = await system.stats()
            answers = [await browser.get(f"/api/users/{number}") for number in range(1, 21)]
            after = await system.stats()
            assert all(answer.status_code == 200 for answer in answers)
            figures |= {"requests": len(answers), "legacy_served": _more(before, after)}
            assert figures["legacy_served"] == 0
        async with tell.step("undo goes back") as figures:
            undone = await system.call(
                "POST", "/revisions/undo", {"reason": "back"}, wait="applied"
            )
            before = await system.stats()
            assert (await browser.get("/api/users/17")).status_code == 200
            figures |= {
                "propagation_ms": undone["propagation"]["ms"],
                "legacy_served": _more(before, await system.stats()),
            }
            assert figures["legacy_served"] == 1


def _more(before: dict[str, int], after: dict[str, int]) -> int:
    """How many requests for one user's JSON legacy executed in between."""
    return after.get(_USER, 0) - before.get(_USER, 0)


_USER = "GET /api/users/{id}"
