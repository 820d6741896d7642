"""Where captures come in: one connection from each serving worker, over a Unix stream socket.

While too much waits, nothing is read: the serving workers then drop, which costs least there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import orjson

from proxy.capture.message import BadMessage, Captured, Frames, decode

Take = Callable[[str, Captured], None]
"""Told the name of the serving worker, and the capture."""


class Intake(asyncio.Protocol):
    """One serving worker's connection. It greets with its name, and is told the generation."""

    def __init__(
        self, generation: int, take: Take, failed: Callable[[str], None], all_: set[Intake]
    ):
        self._generation = generation
        self._take = take
        self._failed = failed
        self._all = all_
        self._frames = Frames()
        self._worker = ""
        self._transport: asyncio.Transport | None = None
        self._reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                if self._worker:
                    self._take(self._worker, decode(frame))
                else:
                    self._greeted(frame)
        except BadMessage as error:
            self._failed(str(error))
            self.close()

    def _greeted(self, frame: bytes) -> None:
        try:
            self._worker = str(orjson.loads(frame)["worker"])
        except (ValueError, KeyError, TypeError):
            raise BadMessage("not a greeting") from None
        if self._transport is not None:
            self._transport.write(self._generation.to_bytes(8, "big"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.discard(self)
        self._transport = None

    def read(self, on: bool) -> None:
        """Go on reading, or not."""
        if self._transport is not None and on is not self._reading:
            self._reading = on
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
