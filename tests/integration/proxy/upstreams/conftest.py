"""The upstreams are tried on the loop that a worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the coroutines of this folder under uvloop."""
    return {"uvloop": uvloop.new_event_loop}
