"""One connection to an http backend: reads answers, one after another (RFC 9112).

The states, and what ends them:

    OPENING      connected -> HEAD or IDLE; refused, timed out -> CLOSED
    IDLE         an attempt -> HEAD; any byte, EOF, keep-alive time over -> CLOSED
    HEAD         the final head -> LENGTH, CHUNKED, UNTIL_CLOSE, TUNNEL or (no body) IDLE
    LENGTH       the last byte of Content-Length -> IDLE
    CHUNKED      the last chunk and its trailers -> IDLE
    UNTIL_CLOSE  EOF -> CLOSED
    TUNNEL       both halves closed -> CLOSED

Instead of IDLE comes CLOSED wherever the connection cannot be trusted to be in step: the answer
was complete before the request, more bytes came than announced, or the backend wants it closed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from figway.message.http import Headers
from figway.serving.attempts.failures import FailureKind
from proxy.loop.deadlines import NEVER
from proxy.upstreams.attempt import HOLD, Attempt
from proxy.upstreams.logins import ClientConnection, is_challenge
from proxy.wire.chunked import BadChunk, ChunkedReader
from proxy.wire.odd_head import CHUNK_LINE, BadResponse, find_end, read_odd_fields
from proxy.wire.response_head import (
    CHUNKED,
    UNTIL_CLOSE,
    Parsed,
    check_partial,
    parse_response_head,
)

if TYPE_CHECKING:
    from proxy.upstreams.pool import Pool


_NOT_TRAILERS: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection"})
"""Fields that say nothing as trailers (RFC 9110, 6.5.1): dropped."""
_LOGIN_STATUSES: Final = frozenset({401, 407})
_NOBODY: Final = ClientConnection()
"""Owns what no client may have again: its connections are closed once they are idle."""
_NOBODY.closed = True

MAX_INTERIM: Final = 32
"""Interim responses (1xx) before the final one."""


_OPENING: Final = 0
_IDLE: Final = 1
_HEAD: Final = 2
_LENGTH: Final = 3
_CHUNKED: Final = 4
_UNTIL_CLOSE: Final = 5
_TUNNEL: Final = 6
_CLOSED: Final = 7


class Connection:
    """An `asyncio.Protocol`, owned by a pool.

    `deadline` is read by the timer; `generation` is the timer's when it became idle, at
    `idle_since`. `announced_ms` is how long the backend says it keeps an idle connection;
    from `retires_at` on it serves no further request.
    """

    __slots__ = (
        "_attempt",
        "_buffer",
        "_chunks",
        "_client_ended",
        "_eof",
        "_interims",
        "_keep",
        "_pool",
        "_remaining",
        "_reused",
        "_transport",
        "_waits",
        "announced_ms",
        "deadline",
        "generation",
        "idle_since",
        "loop",
        "opening",
        "owner",
        "retires_at",
        "state",
        "takes_body",
        "tunnel",
        "write_paused",
    )

    def __init__(self, pool: Pool, attempt: Attempt | None, deadline: int) -> None:
        self._pool = pool
        self._attempt = attempt
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._interims = 0
        self._remaining = 0
        self._chunks: ChunkedReader | None = None
        self._keep = False
        self._reused = False
        self._client_ended = False
        self._eof = False
        self._waits = False
        self.loop = pool.loop
        self.opening: asyncio.Task[None] | None = None
        self.owner: ClientConnection | None = None
        self.state = _OPENING
        self.deadline = deadline
        self.generation = 0
        self.idle_since = 0
        self.announced_ms = 0
        self.retires_at = NEVER
        self.takes_body = False
        self.tunnel = False
        self.write_paused = False

    # -- what the pool and the attempt call --------------------------------------------------

    @property
    def usable(self) -> bool:
        """Idle, and not known to be closing."""
        return (
            self.state == _IDLE and self._transport is not None and not self._transport.is_closing()
        )

    def begin(self, attempt: Attempt) -> None:
        """Serve `attempt` on this open, idle connection."""
        self._attempt = attempt
        attempt.connection = self
        if attempt.login:
            self.bind(attempt)
        self.state = _HEAD
        self._interims = 0
        self.takes_body = True
        if attempt.request.upgrade:
            self.takes_body = attempt.request.has_body
            if self.takes_body:
                self.retires_at = 0  # a backend may take the body for what follows the switch
        if attempt.request_done:
            self.deadline = self._pool.timer.now + attempt.head_ms
        else:
            self.deadline = NEVER
        attempt.begin(self)
        if attempt.paused:
            self.pause_reading()

    def bind(self, attempt: Attempt) -> None:
        """A login goes over this connection: from now on it is one client's alone."""
        self.owner = attempt.owner or _NOBODY
        self.retires_at = NEVER  # the login would be lost with it

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if self._transport is not None:
            self._transport.write(data)

    def request_ended(self) -> None:
        """The whole request is handed over: the time to the head begins."""
        if self.state == _HEAD and self._attempt is not None:
            self.deadline = self._pool.timer.now + self._attempt.head_ms

    def pause_reading(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing() and transport.is_reading():
            transport.pause_reading()
            if self.state != _HEAD:
                self.deadline = NEVER

    def resume_reading(self) -> None:
        if self._attempt is not None and self._chunks is not None and self._chunks.more:
            self._wait_for_turn()
            return
        transport = self._transport
        if transport is not None and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()
            self._touch()

    def end_tunnel(self, attempt: Attempt) -> None:
        """The client's half is closed; with TLS, which has no half-close, the whole is."""
        transport = self._transport
        if transport is None:
            return
        if self._eof or not transport.can_write_eof():
            ended = self._eof
            self._end_attempt(attempt)
            self.close()
            if not ended:
                attempt.sink.response_end([])
        elif not transport.is_closing():
            self._client_ended = True
            transport.write_eof()

    def close(self) -> None:
        """Close in good order; what is still buffered is sent first."""
        tunnel = self.state == _TUNNEL
        self._leave()
        transport = self._transport
        if transport is not None:
            transport.close()
            if not tunnel and not transport.can_write_eof():
                # TLS: our goodbye has left, and the backend's would be waited for on a timer.
                transport.abort()

    def abandon(self) -> None:
        """Close at once. The attempt is not told."""
        self._attempt = None
        self._leave()
        if self._transport is not None:
            self._transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def fail(self, kind: FailureKind, detail: str) -> None:
        """Close at once and fail the attempt, if there is one."""
        attempt = self._attempt
        self.abandon()
        if attempt is None:
            return
        if self._eof:
            attempt.done = True  # a tunnel whose end was told already
        else:
            attempt.fail(kind, detail)

    def expired(self, now: int) -> None:
        """Called by the sweep: what was waited for did not come."""
        state = self.state
        self.deadline = NEVER
        if state == _IDLE:
            self.close()
        elif state == _OPENING:
            self.fail(FailureKind.CONNECT, "No connection in time.")
        elif state != _HEAD:
            self.fail(FailureKind.TIMEOUT, "The backend stopped in the middle of its answer.")
        elif self._attempt is not None and not self._attempt.request_done:
            self.fail(FailureKind.TIMEOUT, "The backend stopped taking the request's body.")
        else:
            self.fail(FailureKind.TIMEOUT, "No response head in time.")

    # -- asyncio.Protocol --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.state == _CLOSED:
            # Given up while it connected. It is not counted: of the two callbacks of such a
            # connection uvloop makes only this one.
            self._transport.abort()
            self._transport = None
            return
        self._pool.connected(self)
        refusal = self._pool.refuse_peer(self._transport.get_extra_info("peername"))
        if refusal:
            self.fail(FailureKind.CONNECT, refusal)
            return
        self._transport.set_write_buffer_limits(high=HOLD)
        attempt = self._attempt
        self.state = _IDLE
        if attempt is not None:
            self.begin(attempt)

    def data_received(self, data: bytes) -> None:
        attempt = self._attempt
        state = self.state
        if attempt is None:
            if state != _CLOSED:
                self.abandon()  # Bytes that nobody asked for: the connection is out of step.
        elif state == _HEAD:
            self._read_head(attempt, data)
        elif state == _LENGTH:
            self._read_length(attempt, data)
        elif state == _CHUNKED:
            self._read_chunked(attempt, data)
        else:
            self._touch()
            attempt.sink.response_body(data)

    def eof_received(self) -> bool:
        attempt = self._attempt
        if attempt is not None and self.state == _TUNNEL and not self._client_ended:
            self._eof = True
            attempt.sink.response_end([])
            transport = self._transport
            return transport is not None and transport.can_write_eof()
        self._ended(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)
        self._transport = None
        self._pool.lost(self)

    def pause_writing(self) -> None:
        self.write_paused = True
        attempt = self._attempt
        if attempt is not None and not attempt.done:
            if self.state == _HEAD:
                self.deadline = self._pool.timer.now + attempt.idle_ms
            attempt.sink.request_paused()

    def resume_writing(self) -> None:
        self.write_paused = False
        attempt = self._attempt
        if attempt is not None and not attempt.done:
            if self.state == _HEAD:
                done = attempt.request_done
                self.deadline = self._pool.timer.now + attempt.head_ms if done else NEVER
            attempt.sink.request_resumed()

    # -- reading -----------------------------------------------------------------------------

    def _read_head(self, attempt: Attempt, data: bytes) -> None:
        if attempt.head:
            self.fail(FailureKind.PROTOCOL, "The backend answered before it was asked.")
            return
        try:
            if self._buffer:
                old = len(self._buffer)
                data = self._buffer + data
                if find_end(data, max(0, old - 2)) < 0:
                    check_partial(data, old)
                    self._buffer = data
                    return
            parsed = parse_response_head(data, to_head=attempt.request.method == "HEAD")
            if parsed is None:
                self._buffer = data
                return
            self._buffer = b""
            if parsed.odd:
                self._pool.note_odd(parsed.odd)
            if parsed.head.status >= 200:
                self._final_head(attempt, parsed, data)
            else:
                self._interim_head(attempt, parsed, data[parsed.body_at :])
        except BadResponse as error:
            self.fail(FailureKind.PROTOCOL, str(error))

    def _interim_head(self, attempt: Attempt, parsed: Parsed, rest: bytes) -> None:
        self._interims += 1
        if parsed.head.status == 101:
            self._open_tunnel(attempt, parsed, rest)
            return
        if self._interims > MAX_INTERIM:
            raise BadResponse("Too many interim responses.")
        attempt.sink.response_informational(parsed.head)
        if rest and self._attempt is attempt:
            self._read_head(attempt, rest)

    def _open_tunnel(self, attempt: Attempt, parsed: Parsed, rest: bytes) -> None:
        if not attempt.request.upgrade:
            raise BadResponse("The backend switched protocols without being asked.")
        self.state = _TUNNEL
        self.deadline = NEVER
        self.tunnel = self.takes_body = True
        self._pool.lasts(self)
        attempt.sink.response_head(parsed.head)
        if self._attempt is attempt:
            attempt.tunnel_opened(self)
        if rest and self._attempt is attempt:
            attempt.sink.response_body(rest)

    def _final_head(self, attempt: Attempt, parsed: Parsed, data: bytes) -> None:
        length = parsed.length
        self._keep = parsed.keep
        self.announced_ms = parsed.idle_ms
        if parsed.head.status in _LOGIN_STATUSES and is_challenge(parsed.head.headers):
            self.bind(attempt)
        if length >= 0:
            self.state = _LENGTH
            self._remaining = length
        elif length == CHUNKED:
            self.state = _CHUNKED
            self._chunks = ChunkedReader(lenient=True)
        elif length == UNTIL_CLOSE:
            self.state = _UNTIL_CLOSE
        if length < 0 and parsed.head.is_event_stream:
            self._pool.lasts(self)
        attempt.sink.response_head(parsed.head)
        if self._attempt is not attempt:
            return
        at = parsed.body_at
        if at < len(data):
            self.data_received(data[at:])
        elif not length:
            self._finish(attempt)
        else:
            self._touch()

    def _read_length(self, attempt: Attempt, data: bytes) -> None:
        remaining = self._remaining = self._remaining - len(data)
        if remaining > 0:
            self._touch()
        elif remaining < 0:
            self._keep = False  # More than announced: the surplus is nobody's.
            data = data[:remaining]
        if data:
            attempt.sink.response_body(data)
        if remaining <= 0 and self._attempt is attempt:
            self._finish(attempt)

    def _read_chunked(self, attempt: Attempt, data: bytes) -> None:
        chunks = self._chunks
        assert chunks is not None
        trailers: Headers = []
        pieces = self._pool.pieces
        try:
            content = chunks.feed(data, pieces.most)
            if chunks.done and chunks.trailers:
                trailers = _trailers(chunks.trailers)
        except (BadChunk, BadResponse) as error:
            self.fail(FailureKind.PROTOCOL, f"The chunked body is malformed: {error}")
            return
        pieces.spend(chunks.taken)
        self._touch()
        if content:
            attempt.sink.response_body(content)
        if self._attempt is not attempt:
            return
        if chunks.done:
            self._keep = self._keep and not chunks.rest
            if chunks.odd:
                self._pool.note_odd((CHUNK_LINE,))
            self._finish(attempt, trailers)
        elif chunks.more:
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        """Let others have their turn before more chunks of what was read are looked at."""
        self.pause_reading()
        if not self._waits:
            self._waits = True
            self._pool.pieces.later(self._take_turn)

    def _take_turn(self) -> None:
        self._waits = False
        attempt, chunks = self._attempt, self._chunks
        if attempt is None or attempt.paused or chunks is None or not chunks.more:
            return
        transport = self._transport
        if transport is not None and not transport.is_closing() and not transport.is_reading():
            transport.resume_reading()
        self._read_chunked(attempt, b"")

    def _finish(self, attempt: Attempt, trailers: Headers | None = None) -> None:
        self._end_attempt(attempt)
        self._chunks = None
        keep = self._keep and self._pool.may_serve_on(self)
        if keep and attempt.request_done and not self.write_paused:
            self.state = _IDLE
            self._reused = True
            if attempt.paused:
                self.resume_reading()
            self._pool.release(self)
        elif attempt.request_done:
            self.close()
        else:
            self.abandon()
        attempt.sink.response_end(trailers or [])

    def _ended(self, exc: Exception | None) -> None:
        """The backend closed, or the connection broke. Runs once; later calls find no attempt."""
        attempt, state = self._attempt, self.state
        self._attempt = None
        self._leave()
        if attempt is None:
            return
        if state == _HEAD and self._reused and not self._buffer and not self._interims:
            self._pool.went_stale()
            attempt.fail(FailureKind.STALE, "The kept connection was closed by the backend.")
        elif exc is None and state == _UNTIL_CLOSE:
            attempt.done = True
            attempt.connection = None
            attempt.sink.response_end([])
        elif state == _TUNNEL and (exc is None or self._eof):
            attempt.done = True
            attempt.connection = None
            if not self._eof:
                attempt.sink.response_end([])
        elif state == _HEAD:
            attempt.fail(FailureKind.RESET, "The connection ended before the response head.")
        else:
            attempt.fail(FailureKind.RESET, "The connection ended in the middle of the answer.")

    # -- small parts -------------------------------------------------------------------------

    def _touch(self) -> None:
        """A piece came: the time to the next one begins."""
        attempt = self._attempt
        if attempt is None or attempt.paused:
            return
        if self.state != _TUNNEL and self.state != _HEAD:
            self.deadline = self._pool.timer.now + attempt.idle_ms

    def _end_attempt(self, attempt: Attempt) -> None:
        self._attempt = None
        attempt.done = True
        attempt.connection = None

    def _leave(self) -> None:
        if self.state != _CLOSED:
            idle = self.state == _IDLE
            self.state = _CLOSED
            self.deadline = NEVER
            self._pool.left(self, idle=idle)


def _trailers(section: bytes) -> Headers:
    fields = read_odd_fields(section)
    return [field for field in fields if field[0].lower() not in _NOT_TRAILERS]
