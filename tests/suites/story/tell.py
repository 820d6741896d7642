"""Tells a story: one JSON object a step on standard output."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class StepFailed(Exception):
    """A step did not hold; the rest of its chapter is not told."""


class Tell:
    """Prints the steps of one chapter and remembers whether all held."""

    def __init__(self, chapter: str) -> None:
        self._chapter = chapter
        self.held = True

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """One step. The body fills in figures; an exception means that it did not hold."""
        figures: dict[str, Any] = {}
        begun = time.perf_counter()
        ok, failure = True, ""
        try:
            yield figures
        except Exception as error:
            ok, failure = False, f"{type(error).__name__}: {error}"
            traceback.print_exc(file=sys.stderr)
        line = {
            "chapter": self._chapter,
            "step": name,
            "ok": ok,
            "ms": round((time.perf_counter() - begun) * 1000, 1),
            **figures,
        }
        if failure:
            line["error"] = failure
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if not ok:
            self.held = False
            raise StepFailed(name)
