"""Two independent readers of HTTP/1.1 requests, h11 and llhttp, brought to one form."""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11
import httptools

_EMPTY_LINES = re.compile(rb"\A(?:\r\n)+")  # a server ought to skip them (RFC 9112, 2.2)


@dataclass(frozen=True, slots=True)
class Heard:
    """One request, as a reader understood it."""

    method: str
    target: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """Whole requests in order; `refused` if the reader gave up, `partial` if bytes are left."""

    requests: tuple[Heard, ...]
    refused: bool
    partial: bool


def by_h11(data: bytes) -> Reading:
    """What a server on h11 would hear."""
    found: list[Heard] = []
    rest = data
    while rest := _EMPTY_LINES.sub(b"", rest):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000)
        connection.receive_data(rest)
        connection.receive_data(b"")
        head: h11.Request | None = None
        body = b""
        try:
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                    return Reading(tuple(found), False, True)
                elif event is h11.PAUSED:
                    break
        except h11.RemoteProtocolError as error:
            # h11 says so where the stream ends midway: that is no refusal.
            cut = "without sending complete message" in str(error) or "incomplete" in str(error)
            return Reading(tuple(found), not cut, cut)
        assert head is not None
        found.append(Heard(head.method.decode(), head.target, body))
        rest = connection.trailing_data[0]
    return Reading(tuple(found), False, False)


class _Listener:
    def __init__(self) -> None:
        self.url = b""
        self.body = bytearray()
        self.begun = False
        self.found: list[Heard] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.url = b""
        self.body.clear()
        self.begun = True

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        self.found.append(Heard(method, self.url, bytes(self.body)))
        self.begun = False


def by_llhttp(data: bytes) -> Reading:
    """What a server on llhttp (Node.js, uvicorn) would hear."""
    listener = _Listener()
    refused = False
    try:
        listener.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        refused = True
    return Reading(tuple(listener.found), refused, listener.begun and not refused)
