"""The benchmark of the console asks for every page, and each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

from bench import console_fill as data
from bench.console_fill import Size
from bench.console_pages import pages
from bench.console_system import PROXIES, Proxies, Target
from control_plane.console import app as console
from tests.support.console import browser
from tests.support.control import control_plane

SIZE = Size(routes=200, comparisons=12_000, hours=1, revisions=12)
NOT_PAGES = {
    "/live",  # a stream; the browsers of the benchmark follow it
    "/replays/{replay_id}",  # what an action answers with
    "/audit/export.{kind}",  # a file
}


async def test_every_page_of_the_benchmark_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/figway.sqlite3"
    filled = await data.fill(url, SIZE)
    assert filled["rows"]["compared_examples"] == SIZE.comparisons
    async with control_plane(url, keep_example_megabytes=10_000) as control:
        assert len(await control.get("/traffic/summary", limit=10_000)) == 4
        visitor = await browser(control)
        visitor.client.headers["authorization"] = f"Bearer {filled['key']}"
        named = data.route_id(data.compared(SIZE)[9])
        listed = await control.get("/comparisons/examples", route=named, limit=20)
        target = Target("sqlite", "", filled["key"], 0, SIZE)
        asked = pages(target, listed["items"][0]["id"], listed["next"])
        for name, path in asked:
            answer = await visitor.client.get(path)
            assert answer.status_code == 200, (name, path, answer.text[:500])
        await control.services.comparisons.retention.trim()
        await control.services.traffic.trim()
        left = await control.get("/comparisons/examples", route=named, limit=20)
        assert left == listed, "retention deletes what the benchmark measures"
        proxies = Proxies(target, visitor.client)
        for number in range(PROXIES):
            for path, body in (proxies._report(number, 1), proxies._compare(number, 1)):
                sent = await visitor.client.post(f"/api/v1{path}", json=body)
                assert sent.json() == {"accepted": True}
    paths = [path.removeprefix("/console").partition("?")[0] for _, path in asked]
    for screen in console.SCREENS:
        for route in screen.router.routes:
            if "GET" in getattr(route, "methods", ()) and route.path not in NOT_PAGES:
                pattern = re.sub(r"{[^}]*}", "[^/]+", route.path)
                assert any(re.fullmatch(pattern, path) for path in paths), route.path
