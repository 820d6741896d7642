"""`python -m tests.suites.story [--chapter NAME]`: the whole story on real sockets and processes.

Prints one JSON object a step: chapter, step, ok, ms, and figures. Exit code 0 only if every step
held. Each chapter starts a system of its own, so that they can be told alone and in any order.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

from tests.suites.story import chapters
from tests.suites.story.tell import StepFailed, Tell

ORDER = (
    "passthrough",
    "flip",
    "split",
    "outage",
    "workers",
    "shadow",
    "rollout",
    "fire",
    "operations",
    "wayback",
    "serverless",
    "serverless-targets",
)


def names() -> list[str]:
    """The chapters that there are, in the order in which they are told."""
    found = {module.name.replace("_", "-") for module in pkgutil.iter_modules(chapters.__path__)}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


async def tell(name: str) -> bool:
    """Tell one chapter; True if every step held."""
    module = importlib.import_module(f"tests.suites.story.chapters.{name.replace('-', '_')}")
    teller = Tell(name)
    with tempfile.TemporaryDirectory(prefix="figway-story-") as folder:
        try:
            await module.run(teller, Path(folder))
        except StepFailed:
            return False
        except Exception as error:
            sys.stderr.write(f"{name}: {type(error).__name__}: {error}\n")
            logs = await asyncio.to_thread(lambda: sorted(Path(folder).rglob("*.log")))
            for log in logs:
                sys.stderr.write(f"-- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n")
            return False
    return teller.held


def main() -> int:
    """Tell the chapters that were asked for, or all."""
    parser = argparse.ArgumentParser(prog="make story", description=__doc__)
    parser.add_argument("--chapter", choices=names(), action="append")
    wanted = parser.parse_args().chapter or names()
    held = [asyncio.run(tell(name)) for name in wanted]
    return 0 if held and all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
