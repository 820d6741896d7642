"""Makes the screenshots of the documentation from a running installation.

    figway demo                                  # in another terminal
    python scripts/screenshots.py --url http://127.0.0.1:8070 --key fgw_... --route catalogue-search

The demo starts with everything on legacy: `--stages` moves its routes first, and waits until the
charts have something to show.

Needs playwright and Chromium (`apt install chromium`, or name one in CHROMIUM).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDE = (1_280, 800)
PHONE = (390, 844)
SETTLE_MS = 2_500
STAGES = (
    ("catalogue-hotel", {"weight": 2_500}, "a quarter of the visitors first"),
    ("profile-get", {"stage": "new"}, "profiles are proven"),
    ("catalogue-hotel", {"stage": "new"}, "a week without a difference"),
    ("catalogue-page", {"weight": 2_500}, "pages follow their calls"),
    ("catalogue-export", {"weight": 5_000}, "half of the exports"),
    ("catalogue-search", {"weight": 1_000}, "a tenth, to see both sides"),
    ("site-redirects", {"stage": "retired"}, "legacy was silent for a month"),
)
"""What `--stages` does to the demo's routes: route, flip, why."""
ROLLOUT = "bookings-list"
"""The plan that the demo brings; `--stages` starts it."""
PAUSE_S = 45
"""Between two flips, so that charts show what each did."""


def main() -> int:
    """Write every picture; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8070", help="the control plane")
    parser.add_argument("--key", default=os.environ.get("FIGWAY_ADMIN_KEY", ""), help="an API key")
    parser.add_argument("--route", default="catalogue-search", help="the route that is shown")
    parser.add_argument("--into", type=Path, default=Path("docs/images"), help="where to")
    parser.add_argument("--stages", action="store_true", help="move the demo's routes first")
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium or not given.key:
        sys.stderr.write("screenshots: this takes Chromium and a key (--key)\n")
        return 2
    given.into.mkdir(parents=True, exist_ok=True)
    if given.stages:
        _move(given.url, given.key)
    screens = {
        "map": "/",
        "routes": "/routes",
        "route": f"/routes/{given.route}",
        "flip": f"/routes/{given.route}",
        "shadow": f"/shadow/{given.route}",
        "pair": f"/shadow/{given.route}/examples/{_example(given.url, given.key, given.route)}",
        "rollout": f"/rollouts/{ROLLOUT}",
        "explain": "/explain?request=/api/catalogue%3Fq%3Drome&percent=25",
        "fleet": "/fleet",
        "audit": "/audit",
    }
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{given.url}/console/login")
        page.fill("#key", given.key)
        page.press("#key", "Enter")
        page.wait_for_url("**/console/")
        state = context.storage_state()
        for name, path in screens.items():
            for suffix, size, scheme in (
                ("", WIDE, "light"), ("-dark", WIDE, "dark"), ("-phone", PHONE, "light"),
            ):  # fmt: skip
                if suffix and name not in ("map", "route"):
                    continue
                shot = browser.new_context(
                    viewport={"width": size[0], "height": size[1]},
                    color_scheme="dark" if scheme == "dark" else "light",
                    storage_state=state,
                )
                page = shot.new_page()
                page.goto(f"{given.url}/console{path}")
                if name == "flip":
                    _open_dialog(page)
                page.wait_for_timeout(SETTLE_MS)
                whole = name == "rollout"
                page.screenshot(path=given.into / f"console-{name}{suffix}.png", full_page=whole)
                shot.close()
        browser.close()
    return 0


def _ask(url: str, key: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {key}", "If-Match": "*"}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    with urlopen(Request(f"{url}/api/v1{path}", data, headers), timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def _move(url: str, key: str) -> None:
    _ask(url, key, f"/rollouts/{ROLLOUT}/start", {"reason": "it moves by its evidence"})
    for route, flip, reason in STAGES:
        # The demo's new side has faults on purpose: some flips go against the evidence.
        _ask(url, key, f"/routes/{route}/flip?confirm=force", {**flip, "reason": reason})
        time.sleep(PAUSE_S)


def _example(url: str, key: str, route: str) -> str:
    """A stored pair that differs."""
    found = _ask(url, key, f"/comparisons/examples?route={route}&verdict=mismatch&limit=1")
    return str(found["items"][0]["id"])


def _open_dialog(page: Page) -> None:
    page.fill("#percent", "25")
    page.press("#percent", "Enter")
    page.wait_for_selector("#modal[open]")


if __name__ == "__main__":
    sys.exit(main())
