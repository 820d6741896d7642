"""Trap 43: what caches would make of a route's answers is told with its evidence."""

from __future__ import annotations

from tests.support.comparing import JSON_TYPE, answer, example, route, send
from tests.support.control import Control

PUBLIC = [*JSON_TYPE, ["Cache-Control", "public, max-age=60"]]


async def test_warnings_from_stored_pairs(control: Control) -> None:
    """trap 43: a permanent redirect of new, and answers that a shared cache would mix."""
    await control.seed()
    assert (await control.flip(2_500)).status_code == 200
    assert (await control.get("/comparisons/routes/orders"))["warnings"] == []
    moved = answer("", status=301, headers=[["Location", "/a"]])
    plain = example({"a": 1}, {"a": 1})
    kept = example(answer({}, headers=PUBLIC), answer({}, headers=PUBLIC))
    gone = example(answer("", status=302, headers=[["Location", "/a"]]), moved)
    await send(control, 1, route(2, 1, examples=[plain, kept, gone]))
    found = (await control.get("/comparisons/routes/orders"))["warnings"]
    told = {(entry["code"], entry["message"].split()[0]) for entry in found}
    assert told == {("redirect_permanent", "new"), ("cache_mixes_sides", "a")}
    assert all(entry["severity"] == "warning" for entry in found)
    assert len(found) == 3  # the cache once for each side
