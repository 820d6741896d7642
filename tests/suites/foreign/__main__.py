"""Other projects' suites with and without the facade: `python -m tests.suites.foreign [SUITE ...]`.

Each suite drives a real server that nobody here wrote, once directly and once through `figway up`
with no routes. What a test says must be the same both times; a difference that the manual lists
(docs/concepts/routing.md, "What is added and taken") is named beside it. The exit code is 1 where
another one is found. What is needed comes from PyPI and Debian into build/foreign.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from control_plane.cli.addresses import free_port
from tests.suites.foreign.runs import SUITES, Suite, prepare
from tests.support.installation import clean_environment, installation

PATIENCE_S = 60


def main() -> int:
    """Run the suites that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--folder", type=Path, default=Path("build/foreign"))
    parser.add_argument("--json", type=Path, help="where to write what was seen")
    options = parser.parse_args()
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}: {', '.join(SUITES)}")
    folder = options.folder.absolute()
    prepare(folder)
    told = {name: compare(SUITES[name], folder) for name in options.suites or SUITES}
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return int(any(row["unlisted"] for row in told.values()))


def compare(suite: Suite, folder: Path) -> dict[str, object]:
    """Run one suite twice, each time against a server that was just started; what was seen."""
    with serving(suite, folder) as url:
        direct = suite.run(folder, url)
    home = folder / f"figway-{suite.name}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    with serving(suite, folder) as url, installation(home, url) as figway:
        figway.start()
        facade = suite.run(folder, figway.facade)
        figway.stop()
    return tell(suite, direct, facade)


@contextmanager
def serving(suite: Suite, folder: Path) -> Iterator[str]:
    """The suite's server; its URL."""
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        suite.server(folder, port), env=clean_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answers(url, server)
        yield url
    finally:
        server.kill()
        server.wait()


def answers(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers. Raises SystemExit if it does not."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            requests.get(url, timeout=5)
            return
        except requests.RequestException:
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server at {url} did not start") from None
            time.sleep(0.1)


def tell(suite: Suite, direct: dict[str, str], facade: dict[str, str]) -> dict[str, object]:
    """Print what differs, and why it may."""
    names = sorted(direct.keys() | facade.keys())
    differing = {
        name: (direct.get(name, "not run"), facade.get(name, "not run"))
        for name in names
        if direct.get(name) != facade.get(name)
    }
    unlisted = [name for name in differing if name not in suite.listed]
    passed = sum(outcome == "passed" for outcome in direct.values())
    sys.stdout.write(
        f"{suite.name}: {len(direct)} tests directly, {passed} of them passed; "
        f"{len(facade)} through the facade; {len(differing)} differ\n"
    )
    for name, (before, after) in differing.items():
        why = suite.listed.get(name, "NOT LISTED")
        sys.stdout.write(f"  {name}: {before} directly, {after} through the facade: {why}\n")
    if not direct:
        unlisted.append("no test ran")
    return {
        "direct": len(direct),
        "passed": passed,
        "differ": {name: list(pair) for name, pair in differing.items()},
        "unlisted": unlisted,
    }


if __name__ == "__main__":
    sys.exit(main())
