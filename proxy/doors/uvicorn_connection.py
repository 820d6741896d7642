"""One client's connection under uvicorn: its HTTP protocol, made transparent and finite.

uvicorn's protocol on httptools is used, with what it lacks added: limits on the head, on
connections in all and from one address, on the time for a head, for a body, and for a client to
take its answer; a record of what it refuses itself; and a drain that gives a request on its way a
chance. The parser gets one message at a time, and a chunked body as the native door's reader
decodes it: what comes in one read is one piece, a flood of tiny chunks is worked off over several
turns of the loop, and where a body ends is known. What uvicorn has no way for is handed to the
native door's connection together with the transport, before it is parsed: upgrades and what follows
them, HTTP/1.0, targets that are not in origin form or not ASCII, codings that are spelt oddly, and
whatever is no request in the common form, which is refused there. A head that the parser beneath
does not take goes there as well: both doors take the same requests.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from figway.message.forwarded import canonical
from figway.message.problem import Problem
from proxy.doors.asgi import EXTENSION, AsgiClient
from proxy.doors.half_closed import HalfClosed
from proxy.doors.refusals import LINGER_MS, NO_ROOM, SLOW_BODY, SLOW_HEAD
from proxy.doors.server import GRACE_MS
from proxy.doors.uvicorn_transport import Gathered, Reading
from proxy.loop.deadlines import NEVER
from proxy.request.client import problem_answer
from proxy.upstreams.logins import ClientConnection
from proxy.wire.client_answer import encode
from proxy.wire.client_body import ChunkedBody
from proxy.wire.client_head import BadRequest, check_partial, without_empty_lines

if TYPE_CHECKING:
    from proxy.doors.uvicorn import UvicornDoor

_MALFORMED = Problem(400, "malformed", "Bad request", "This is not a well-formed request.")
_LARGE_HEAD = Problem(431, "head_too_large", "The request head is too large")
_LONG_LINE = Problem(414, "uri_too_long", "The request line is too long")
_COMMON = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) "
    rb'/[!"$->@-~]*+(?:\?[!"$-~]++)? HTTP/1\.1\r\n'
).match
_UNCOMMON = re.compile(
    rb"\n(?:connection:[^\n]*upgrade|proxy-connection:|transfer-encoding:(?![ ]?chunked\r))",
    re.IGNORECASE,
).search
"""What the parser beneath reads otherwise. It takes Proxy-Connection for Connection, and never goes
on behind an upgrade."""


def _problem(error: BadRequest) -> Problem:
    return Problem(error.status, error.code, "Bad request", error.detail)


def _too_long(data: bytes, max_line: int) -> bool:
    """Whether the request line is over its limit."""
    end = data.find(b"\r\n")
    return (len(data) if end < 0 else end) > max_line


class FacadeProtocol(HttpToolsProtocol):
    """One client's connection under uvicorn. Implements `HasDeadline`."""

    def __init__(self, door: UvicornDoor) -> None:
        super().__init__(config=door.config, server_state=door.state, app_state={})
        self._door = door
        self._head_bytes = 0
        self._reading_head = True
        self._write_paused = False
        self._asking: AsgiClient | None = None
        self._answered: AsgiClient | None = None
        self._over = self._ended = False
        self._held = b""
        self._head = b""
        self._left = 0
        self._chunks: ChunkedBody | None = None
        self._own: ClientConnection | None = None
        self._half_closed: HalfClosed | None = None
        self._due: Problem | None = None
        self.deadline = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        door = self._door
        self._gathered = Gathered(door.batcher, self.transport, self._end)
        self.flow = self._reading = Reading(self.transport)
        self._wait(door.runtime.settings.idle_ms)
        door.runtime.timer.add(self)
        if not door.native.takes(self._peer) or door.crowded:
            self._refuse(NO_ROOM)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.runtime.timer.discard(self)
        self._door.native.gave_up(self._peer)
        super().connection_lost(exc)
        if self._answered is not None:
            self._answered.gone()
        if self._own is not None:
            self._own.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio's own protocol has it
        """The client has closed its half: what it has asked for whole is answered."""
        patience = self._door.runtime.settings.half_closed_ms
        waits = self._held or not self._idle
        if not waits or self._over or not (self._reading_head and patience):
            return False
        if not self.transport.can_write_eof():
            return False
        if self._half_closed is None:
            now = self._door.runtime.timer.now
            self._half_closed = HalfClosed(self.transport, patience, now, self._progress)
            if self._answered is not None and not self._held:
                self._answered.close = True
            self._watch()
        return True

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        self._write_paused = True
        self.deadline = self._door.runtime.timer.now + self._door.runtime.settings.write_ms

    def resume_writing(self) -> None:
        """The client takes more."""
        super().resume_writing()
        self._write_paused = False
        self.deadline = NEVER
        if not self._reading_head:
            self._wait(self._door.runtime.settings.body_ms)
        elif self._idle:
            self._wait(self._door.runtime.settings.idle_ms)
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._held += data
        if not self._reading_head:
            self._wait(self._door.runtime.settings.body_ms)
        self._feed()

    def _feed(self) -> None:
        """Give the parser one message at a time. What a client pipelines waits, unread beyond that.

        The parser gets each head whole, so that an upgrade is seen before it is parsed.
        """
        while self._held and not self._over and self.parser is not None:
            if self._reading.behind or self.transport.is_closing():
                return
            if self._reading_head and not self._take_head():
                return
            if not self._reading_head:
                self._take_body()

    def _take_head(self) -> bool:
        """Feed the head that is complete; False if there is none to be read now."""
        if not self._idle:
            self.flow.pause_reading()
            return False
        data = self._held
        if data[:2] == b"\r\n":
            data = self._held = without_empty_lines(data)
        end = data.find(b"\r\n\r\n") + 4
        settings = self._door.runtime.settings
        if end < 4 and not self._partial_head(data):
            return False
        if (end if end >= 4 else len(data)) > settings.max_head:
            self._refuse(_LONG_LINE if _too_long(data, settings.max_line) else _LARGE_HEAD)
            return False
        head, self._held = (data[:end], data[end:]) if end >= 4 else (data, b"")
        if end >= 4 and (_COMMON(head) is None or _UNCOMMON(head) is not None):
            self._hand_over(head)
            return False
        self._head = head
        super().data_received(head)
        return end >= 4

    def _partial_head(self, data: bytes) -> bool:
        """A head is not complete: wait for the rest, unless it can no longer become a good one."""
        if self._half_closed is not None:
            self.transport.close()
            return False
        settings = self._door.runtime.settings
        if not self._head_bytes:
            self._wait(settings.head_ms)
        self._head_bytes = len(data)
        if _too_long(data, settings.max_line):
            self._refuse(_LONG_LINE)
        elif len(data) > settings.max_head:
            self._refuse(_LARGE_HEAD)
        else:
            try:
                check_partial(data, settings.max_head, settings.max_line)
            except BadRequest as error:
                self._refuse(_problem(error))
        return False

    def _take_body(self) -> None:
        """Feed what belongs to this message's body."""
        data, self._held = self._held, b""
        if self._chunks is not None:
            self._take_chunks(data, self._chunks)
            return
        if not self._left:
            self._refuse(_MALFORMED)  # the parser beneath waits for a body that the head denies
            return
        if len(data) > self._left:
            data, self._held = data[: self._left], data[self._left :]
        self._left -= len(data)
        super().data_received(data)

    def _take_chunks(self, data: bytes, chunks: ChunkedBody) -> None:
        """Feed the content of a chunked body as one chunk, whatever the client's chunks were."""
        pieces = self._door.native.pieces
        try:
            content = chunks.feed(data, pieces.most)
        except BadRequest as error:
            self._refuse(_problem(error))
            return
        pieces.spend(chunks.taken)
        piece = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        if chunks.done:
            self._held, self._chunks = chunks.rest, None
            piece += b"0\r\n\r\n"
        elif chunks.more:
            self._reading.fall_behind()
            pieces.later(partial(self._more_chunks, chunks))
        if piece:
            super().data_received(piece)

    def _more_chunks(self, chunks: ChunkedBody) -> None:
        """Go on with what was read, after others had their turn."""
        if self.parser is None or self.transport.is_closing():
            return
        self._reading.catch_up()
        if not self._over:
            self._take_chunks(b"", chunks)
            self._feed()

    def _hand_over(self, head: bytes) -> None:
        """The native door's connection takes over, with what belongs to this client alone."""
        self._door.runtime.timer.discard(self)
        self._door.native.gave_up(self._peer)  # the other counts it anew
        self.connections.discard(self)
        held, self._held, self._over = self._held, b"", True
        connection, self._own = self._door.native.connection(self._own), None
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        if self._write_paused:
            connection.pause_writing()  # the transport has said so, and does not say it twice
        connection.data_received(head + held)
        if self._half_closed is not None and not connection.eof_received():
            self.transport.close()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        super().on_url(url)
        if len(self.url) > self._door.runtime.settings.max_line:
            self._refuse(_LONG_LINE)

    def on_headers_complete(self) -> None:
        """The head is in."""
        self._reading_head = False
        self._head_bytes = 0
        self._asking = None
        self._wait(self._door.runtime.settings.body_ms)
        if self._over or self.transport.is_closing():
            return
        cast(Any, self.scope)["extensions"] = {EXTENSION: self._asked}
        self._expect_body()
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = cast(asyncio.Transport, self._gathered)
            if self._door.draining:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body; not of one that was refused with its head."""
        if not self._over:
            super().on_body(body)
            if self._asking is not None:
                self._asking.body_came()

    def on_message_complete(self) -> None:
        """The body is in: what comes next is a head."""
        if self._over:
            return
        self._reading_head = True
        if self._idle:
            self._wait(self._door.runtime.settings.idle_ms)
        elif not self._write_paused:
            self.deadline = NEVER
            self._watch()
        super().on_message_complete()
        if self._asking is not None:
            self._asking.body_came()  # it may be empty, and nobody waits for its first piece

    def send_400_response(self, msg: str) -> None:
        """The parser beneath cannot read a head: the native door takes or refuses it."""
        if self._reading_head and self._idle:
            self._hand_over(self._head)
        else:
            self._refuse(_MALFORMED)

    def on_response_complete(self) -> None:
        """On to the next request, or to saying why there is none."""
        self._answered = None
        self._gathered.flush()
        if self._ended:
            return
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
        elif self._half_closed is not None and not self._held:
            self.transport.close()
        elif self._due is None:
            self.flow.resume_reading()
            self._wait(self._door.runtime.settings.idle_ms)  # by the sweep, not by a timer each
            if self._held:
                asyncio.get_running_loop().call_soon(self._feed)
        elif self.cycle.more_body:
            self._linger()  # the answer was early, and the body behind it is no good
        else:
            self._say(self._due)

    def drain(self) -> None:
        """Take no further request after the one under way; an idle client has a last chance."""
        if self._idle:
            self.deadline = self._door.runtime.timer.now + GRACE_MS
        else:
            self.cycle.keep_alive = False

    def expired(self, now: int) -> None:
        """A timeout passed: abort, answer 408, or close, by state."""
        self.deadline = NEVER
        if self._write_paused:
            self.transport.abort()
        elif self._over:
            self.transport.close()
        elif self._half_closed is not None and self._reading_head and not self._idle:
            if self._half_closed.is_gone(now, self._progress):
                self.transport.abort()
            else:
                self._watch()
        elif self._reading_head and self._head_bytes:
            self._refuse(SLOW_HEAD)
        elif self._reading_head or self._idle:  # or the rest of a body after an early answer
            self.transport.close()
        elif self.flow.read_paused:  # the backend is slower than the client
            self._wait(self._door.runtime.settings.body_ms)
        elif self._asking is not None:
            self._asking.refuse(SLOW_BODY)

    def _asked(self, client: AsgiClient) -> None:
        """The door says which request begins now."""
        self._asking = self._answered = client
        if self._own is None:
            self._own = ClientConnection()
        client.own = self._own
        loop = asyncio.get_running_loop()
        if self.cycle.body or not self.cycle.more_body:  # its body came with its head
            loop.call_soon(client.body_came)
        if self._due is not None and not self.pipeline and self.cycle.more_body:
            loop.call_soon(client.refuse, self._due)

    def _wait(self, ms: int) -> None:
        """Give the client so long for what comes next, unless it is slow to take its answer."""
        if not self._write_paused:
            self.deadline = self._door.runtime.timer.now + ms

    def _watch(self) -> None:
        """Look now and then whether a client that has closed its half still waits."""
        if self._half_closed is not None and not self._write_paused:
            self.deadline = self._half_closed.look_at(self._door.runtime.timer.now)

    @property
    def _progress(self) -> int:
        client = self._answered
        return 0 if client is None or client.flow is None else client.flow.progress

    def _expect_body(self) -> None:
        """Read from the head how the body is framed."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self._chunks = ChunkedBody() if chunked else None
        self._left = int(lengths[0]) if lengths and lengths[0].isdigit() else 0

    @property
    def _peer(self) -> str:
        return canonical(self.client[0]) if self.client else ""

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Read no more. Answers to what came before are given first."""
        if self._over or self.transport.is_closing():
            return
        self._over = True
        if self._idle:
            self._say(problem)
            return
        self._due = problem
        if self._asking is not None and self.cycle.more_body:
            self._asking.refuse(problem)  # it is this request's own body

    def _say(self, problem: Problem) -> None:
        """Refuse, and leave a record of it."""
        self._door.runtime.refused(self._peer, problem)
        head, body = problem_answer(problem, "")
        self.transport.write(encode(head, b"connection: close\r\n") + body)
        self._linger()

    def _end(self) -> None:
        """The answer was the last one. A body that is still on its way is read and dropped, and so
        is whatever follows the request, or a head that was refused."""
        more = self.cycle.more_body or self._answered is None or self._held != b""
        if more and not self.transport.is_closing():
            self._over = self._ended = True
            self._linger()
        else:
            self.transport.close()

    def _linger(self) -> None:
        """Close so that unread bytes do not turn the answer into a reset (RFC 9112, 9.6)."""
        if self.transport.can_write_eof():
            self.flow.resume_reading()
            self.transport.write_eof()
            self._wait(LINGER_MS)
        else:
            self.transport.close()
