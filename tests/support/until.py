"""Waiting for what happens elsewhere, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def until(
    what: Callable[[], Any], why: str = "what was waited for", limit_s: float = 20.0
) -> Any:
    """Ask `what` (which may be a coroutine function) until it is true."""
    try:
        async with asyncio.timeout(limit_s):
            while True:
                found = what()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never happened: {why}") from None
