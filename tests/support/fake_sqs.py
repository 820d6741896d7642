"""One queue that speaks SQS's JSON protocol, fast enough for a burst: SendMessage over a socket,
receiving and deleting by call.

FIFO as documented: a deduplication id is taken once, and while a message of a group is in flight
nothing else of that group is given out. `faults` plays what goes wrong on the way.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

Fault = Callable[[int], str]
"""By the number of the call: what goes wrong. Empty for nothing; `throttle`, `refuse`; `cut`
(taken, and the connection closed before the answer); `lost` (closed, and not taken); `fail`."""

_ERRORS = {
    "throttle": (400, "ThrottlingException"),
    "refuse": (400, "AccessDeniedException"),
    "fail": (500, "InternalFailure"),
}


class FakeQueue:
    """Use `async with`; `url` is then the queue's."""

    def __init__(self, *, fifo: bool = True, faults: Fault = lambda number: "") -> None:
        self.fifo = fifo
        self.faults = faults
        self.calls = 0
        self.taken = 0
        self.deepest = 0
        self.url = ""
        self._waiting: deque[dict[str, Any]] = deque()
        self._known: set[str] = set()
        self._held: set[str] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> FakeQueue:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/123456789012/burst{'.fifo' if self.fifo else ''}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()

    @property
    def waiting(self) -> int:
        """Messages that nobody has received yet."""
        return len(self._waiting)

    def receive(self) -> dict[str, Any] | None:
        """The next message that may be given out; None if there is none."""
        for at, message in enumerate(self._waiting):
            group = message.get("MessageGroupId", "")
            if not self.fifo or group not in self._held:
                del self._waiting[at]
                self._held.add(group)
                return message
        return None

    def delete(self, message: dict[str, Any]) -> None:
        """The message is done: its group goes on."""
        self._held.discard(message.get("MessageGroupId", ""))

    def _take(self, message: dict[str, Any]) -> None:
        key = message.get("MessageDeduplicationId", "")
        if self.fifo and key in self._known:
            return
        self._known.add(key)
        self.taken += 1
        self._waiting.append(message)
        self.deepest = max(self.deepest, len(self._waiting))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                message = json.loads(await reader.readexactly(size))
                self.calls += 1
                fault = self.faults(self.calls)
                if fault in ("", "cut"):
                    self._take(message)
                if fault in ("cut", "lost"):
                    return
                status, name = _ERRORS.get(fault, (200, ""))
                answer = {"__type": name} if name else {"MessageId": str(self.taken)}
                body = json.dumps(answer).encode()
                line = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                writer.write(line + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
