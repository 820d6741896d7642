"""What crosses the wire to a backend: a request as it leaves, the head of its answer."""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers


class RequestPlace:
    """Where in the table a request met its backend, for those that hand requests on: the route,
    the raw values of its path's variables, the sticky key (empty if unknown)."""

    __slots__ = ("key", "route", "variables")

    def __init__(self, route: str, variables: dict[str, bytes], key: bytes) -> None:
        self.route = route
        self.variables = variables
        self.key = key


class OutboundRequest:
    """A request as it leaves for a backend: hop-by-hop fields gone, Host policy applied.

    `target` is the raw request target in origin form (or `*`). `headers` holds Host but no
    framing: the upstream adds Content-Length or Transfer-Encoding itself, and nothing else.
    `content_length` is the body's length if known, None for a body of unknown length (sent
    chunked); `has_body` tells a request without a body from one whose length is 0. `upgrade`
    asks for a tunnel: the Connection and Upgrade fields are then part of `headers`. `section` is
    the header section as bytes, validated, where it is known so (every line `name: value` and
    CRLF); `headers` is then taken apart only when it is asked for. `owner` is the client's
    connection (`proxy.upstreams.logins.ClientConnection`), where it may own a backend connection;
    `login` says that the request logs its connection in. `healthy` are statuses from 500 that are
    answers to it, and no failures of the backend. `head_ms` and `idle_ms` take
    the place of the backend's time-outs; 0 waits for ever, -1 leaves them. `place` is set for
    backends that hand requests on.
    """

    __slots__ = (
        "_headers",
        "content_length",
        "has_body",
        "head_ms",
        "healthy",
        "idle_ms",
        "login",
        "method",
        "owner",
        "place",
        "section",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: Headers | None,
        section: bytes | None = None,
        has_body: bool = False,
        content_length: int | None = None,
        upgrade: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self._headers = headers
        self.section = section
        self.has_body = has_body
        self.content_length = content_length
        self.upgrade = upgrade
        self.owner: object | None = None
        self.login = False
        self.healthy: tuple[int, ...] = ()
        self.place: RequestPlace | None = None
        self.head_ms = -1
        self.idle_ms = -1

    def add(self, name: bytes, value: bytes) -> None:
        """One more field."""
        if self._headers is not None:
            self._headers.append((name, value))
        if self.section is not None:
            self.section += b"%b: %b\r\n" % (name, value)

    @property
    def headers(self) -> Headers:
        """The fields in order."""
        headers = self._headers
        if headers is None:
            headers = self._headers = _FIELD.findall(self.section or b"")
        return headers


_FIELD: Final = re.compile(rb"([^:\r\n]++):[ \t]*+([^\r\n]*+)\r\n")


class ResponseHead:
    """Status line and header section of an answer, as received, framing fields included.

    An upstream that has the header section as bytes gives them as `raw` (every line ending in
    CRLF, already validated); `headers` is then taken apart only when it is asked for. `plain`
    promises that no field is hop-by-hop and none names a place (`figway.message.rewrite.NAMES`), so
    that all of them may be relayed as they are. `build` is the version of the function that
    answered, where the platform says it; it is no part of the answer. `sized` promises that
    there is a Content-Length; without it there may be one.
    """

    __slots__ = ("_headers", "build", "plain", "raw", "reason", "sized", "status")

    def __init__(
        self,
        status: int,
        reason: bytes,
        headers: Headers | None = None,
        raw: bytes | None = None,
        plain: bool = False,
        build: bytes = b"",
    ) -> None:
        self.status = status
        self.reason = reason
        self.build = build
        self.raw = raw
        self.plain = plain
        self.sized = False
        self._headers = headers

    @property
    def is_event_stream(self) -> bool:
        """Whether the answer is a stream of server-sent events, which may last for hours."""
        if self.raw is not None:
            return b"text/event-stream" in self.raw.lower()
        return any(b"text/event-stream" in value.lower() for _, value in self.headers)

    @property
    def headers(self) -> Headers:
        """The fields, as received: order, case and repetition kept."""
        headers = self._headers
        if headers is None:
            lines = [line.partition(b":") for line in (self.raw or b"").split(b"\r\n")]
            headers = [(name, value.strip(b" \t")) for name, colon, value in lines if colon]
            self._headers = headers
        return headers
