"""Parts of pages that look the same to everybody who may see them, rendered once for all of them.

Ten browsers that look on ask for the same part every few seconds. Each request shows who asks, as
any other does; only then a part is handed out, and one is kept for each role. What a part is made
of is a `version`: when that changes, the part is made anew at once. What changes all the time
(numbers, "3 s ago") may be as old as a second, or `SHARE` times as long as making it took.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

LEAST_S = 1.0
LONGEST_S = 5.0
SHARE = 200
"""A part takes no more than one 200th of a core, however many look on, up to `LONGEST_S`."""
MOST_PARTS = 200
MOST_CHARACTERS = 32_000_000


@dataclass(slots=True)
class _Part:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    version: Hashable = None
    html: str = ""
    until: float = 0.0


class FragmentCache:
    """Keeps rendered parts, within bounds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: OrderedDict[Hashable, _Part] = OrderedDict()

    async def get(
        self, key: Hashable, version: Hashable, make: Callable[[], Awaitable[str]]
    ) -> str:
        """The part called `key`, as of `version`; `make` makes it where it is not there yet.

        Of those who ask at the same time, one makes it. What `make` raises goes to who asked.
        """
        part = self._parts.setdefault(key, _Part())
        self._parts.move_to_end(key)
        async with part.lock:
            begun = self._clock()
            if part.version != version or begun >= part.until:
                part.html = await make()
                ended = self._clock()
                part.version = version
                part.until = ended + max(LEAST_S, min((ended - begun) * SHARE, LONGEST_S))
                self._make_room()
            return part.html

    def _make_room(self) -> None:
        size = sum(len(part.html) for part in self._parts.values())
        while len(self._parts) > MOST_PARTS or (size > MOST_CHARACTERS and len(self._parts) > 1):
            _, oldest = self._parts.popitem(last=False)
            size -= len(oldest.html)
