"""With no routes at all, the facade is legacy: log-in, forms, files, streams, sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from pathlib import Path

import websockets

from control_plane import outbound
from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with (
        running(folder) as system,
        outbound.AsyncClient(base_url=system.facade, trust_env=False, timeout=20) as browser,
    ):
        await _pages(tell, system, browser)
        await _files(tell, system, browser)
        await _streams(tell, system, browser)


async def _pages(tell: Tell, system: System, browser: outbound.AsyncClient) -> None:
    async with tell.step("a page has the same bytes as at legacy") as figures:
        async with outbound.AsyncClient(trust_env=False) as direct:
            path = "/files/sample.bin?size=262144"
            there = await direct.get(system.legacy + path)
        here = await browser.get(path)
        assert here.content == there.content
        assert here.status_code == there.status_code == 200
        figures["bytes"] = len(here.content)
    async with tell.step("a login with form, CSRF token and session cookie") as figures:
        page = await browser.get("/login")
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        fields |= {"email": await _email(browser), "password": "wayfarer"}
        answer = await browser.post("/login", data=fields)
        assert answer.status_code in (302, 303), (answer.status_code, answer.text[:300])
        account = await browser.get("/account")
        assert account.status_code == 200, account.status_code
        figures["cookies"] = len(browser.cookies)
    async with tell.step("one answer sets two cookies") as figures:
        page = await browser.get("/account")
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        answer = await browser.post("/preferences", data=fields | {"currency": "EUR"})
        set_cookies = answer.headers.get_list("set-cookie")
        assert len(set_cookies) >= 2, (answer.status_code, set_cookies)
        figures["set_cookies"] = len(set_cookies)


async def _email(browser: outbound.AsyncClient) -> str:
    return str((await browser.get("/api/users/17")).json()["email"])


async def _files(tell: Tell, system: System, browser: outbound.AsyncClient) -> None:
    async with tell.step("an upload arrives whole") as figures:
        body = bytes(range(256)) * 4096
        answer = await browser.post("/files", files={"file": ("trip.bin", body)})
        assert answer.status_code in (200, 201), answer.text
        assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()
        figures["bytes"] = len(body)
    async with tell.step("a download streams whole") as figures:
        size = 8 * 1024 * 1024
        digest, count = hashlib.sha256(), 0
        async with browser.stream("GET", f"/files/sample.bin?size={size}") as answer:
            async for piece in answer.aiter_raw():
                digest.update(piece)
                count += len(piece)
        assert count == size
        figures |= {"bytes": count, "sha256": digest.hexdigest()}


async def _streams(tell: Tell, system: System, browser: outbound.AsyncClient) -> None:
    async with tell.step("server-sent events arrive as they are sent") as figures:
        events = 0
        async with browser.stream("GET", "/live/prices") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async with asyncio.timeout(15):
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        json.loads(line[5:])
                        events += 1
                    if events == 3:
                        break
        figures["events"] = events
    async with tell.step("a WebSocket talks both ways and closes cleanly") as figures:
        url = system.facade.replace("http://", "ws://") + "/ws/support"
        async with asyncio.timeout(15):
            async with websockets.connect(url, proxy=None) as socket:
                await socket.recv()
                await socket.send("hello")
                said = await socket.recv()
                await socket.close()
                figures |= {"answer": str(said)[:60], "close_code": socket.close_code}
                assert socket.close_code in (1000, 1005)
