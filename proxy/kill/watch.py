"""The kill switch, asked of every control plane beside the stream of the one that is followed.

A stream that has fallen silent looks like one in which nothing happens, and a control plane that
hangs tells nobody what was pressed at another. So each that was named is asked, again and again,
for the little that every answer says. A question that hangs keeps no later one: each has a
connection of its own, and behind a balancer the next may reach another control plane.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from proxy.control import http as outbound
from proxy.control.client import STRANGERS
from proxy.control.notice import Notice, of_headers

ASK_S = 0.75
"""Between two questions to one control plane."""
HANG_S = 3.0
"""How long a question may wait for its answer."""
MOST = 4
"""Questions to one control plane that may wait."""

_PATH = "/kill/notice"


class KillWatch:
    """Asks with `clients`, one a control plane. Close it at the end."""

    def __init__(self, clients: Sequence[outbound.Client]) -> None:
        self.on_notice: Callable[[Notice], None] = lambda notice: None
        self.is_needless: Callable[[], bool] = lambda: False
        """Was the one control plane heard of within `ASK_S`? Of several, each is always asked."""
        self.known: Callable[[], dict[str, str]] = dict
        """Headers that say which press this proxy heard of last."""
        self._clients = clients
        self._waiting = [0] * len(clients)

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as questions:
            while True:
                if len(self._clients) > 1 or not self.is_needless():
                    for plane, waiting in enumerate(self._waiting):
                        if waiting < MOST:
                            questions.create_task(self._ask(plane))
                await asyncio.sleep(ASK_S)

    async def close(self) -> None:
        """Ask no more."""
        for client in self._clients:
            await client.aclose()

    async def _ask(self, plane: int) -> None:
        asked = time.monotonic()
        self._waiting[plane] += 1
        try:
            headers = self.known()
            found = await self._clients[plane].get(_PATH, headers=headers, timeout=HANG_S)
            if found.status_code not in STRANGERS and not found.has_redirect_location:
                self.on_notice(of_headers(found.headers, asked, plane))
        except outbound.HTTPError:
            pass  # The follower and the acknowledgements say that it does not answer.
        finally:
            self._waiting[plane] -= 1
