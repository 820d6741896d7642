"""Hears of revisions that other control planes publish: PostgreSQL notifies; polling lies
beneath."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg
from sqlalchemy.engine import URL

from control_plane.publishing.store import CHANNEL

_log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 30.0


async def listen(url: URL, heard: Callable[[], Awaitable[object]]) -> None:
    """Call `heard` for every notification, for ever; reconnects when the connection breaks.

    It has a connection of its own, since listening belongs to a session. What is missed while it is
    away is found by polling.
    """
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    wait = 0.5
    while True:
        news = asyncio.Event()
        lost = asyncio.Event()
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            _log.info("not listening for revisions: %s", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)
            continue
        try:
            connection.add_termination_listener(_setter(lost, news))
            await connection.add_listener(CHANNEL, _setter(news))
            wait = 0.5
            while not lost.is_set():
                await news.wait()
                news.clear()
                try:
                    await heard()
                except Exception as error:
                    _log.info("a notification could not be followed: %s", error)
        finally:
            connection.terminate()


def _setter(*events: asyncio.Event) -> Callable[..., None]:
    def told(*_: object) -> None:
        for found in events:
            found.set()

    return told
