"""The native door: an HTTP/1.1 server of callbacks, driving flows without a task or a timer each.

A connection reads one head at a time and answers in order; what a client pipelines waits unread.
Its states, and what ends them:

    HEAD      a head that is complete and well-formed -> LENGTH, CHUNKED, or WAIT (no body)
    LENGTH    the last byte of Content-Length -> WAIT, or HEAD if the answer was complete before
    CHUNKED   the last chunk -> WAIT, or HEAD likewise
    WAIT      the end of the answer -> HEAD, or CLOSING; 101 -> TUNNEL
    TUNNEL    either half closed -> CLOSING
    CLOSING   the answer's bytes are gone, or nobody takes them -> closed

A client that closes its half of a connection while it waits gets its answer, and what it pipelined
before is answered too (`proxy.doors.half_closed`); one that does so in the middle of a request is
gone, and over TLS, which has no half-close here, in any state. Timeouts are the sweep's business,
and so up to a tick late.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from figway.message.forwarded import canonical, said
from figway.message.headers import Arrival
from figway.message.http import Headers
from figway.message.problem import Problem
from proxy.doors.half_closed import HalfClosed
from proxy.doors.peer import client_address, is_unbelieved_tls
from proxy.doors.refusals import LINGER_MS, NO_ROOM, SLOW_BODY, SLOW_HEAD
from proxy.loop.deadlines import NEVER
from proxy.loop.write_batcher import SMALL
from proxy.request.client import problem_answer
from proxy.request.flow import Flow
from proxy.upstreams.logins import ClientConnection
from proxy.wire.client_answer import CONTINUE, chunk, encode, has_length, last_chunk, raw_section
from proxy.wire.client_body import ChunkedBody
from proxy.wire.client_head import (
    BadRequest,
    RequestHead,
    check_partial,
    parse,
    without_empty_lines,
)
from proxy.wire.message import ResponseHead
from proxy.wire.runs import NO_MEMORY, Memory

if TYPE_CHECKING:
    from proxy.doors.server import NativeDoor

_HEAD: Final = 0
_LENGTH: Final = 1
_CHUNKED: Final = 2
_WAIT: Final = 3
_TUNNEL: Final = 4
_CLOSING: Final = 5
_FLUSH_MS: Final = 10_000
"""How long the end of a connection that is closed may take."""
_HEAD_PIECES: Final = 32
"""What a request that the facade answers itself costs of a turn, in pieces of a body."""
_DISCARD: Final = 1 << 20
"""Bytes of an unwanted request body that are read to save the connection."""


class NativeConnection:
    """One client's connection. Implements `asyncio.Protocol`, `ClientPort` for its flow, and
    `HasDeadline`."""

    __slots__ = (
        "_arrival",
        "_body_paused",
        "_buffer",
        "_busy",
        "_chunked",
        "_delimited",
        "_discard",
        "_door",
        "_flow",
        "_half_closed",
        "_head",
        "_held_back",
        "_keep",
        "_left",
        "_memory",
        "_out",
        "_own",
        "_peer",
        "_reader",
        "_scheme",
        "_state",
        "_transport",
        "_trusted",
        "_waits",
        "_write_paused",
        "deadline",
    )

    _transport: asyncio.Transport
    _head: RequestHead

    def __init__(self, door: NativeDoor, own: ClientConnection | None = None) -> None:
        self._door = door
        self._state = _HEAD
        self._buffer = b""
        self._flow: Flow | None = None
        self._arrival: Arrival | None = None
        self._reader: ChunkedBody | None = None
        self._left = 0
        self._out = b""
        self._discard = 0
        self._busy = False
        self._keep = True
        self._chunked = False
        self._delimited = True
        self._half_closed: HalfClosed | None = None
        self._held_back = False
        self._body_paused = False
        self._waits = False
        self._write_paused = False
        self._peer = ""
        self._own = own
        self._memory = NO_MEMORY
        self._scheme = "http"
        self._trusted = False
        self.deadline = NEVER

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        door = self._door
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._peer = canonical(peer[0])
        self._scheme = "https" if transport.get_extra_info("sslcontext") is not None else "http"
        self._trusted = door.trusts(self._peer)
        self.deadline = door.timer.now + door.settings.idle_ms
        door.joined(self)
        if not door.takes(self._peer) or door.crowded:
            self._refuse(NO_ROOM)

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == _HEAD:
            if self._buffer:
                data = self._buffer + data
            self._read(data)
        elif state in (_LENGTH, _CHUNKED):
            self._read_body(data)
        elif state == _WAIT:
            self._buffer += data
            self._hold_back()
        elif state == _TUNNEL and self._flow is not None:
            self._flow.body(data)

    def eof_received(self) -> bool:
        if self._state == _TUNNEL and self._flow is not None and self._transport.can_write_eof():
            self._flow.body_end()
            return True
        patience = self._door.settings.half_closed_ms
        transport = self._transport
        if self._state != _WAIT or not patience or not transport.can_write_eof():
            return False
        if self._half_closed is None:
            progress = 0 if self._flow is None else self._flow.progress
            self._half_closed = HalfClosed(transport, patience, self._door.timer.now, progress)
            self._keep = self._keep and self._buffer != b""
            self._set_deadline()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _CLOSING
        self._out = b""
        self._door.left(self)
        self._door.gave_up(self._peer)
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.client_gone()
        if self._own is not None:
            self._own.close()

    def pause_writing(self) -> None:
        self._write_paused = True
        self.deadline = self._door.timer.now + self._door.settings.write_ms
        if self._flow is not None:
            self._flow.client_paused()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._state == _CLOSING:
            return
        self._set_deadline()
        if self._flow is not None:
            self._flow.client_resumed()
        elif self._state == _HEAD and self._held_back:
            self._wait_for_turn()  # a request may have come, which `_read` left alone

    # -- reading -----------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """Take heads from `data` as long as each is answered before the next."""
        self._busy = True
        while True:
            if self._write_paused:  # a further answer would only pile up
                self._buffer = data
                self._hold_back()
                break
            if data[:2] == b"\r\n":
                data = without_empty_lines(data)
            end = data.find(b"\r\n\r\n") + 4
            if end < 4 or end > self._door.settings.max_head:
                self._partial(data)
                break
            if end == len(data):
                self._buffer = b""
            else:
                self._buffer = data[end:]
                data = data[:end]
            try:
                settings = self._door.settings
                if self._arrival is not None and self._memory is NO_MEMORY:
                    self._memory = Memory()
                head = parse(data, settings.max_line, settings.max_fields, self._memory)
            except BadRequest as error:
                self._refuse(Problem(error.status, error.code, "Bad request", error.detail))
                break
            self._begin(head)
            if self._state != _HEAD or not self._buffer:
                break
            pieces = self._door.pieces
            pieces.spend(_HEAD_PIECES)  # the facade itself has answered, and more is here
            if pieces.spent:
                self._wait_for_turn()
                break
            data = self._buffer
        self._busy = False

    def _read_on(self) -> None:
        """Take heads from what was read before."""
        data, self._buffer = self._buffer, b""
        self._read(data)

    def _wait_for_turn(self) -> None:
        """Go on with what was read in a later turn of the loop, and read no more until then."""
        self._hold_back()
        if not self._waits:
            self._waits = True
            self._door.pieces.later(self._take_turn)

    def _take_turn(self) -> None:
        """Go on with what was read, after others had their turn."""
        self._waits = False
        if self._body_paused:
            return  # and on again with `resume_body`
        self._let_go()
        if self._state == _HEAD and self._buffer:
            self._read_on()
        elif self._state == _CHUNKED and self._reader is not None and self._reader.more:
            self._read_body(b"")

    def _partial(self, data: bytes) -> None:
        """Keep a head that is not complete, unless it cannot become a good one any more."""
        if self._half_closed is not None:
            self._close()
            return
        settings = self._door.settings
        if not self._buffer and data:
            self.deadline = self._door.timer.now + settings.head_ms
        self._buffer = data
        try:
            check_partial(data, settings.max_head, settings.max_line)
        except BadRequest as error:
            self._refuse(Problem(error.status, error.code, "Bad request", error.detail))

    def _begin(self, head: RequestHead) -> None:
        door = self._door
        arrival = self._arrival
        if arrival is None or arrival.host != head.host:
            arrival = Arrival(self._peer, self._scheme, head.host, self._trusted)
            self._arrival = arrival
            if is_unbelieved_tls(head, arrival):
                door.runtime.not_believed(self._peer)
        if self._trusted:
            networks = door.settings.trusted_proxies
            head.client = client_address(self._peer, said(head.get).chain, networks)
        else:
            head.client = self._peer
        self._head = head
        self._keep = head.keep_alive and not door.draining
        self._delimited = True
        self._chunked = False
        if not head.has_body:
            self._state = _WAIT
        elif head.chunked:
            self._state = _CHUNKED
            self._reader = ChunkedBody()
        else:
            self._left = head.content_length or 0
            self._state = _LENGTH if self._left else _WAIT
        self._flow = flow = Flow(door.runtime, head, self, arrival)
        self._set_deadline()
        flow.begin()
        if head.has_body:
            self._begin_body(head, flow)

    def _begin_body(self, head: RequestHead, flow: Flow) -> None:
        if self._flow is flow:
            if head.expects and not flow.awaits_continue:
                head.expects = False
                if not self._buffer:
                    self._transport.write(CONTINUE)
            if self._state == _WAIT:
                flow.body_end()
                return
        data = self._buffer
        if data and self._state in (_LENGTH, _CHUNKED):
            self._buffer = b""
            self._read_body(data)

    def _read_body(self, data: bytes) -> None:
        """A piece of the request's body came; without a flow it is read only to be rid of it."""
        flow = self._flow
        if flow is None:
            self._discard -= len(data)
            if self._discard < 0:
                self._linger()
                return
        elif not self._write_paused:
            self.deadline = self._door.timer.now + self._door.settings.body_ms
        if self._state == _LENGTH:
            left = self._left - len(data)
            if left > 0:
                self._left = left
            elif left < 0:
                self._body_complete(data[left:])
                data = data[:left]
            else:
                self._body_complete(b"")
            if flow is not None:
                flow.body(data)
        else:
            self._read_chunks(data, flow)
        if self._state == _WAIT:
            if self._flow is None:
                self._next()
            elif flow is not None:
                flow.body_end()

    def _read_chunks(self, data: bytes, flow: Flow | None) -> None:
        reader = self._reader
        assert reader is not None
        pieces = self._door.pieces
        try:
            content = reader.feed(data, pieces.most)
        except BadRequest as error:
            self._keep = False
            if flow is not None:
                flow.refuse(Problem(error.status, error.code, "Bad request", error.detail))
            else:
                self._linger()
            return
        pieces.spend(reader.taken)
        if reader.done:
            self._reader = None
            self._body_complete(reader.rest)
        elif reader.more:
            self._wait_for_turn()
        if flow is not None and content:
            flow.body(content)

    def _body_complete(self, rest: bytes) -> None:
        self._state = _WAIT
        self._head.expects = False  # it did not wait to be told
        self._buffer = rest
        self._set_deadline()
        if rest and not self._busy:
            self._hold_back()

    # -- ClientPort --------------------------------------------------------------------------

    def inform(self, head: ResponseHead) -> None:
        """Relay 1xx; HTTP/1.0 has none."""
        if head.status == 100:
            if not self._head.expects:
                return
            self._head.expects = False
        if self._head.minor:
            self._transport.write(encode(head))

    def respond(self, head: ResponseHead) -> None:
        """Write a final head, with the framing that the client understands."""
        status = head.status
        if status == 101:
            self._open_tunnel(head)
            return
        request = self._head
        extra = b""
        bodiless = request.method == "HEAD" or status in (204, 304)
        if not bodiless and not head.sized and not has_length(raw_section(head)):
            if request.minor:
                self._chunked = True
                extra = b"Transfer-Encoding: chunked\r\n"
            else:
                self._keep = self._delimited = False
        if request.expects or self._door.draining:
            self._keep = False  # a client that was not told to go on may never send its body
        if not self._keep:
            extra += b"Connection: close\r\n"
        elif not request.minor:
            extra += b"Connection: keep-alive\r\n"
        # Each write is a system call: the head waits for the first piece of the body, which as a
        # rule is told before the loop's turn is over.
        self._out = encode(head, extra)
        self._door.batcher.flush_soon(self)

    def body(self, data: bytes) -> None:
        """Write a piece of the answer, or of the tunnel."""
        if self._chunked:
            data = chunk(data)
            if len(data) < SMALL:  # the end, or the next piece, may come in the same turn
                if not self._out:
                    self._door.batcher.flush_soon(self)
                self._out += data
                return
        out = self._out
        if not out:
            self._transport.write(data)
            return
        self._out = b""
        if len(data) < SMALL:
            self._transport.write(out + data)
        else:
            self._transport.writelines((out, data))

    def end(self, trailers: Headers) -> None:
        """The answer is complete: on to the next request, or close."""
        if self._chunked:
            self._out += last_chunk(trailers)
        self.flush()
        self._flow = None
        self._body_paused = False
        if self._state == _TUNNEL:
            self._close()
        elif self._state != _WAIT:
            self._discard_body()
        elif self._keep:
            self._next()
        else:
            self._leave()

    def flush(self) -> None:
        """Write what was held together."""
        out = self._out
        if out:
            self._out = b""
            self._transport.write(out)

    def abort(self) -> None:
        """The answer broke off. A reset tells so where the end of the connection would not."""
        self.flush()
        self._flow = None
        if self._delimited and self._state != _TUNNEL:
            self._close()
        else:
            self._state = _CLOSING
            self._transport.abort()

    def pause_body(self) -> None:
        """The backend is slower than the client."""
        self._body_paused = True
        self._hold_back()
        if not self._write_paused:
            self.deadline = NEVER

    def resume_body(self) -> None:
        """The backend caught up."""
        self._body_paused = False
        if self._reader is not None and self._reader.more:
            self._wait_for_turn()
        elif self._state != _WAIT or not self._buffer:
            self._let_go()
        self._set_deadline()

    def connection(self) -> ClientConnection | None:
        """What pools know this connection by."""
        own = self._own
        if own is None:
            own = self._own = ClientConnection()
        return own

    # -- from one request to the next, and to the end ------------------------------------------

    def _next(self) -> None:
        """Be ready for a request; one that was pipelined is in the buffer."""
        self._state = _HEAD
        if not self._keep or (self._half_closed is not None and not self._buffer):
            self._leave()
            return
        self._set_deadline()
        if self._busy:
            return  # `_read` goes on with the buffer itself
        if self._buffer:
            self._read_on()
        if self._held_back and self._state != _WAIT and not self._write_paused:
            self._let_go()

    def _discard_body(self) -> None:
        """The answer was early: read a moderate rest of the body for the sake of the connection."""
        if not self._keep or (self._state == _LENGTH and self._left > _DISCARD):
            self._linger()
            return
        self._discard = _DISCARD
        if self._reader is not None and self._reader.more:
            self._wait_for_turn()
        self._let_go()
        self.deadline = self._door.timer.now + LINGER_MS

    def _open_tunnel(self, head: ResponseHead) -> None:
        self._state = _TUNNEL
        self._transport.write(encode(head))
        self._let_go()
        self._set_deadline()
        early, self._buffer = self._buffer, b""
        if early and self._flow is not None:
            self._flow.body(early)

    def _refuse(self, problem: Problem) -> None:
        """Answer what cannot be read as a request, and close."""
        self._door.runtime.refused(self._peer, problem)
        head, body = problem_answer(problem, "")
        self._transport.write(encode(head, b"Connection: close\r\n") + body)
        self._linger()

    def _leave(self) -> None:
        """Close behind the last answer. What the client sent beyond its request is read first."""
        if self._buffer or self._held_back:
            self._linger()
        else:
            self._close()

    def _linger(self) -> None:
        """Close so that unread bytes do not turn the answer into a reset (RFC 9112, 9.6)."""
        self._state = _CLOSING
        self._buffer = b""
        self._let_go()
        if not self._transport.can_write_eof():
            self._close()
            return
        self._wait_for_flush(LINGER_MS)
        self._transport.write_eof()

    def _close(self) -> None:
        self._state = _CLOSING
        self._wait_for_flush(_FLUSH_MS)
        self._transport.close()

    def _wait_for_flush(self, ms: int) -> None:
        """Give a closing connection `ms`, or the client the time that it has to take an answer."""
        self._left = self._transport.get_write_buffer_size()
        self.deadline = self._door.timer.now + (self._door.settings.write_ms if self._left else ms)

    def _hold_back(self) -> None:
        if not self._held_back and not self._transport.is_closing():
            self._held_back = True
            self._transport.pause_reading()

    def _let_go(self) -> None:
        """Read again, unless something else is waited for."""
        if self._waits or self._body_paused:
            return
        if self._held_back and not self._transport.is_closing():
            self._held_back = False
            self._transport.resume_reading()

    # -- time --------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing of a request is here."""
        return self._state == _HEAD and not self._buffer

    def drain(self, grace_ms: int) -> None:
        """Take no further request after the one under way; an idle client has a last chance."""
        self._keep = False
        if self.idle:
            self.deadline = min(self.deadline, self._door.timer.now + grace_ms)

    def cut(self) -> None:
        """Close now, whatever is under way."""
        self._transport.abort()

    def _set_deadline(self) -> None:
        if self._write_paused:
            return
        settings = self._door.settings
        if self._state == _HEAD:
            self.deadline = self._door.timer.now + settings.idle_ms
        elif self._state in (_LENGTH, _CHUNKED):
            self.deadline = self._door.timer.now + settings.body_ms
        elif self._half_closed is not None:
            self.deadline = self._half_closed.look_at(self._door.timer.now)
        else:
            self.deadline = NEVER

    def expired(self, now: int) -> None:
        """A timeout passed: abort, answer 408, or close, by state."""
        self.deadline = NEVER
        if self._state == _CLOSING:
            if 0 < self._transport.get_write_buffer_size() < self._left:
                self._wait_for_flush(_FLUSH_MS)
            else:
                self._transport.abort()
        elif self._write_paused:
            self._transport.abort()
        elif self._state == _HEAD:
            if self._buffer:
                self._refuse(SLOW_HEAD)
            else:
                self._close()
        elif self._flow is not None and self._state == _WAIT and self._half_closed is not None:
            if self._half_closed.is_gone(now, self._flow.progress):
                self._transport.abort()
            else:
                self._set_deadline()
        elif self._flow is not None:
            self._keep = False
            self._flow.refuse(SLOW_BODY)
        else:
            self._close()
