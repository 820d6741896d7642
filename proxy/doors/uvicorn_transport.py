"""What uvicorn's protocol writes to and is paused by, between it and the transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

from proxy.loop.write_batcher import SMALL, WriteBatcher


class Gathered:
    """The transport as uvicorn's cycles see it: it sends the head of an answer with the first piece
    of its body, where uvicorn writes them apart and each write is a system call."""

    __slots__ = ("_batcher", "_end", "_held", "_transport")

    def __init__(
        self, batcher: WriteBatcher, transport: asyncio.Transport, end: Callable[[], None]
    ) -> None:
        self._batcher = batcher
        self._transport = transport
        self._end = end
        self._held = b""

    def write(self, data: bytes) -> None:
        """Keep a small piece until the next, or until the end of this turn of the loop."""
        if self._held:
            held, self._held = self._held, b""
            if len(data) < SMALL:
                self._transport.write(held + data)
            else:
                self._transport.writelines((held, data))
        elif len(data) < SMALL:
            self._held = data
            self._batcher.flush_soon(self)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is kept."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """End the connection, once everything is written."""
        self.flush()
        self._end()

    def is_closing(self) -> bool:
        """Whether it is closed or closing."""
        return self._transport.is_closing()


class Reading(FlowControl):
    """Reads from the client while the application takes it and nothing read is left to be decoded.

    uvicorn resumes whenever its application asks for more; bytes that wait for a later turn of the
    loop must not grow meanwhile.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.behind = False
        self._wanted = True

    def pause_reading(self) -> None:
        """The application takes no more for now."""
        self._wanted = False
        super().pause_reading()

    def resume_reading(self) -> None:
        """The application takes more."""
        self._wanted = True
        if not self.behind:
            super().resume_reading()

    def fall_behind(self) -> None:
        """What was read waits for a later turn of the loop."""
        self.behind = True
        super().pause_reading()

    def catch_up(self) -> None:
        """Its turn has come."""
        self.behind = False
        if self._wanted:
            super().resume_reading()
