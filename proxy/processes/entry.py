"""How a child process begins: wait for its first message, work, leave nothing unsaid.

Signals are the supervisor's business: a child ends when it is told to, or when its channel ends
because the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol

import uvloop

from proxy.loop.channel import Channel
from proxy.loop.events import EventLog
from proxy.loop.last_resort import end_within
from proxy.processes.messages import Message, UnknownMessage, unpack

END_S = 1.0
"""How long the interpreter may take to end once all is said: a thread may hang in it."""

_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Process(Protocol):
    """What works in a child."""

    async def run(self, channel: Channel) -> None:
        """Work until told to end."""

    def obey(self, message: Message) -> None:
        """Take one message of the supervisor."""

    def orphaned(self) -> None:
        """The supervisor is gone."""


Make = Callable[[socket.socket, Message, EventLog], Process]
"""From the listening socket and the first message to what works here."""


def run(make: Make) -> None:
    """Run this process: `python -m <module> <channel fd> <listener fd>`."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    channel_fd, listener_fd = int(sys.argv[1]), int(sys.argv[2])
    for fd in (channel_fd, listener_fd):
        os.set_inheritable(fd, False)
    uvloop.run(_serve(make, channel_fd, listener_fd))


class _Inbox:
    """Keeps what comes before there is anybody to obey it."""

    def __init__(self, log: EventLog) -> None:
        self.first: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._early: list[Message] = []
        self._process: Process | None = None
        self._log = log

    def on_data(self, data: dict[str, Any]) -> None:
        try:
            message = unpack(data)
        except UnknownMessage as error:
            self._log.error("unknown_message", f"The supervisor said what is not known: {error}.")
            return
        if self._process is not None:
            self._process.obey(message)
        elif not self.first.done():
            self.first.set_result(message)
        else:
            self._early.append(message)

    def on_close(self) -> None:
        if self._process is not None:
            self._process.orphaned()
        elif not self.first.done():
            self.first.set_result(None)

    def hand_to(self, process: Process) -> None:
        """Messages go to `process` from now on."""
        self._process = process
        for message in self._early:
            process.obey(message)


async def _serve(make: Make, channel_fd: int, listener_fd: int) -> None:
    listener = socket.socket(fileno=listener_fd)
    listener.setblocking(False)
    log = EventLog()
    inbox = _Inbox(log)
    channel = await Channel.open(socket.socket(fileno=channel_fd), inbox.on_data, inbox.on_close)
    start = await inbox.first
    if start is None:
        return
    process = make(listener, start, log)
    inbox.hand_to(process)
    await process.run(channel)
    channel.close()
    await asyncio.sleep(0)  # lets the transport write what it still holds
    end_within(END_S)
