"""Pictures of the console in trouble, from real processes, for docs/reference/console.md.

    python -m tests.suites.browser.pictures [--into docs/images]

A proxy that refuses a table, a backend that nobody can open, the kill switch on, a control plane
that hangs, and 500 routes: each at the size of a desktop and of a phone. Takes Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.suites.story.chapters.wayback import BROKEN
from tests.suites.story.two_planes import TwoPlanes, running

SIZES = {"": (1_280, 800), "-phone": (390, 844)}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SETTLE_MS = 2_500
AREAS = ("orders", "baskets", "invoices", "search", "profiles", "reviews", "stock", "shipping")


def many(count: int, url: str) -> str:
    """A table document of `count` routes in eight capabilities, in all stages."""
    stages = ("legacy", "legacy", "shadow", "canary", "new", "legacy", "new", "retired")
    routes = []
    for number in range(count):
        area = AREAS[number % len(AREAS)]
        stage = stages[number % len(stages) if number % 3 else 0]
        routes.append(
            {
                "id": f"{area}-{number}",
                "match": {"path": f"/{area}/{number}/{{id}}"},
                "new": "many",
                "capability": area,
                "stage": stage,
                **({"weight": "25%"} if stage == "canary" else {}),
            }
        )
    return json.dumps(
        {
            "backends": [{"id": "many", "side": "new", "url": url}],
            "capabilities": [{"id": area} for area in AREAS],
            "routes": routes,
        }
    )


class Camera:
    """A person who is logged in, at either size."""

    def __init__(self, browser: Browser, url: str, key: str, into: Path) -> None:
        self._browser = browser
        self._url = url
        self._key = key
        self._into = into
        self._contexts: dict[str, BrowserContext] = {}

    async def log_in(self) -> None:
        """Once for each size."""
        for suffix, (width, height) in SIZES.items():
            context = await self._browser.new_context(viewport={"width": width, "height": height})
            page = await context.new_page()
            await page.goto(f"{self._url}/console/login")
            await page.fill("#key", self._key)
            await page.press("#key", "Enter")
            await page.wait_for_url("**/console/")
            await page.close()
            self._contexts[suffix] = context

    async def open(self, path: str) -> dict[str, Page]:
        """The page at each size."""
        pages = {}
        for suffix, context in self._contexts.items():
            pages[suffix] = await context.new_page()
            await pages[suffix].goto(f"{self._url}/console{path}")
        return pages

    async def take(self, name: str, pages: dict[str, Page]) -> None:
        """Write the pictures, and close the pages; a page wider than its window is told."""
        for suffix, page in pages.items():
            await page.wait_for_timeout(SETTLE_MS)
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            height = await page.evaluate("document.documentElement.scrollHeight")
            await page.screenshot(path=self._into / f"console-{name}{suffix}.png")
            print(json.dumps({"picture": name + suffix, "too_wide_px": over, "height_px": height}))
            await page.close()

    async def show(self, name: str, path: str) -> None:
        """Open and take."""
        await self.take(name, await self.open(path))


async def picture(system: TwoPlanes, browser: Browser, into: Path) -> None:
    """Bring the system into each state, and take its pictures."""
    camera = Camera(browser, system.planes["A"], system.keys["admin"], into)
    await camera.log_in()
    await system.cli("backends", "set", "shop", "--side", "new", "--url", system.new.url)
    await system.cli("routes", "set", "orders", "--path", "/orders/{id}", "--new", "shop")
    await system.cli("flip", "orders", "new", "--yes", "--wait")
    await system.cli("apply", "--merge", "--yes", "--wait", "-", stdin=BROKEN)
    for _ in range(20):
        await system.sides()
        await system.sides("/invoices/1")
    await camera.show("backend-form", "/edit/backends/shop")
    await camera.show("quarantine-route", "/routes/invoices")
    await camera.show("quarantine-fleet", "/fleet")
    system.other.on = True
    await system.cli("flip", "orders", "legacy", "--wait", "--timeout", "6")
    await camera.show("refused", "/fleet")
    await camera.show("refused-map", "/")
    await system.cli("kill", "on", "-r", "Checkout answers wrongly")
    await camera.show("killed", "/")
    await camera.show("killed-route", "/routes/orders")
    system.other.on = False
    await system.cli("kill", "off", "-r", "Corrected")
    await system.cli("apply", "--merge", "--yes", "--wait", "-", stdin=many(500, system.new.url))
    await camera.show("map-500", "/")
    await camera.show("routes-500", "/routes")
    pages = await camera.open("/routes/orders")
    await asyncio.sleep(3)
    process = system.group.child("A").process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(9)
    await camera.take("hung", pages)
    process.send_signal(signal.SIGCONT)


async def run(into: Path) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="figway-pictures-") as folder:
        async with running(Path(folder)) as system, async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=ARGUMENTS
            )
            try:
                await picture(system, browser, into)
            finally:
                await browser.close()


def main() -> int:
    """Write every picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, default=Path("docs/images"), help="where to")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(given.into))
    return 0


if __name__ == "__main__":
    sys.exit(main())
