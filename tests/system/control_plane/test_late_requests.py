"""A control plane that stood still finds old requests when it goes on: nobody waits for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.planes import Planes, planes
from tests.support.until import until

pytestmark = pytest.mark.process
ANY = {"if-match": "*"}
DOCUMENT: dict[str, Any] = {
    "default_backend": "legacy",
    "backends": [
        {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9"},
        {"id": "new", "side": "new", "url": "http://127.0.0.1:9"},
    ],
    "routes": [{"id": "moved", "match": {"path": "/moved/{x}"}, "new": "new"}],
}
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/routes/moved/flip?confirm=exposure", {"stage": "new", "reason": "late"}),
    ("PATCH", "/routes/moved", {"description": "late"}),
    ("POST", "/table/apply?confirm=exposure", {**DOCUMENT, "routes": []}),
    ("POST", "/backends", {"id": "late", "side": "new", "url": "http://127.0.0.1:9"}),
    ("DELETE", "/routes/moved", None),
    ("POST", "/revisions/undo", {"reason": "late"}),
    ("POST", "/keys", {"name": "late", "role": "admin"}),
]


async def _leaves(made: Planes, method: str, path: str, body: Any) -> None:
    """Ask, and be gone before there is an answer."""
    headers = {"authorization": f"Bearer {made.admin}", **ANY}
    async with httpx.AsyncClient(trust_env=False, timeout=1.0) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.request(method, f"{made.urls[0]}/api/v1{path}", json=body, headers=headers)


async def test_what_nobody_waits_for_is_not_changed(tmp_path: Path) -> None:
    """B9: a flip that had ended with "nobody knows" was made minutes later, when the control plane
    went on. The kill switch is turned on all the same: it leads back."""
    with planes(tmp_path / "planes", f"sqlite:///{tmp_path}/figway.sqlite3", 1) as made:
        await made.ask(0, "POST", "/table/apply?confirm=force&reason=a+test", json=DOCUMENT)
        before = await made.ask(0, "GET", "/table/export?format=json")
        revision = (await made.sent(0, "GET", "/revisions")).json()["items"][0]["revision"]
        made.freeze(0)
        await asyncio.gather(*(_leaves(made, *change) for change in CHANGES))
        await _leaves(made, "POST", "/kill", {"on": True, "reason": "it burns"})
        made.thaw(0)

        async def pressed() -> bool:
            return bool((await made.ask(0, "GET", "/kill"))["on"])

        await until(pressed, "the switch is on")
        await asyncio.sleep(1)
        assert await made.ask(0, "GET", "/table/export?format=json") == before
        newest = (await made.ask(0, "GET", "/revisions"))["items"][0]["revision"]
        assert newest == revision
        names = [key["name"] for key in (await made.ask(0, "GET", "/keys"))["items"]]
        assert "late" not in names
        method, path, body = CHANGES[0]
        flipped = await made.sent(0, method, path, json=body, headers=ANY)
        assert flipped.status_code == 200, "whoever waits is served as ever"
