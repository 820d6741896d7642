"""Makes the screenshots of the documentation from a running installation.

    figway demo                                  # in another terminal
    python scripts/screenshots.py --url http://127.0.0.1:8070 --key fgw_... --route catalogue-search

Needs playwright and Chromium (`apt install chromium`, or name one in CHROMIUM).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDE = (1_280, 800)
PHONE = (390, 844)
SETTLE_MS = 1_500


def main() -> int:
    """Write every picture; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8070", help="the control plane")
    parser.add_argument("--key", default=os.environ.get("FIGWAY_ADMIN_KEY", ""), help="an API key")
    parser.add_argument("--route", default="catalogue-search", help="the route that is shown")
    parser.add_argument("--into", type=Path, default=Path("docs/images"), help="where to")
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium or not given.key:
        sys.stderr.write("screenshots: this takes Chromium and a key (--key)\n")
        return 2
    given.into.mkdir(parents=True, exist_ok=True)
    screens = {
        "map": "/",
        "routes": "/routes",
        "route": f"/routes/{given.route}",
        "flip": f"/routes/{given.route}",
        "shadow": f"/shadow/{given.route}",
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
                page.screenshot(path=given.into / f"console-{name}{suffix}.png")
                shot.close()
        browser.close()
    return 0


def _open_dialog(page: Page) -> None:
    page.fill("#percent", "25")
    page.press("#percent", "Enter")
    page.wait_for_selector("#modal[open]")


if __name__ == "__main__":
    sys.exit(main())
