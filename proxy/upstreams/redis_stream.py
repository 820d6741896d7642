"""The upstream for queues in Redis: each request becomes an entry of a stream (XADD).

The entry has one field, `message`: the JSON that a message of SQS has as its body. Redis runs a
command whole or refuses it, so an error that is known to be its own says that nothing was taken;
of what was written and has no reply, nobody knows.

An Idempotency-Key is taken once within `dedupe_s` by a script, which Redis runs as one command: it
adds the entry and sets a key of its own beside the stream, or does neither. That holds within one
primary; what a failover loses, Redis has lost, entry and key alike.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from figway.model.backend import Backend, BackendKind, timeouts_of
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.dial import Dialer
from proxy.upstreams.handing_on import HandedOn
from proxy.upstreams.mending import HasPassword
from proxy.upstreams.port import Failure, ResponseSink, Sending
from proxy.upstreams.redis_client import RedisClient, RedisCommand
from proxy.wire.message import OutboundRequest
from proxy.wire.resp import ErrorReply, Reply, encode

LIMIT: Final = 1_048_576
"""Bytes of a message, as for a queue of SQS. Redis itself would take 512 MiB."""
_TAKES: Final = "A message of a stream takes 1 MiB"
_PORT: Final = 6_379

ONCE: Final = b"""\
if redis.call('SET', KEYS[2], '1', 'XX', 'KEEPTTL') then return 'known' end
local added = redis.call('XADD', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
return added
"""
"""Adds an entry unless its key is known. The first line sets nothing that is not there, and fails
where the last would: so either both are done or neither."""

_BUSY: Final = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "TRYAGAIN"}
)
"""Redis takes no writes now: a script runs, it loads its data, has no memory, disk or replicas."""
_REFUSED: Final = frozenset(
    {"CROSSSLOT", "DENIED", "MOVED", "NOAUTH", "NOPERM", "READONLY", "WRONGPASS", "WRONGTYPE"}
)
_ELSEWHERE: Final = frozenset({"MOVED", "NOAUTH", "READONLY"})
"""Another connection may lead to the primary that is meant, or be logged in."""
_OWN_ERR: Final = re.compile(
    rb"ERR (?:unknown command|wrong number of arguments|syntax error|value is not an integer"
    rb"|max number of clients|Protocol error|DB index|invalid DB index|invalid password"
    rb"|Client sent AUTH|AUTH |operation not permitted|The ID specified"
    rb"|SELECT is not allowed|Error (?:running|compiling) script|The user executing the script)",
    re.I,
).match
"""`ERR` of Redis's own that says it added nothing. A proxy in front says ERR of anything, too."""
_ADDED: Final = re.compile(rb"[0-9]{1,20}-[0-9]{1,20}|known").fullmatch


class RedisStreamUpstream:
    """Implements `Upstream` and `LoggingIn`. Must be made on the running loop.

    Raises ValueError for a URL that leads to no Redis, OSError or `ssl.SSLError` for a `ca_file`
    that cannot be read.
    """

    def __init__(
        self, backend: Backend, timer: DeadlineTimer, read: ReadFile = read_regular
    ) -> None:
        url = urlsplit(backend.url)
        if url.scheme not in ("redis", "rediss") or not url.hostname:
            raise ValueError(f"Backend {backend.id}: not a redis or rediss URL: {backend.url!r}")
        self.loop = asyncio.get_running_loop()
        self.aws = backend.aws
        self.stream = backend.stream
        self._database = url.path.strip("/").encode() or b"0"
        self._secret: HasPassword | None = None
        scheme = "https" if url.scheme == "rediss" else "http"
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        place = f"{scheme}://{host}:{url.port or _PORT}"
        dialer = Dialer(replace(backend, kind=BackendKind.HTTP, url=place), read, speaks=())
        times = timeouts_of(backend)
        self.client = RedisClient(dialer, timer, times, backend.limits, self._login, refused)

    def log_in_with(self, secret: HasPassword) -> None:
        """See `LoggingIn.log_in_with`."""
        self._secret = secret

    def send(self, request: OutboundRequest, sink: ResponseSink) -> Sending:
        """See `Upstream.send`. The entry is added when the request's body is complete."""
        sending = _Entry(self, request, sink)
        sending.begin()
        return sending

    def retire(self) -> None:
        """See `Upstream.retire`."""
        self.client.retire()

    async def close(self) -> None:
        """See `Upstream.close`."""
        await self.client.close()

    def command(self, message: bytes, key: str) -> bytes:
        """The command that adds a message; once for `key`, where there is one."""
        stream = self.stream
        name, cut = stream.name.encode(), b"%d" % stream.max_length
        most = (b"MAXLEN", b"~", cut) if stream.max_length else ()
        entry = (*most, b"*", b"message", message)
        if not key:
            return encode(b"XADD", name, *entry)
        # In a cluster both keys must be in one slot, which braces name.
        beside = name if b"{" in name else b"{%b}" % name
        keys = (name, b"%b:once:%b" % (beside, key.encode()))
        return encode(b"EVAL", ONCE, b"2", *keys, b"%d" % stream.dedupe_s, *entry)

    def answered(self, reply: Reply) -> Failure | None:
        """None for an entry that was added, or is there already."""
        if isinstance(reply, bytes) and _ADDED(reply) is not None:
            return None
        if isinstance(reply, ErrorReply):
            if reply.code in _ELSEWHERE and self.client.connection is not None:
                self.client.connection.leave()
            return refused(reply)
        return Failure(FailureKind.PROTOCOL, Sent.SOME, "Redis named no entry.")

    def _login(self) -> list[bytes]:
        """What a connection begins with."""
        commands = []
        if self._secret is not None and self._secret.password:
            user = (self.stream.user.encode(),) if self.stream.user else ()
            commands.append(encode(b"AUTH", *user, self._secret.password.encode()))
        if self._database != b"0":
            commands.append(encode(b"SELECT", self._database))
        return commands


def refused(reply: Reply) -> Failure:
    """The failure that an error stands for. Its text may quote keys and users: only its code is
    told."""
    if not isinstance(reply, ErrorReply):
        return Failure(FailureKind.PROTOCOL, Sent.SOME, "The answer is not Redis's.")
    code = reply.code or "an error without a code"
    if code in _BUSY or b"max number of clients" in reply.text:
        return Failure(FailureKind.SERVICE_THROTTLED, Sent.NOTHING, f"Redis refused: {code}.")
    if code in _REFUSED or _OWN_ERR(reply.text) is not None:
        return Failure(FailureKind.SERVICE_REFUSED, Sent.NOTHING, f"Redis refused: {code}.")
    return Failure(FailureKind.SERVICE_ERROR, Sent.SOME, f"It failed: {code}.")


class _Entry(HandedOn):
    """A request that becomes an entry."""

    def __init__(
        self, upstream: RedisStreamUpstream, request: OutboundRequest, sink: ResponseSink
    ) -> None:
        super().__init__(upstream.loop, request, sink, LIMIT, upstream.aws)
        self._upstream = upstream
        self._data = b""
        self._command: RedisCommand | None = None

    def complete(self, body: bytes) -> None:
        message = self.handed.message(body).encode()
        if len(message) > LIMIT:
            self.later(*self.too_large())
            return
        self.deduplicated = self.handed.keyed and self._upstream.stream.dedupe_s > 0
        self._data = self._upstream.command(message, self.handed.id if self.deduplicated else "")
        self.make()

    def too_large(self) -> tuple[FailureKind, str]:
        return FailureKind.MESSAGE_TOO_LARGE, f"{_TAKES} at most."

    def make(self) -> None:
        """See `HandedOn.make`."""
        self._command = RedisCommand(self._data, self._replied, self.broken)
        self._upstream.client.add(self._command)

    def abort(self) -> None:
        if self._command is not None:
            self._command.done = True
        super().abort()

    def _replied(self, reply: Reply) -> None:
        self.answered(self._upstream.answered(reply) or self.handed.accepted())
