"""The head of an HTTP/1.1 request: bytes in, a checked and framed head out (RFC 9112).

Two readers, one grammar. The first takes the common well-formed head and knows most of its
lines already (see `proxy.wire.runs`); it notes the few fields that the facade itself acts on, and
leaves the others as the bytes that they are until somebody asks. The second takes what is rarer yet
unambiguous (other white space around a value, an empty value, a repeated field), and says precisely
what is wrong with the rest. Both are stricter than the RFC asks: what two servers could read in two
ways is refused, never repaired, because the disagreement is what request smuggling lives on. Bytes
are kept as sent: header order, case and repetition, and the target, whatever octets above 0x20 it
is made of.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers
from figway.message.overrides import known_as
from proxy.wire.lines import ACTED_ON, TOKEN
from proxy.wire.runs import NO_MEMORY, Memory, read_section

MAX_HEAD: Final = 65_536
"""Bytes of a whole head; more is 431."""
MAX_LINE: Final = 16_384
"""Bytes of the request line; more is 414."""
MAX_FIELDS: Final = 200
"""Header fields of a head; more is 431."""

_LINE: Final = re.compile(rb"([" + TOKEN + rb"]{1,32}) ([!-~\x80-\xff]++) HTTP/1\.([01])\r\n").match
_FIELD: Final = re.compile(rb"([" + TOKEN + rb"]++):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)").fullmatch
_HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+;=%\-]*+|\[[0-9A-Fa-f:.]++\])(?::[0-9]*+)?"
).fullmatch
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?#@]++)([/?].*)?", re.DOTALL).fullmatch
_METHODS: Final = {
    name.encode(): name for name in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
}
"""The methods that nearly every request has; any token is one."""
_TARGET: Final = bytes(octet if octet > 0x20 and octet != 0x7F else 0x21 for octet in range(256))
"""Changes a target that holds what none may hold, and no other."""
_VERSION: Final = re.compile(
    rb"[" + TOKEN + rb"]{1,32} [!-~\x80-\xff]++ HTTP/(?!1\.[01])[0-9](?:\.[0-9])?\r\n"
).match
_PROTOCOL: Final = re.compile(rb"[" + TOKEN + rb"]++(?:/[" + TOKEN + rb"]++)?").fullmatch
_CARRIES_REQUESTS: Final = re.compile(
    rb"(?:h2c|(?:h[23]|http|https|tls|spdy)(?:[/ \t]|\Z))", re.IGNORECASE
).match
_ONCE: Final = (b"host", b"content-length", b"transfer-encoding")


class BadRequest(Exception):
    """A request that is refused unread: answer `status` with the problem `code`, then close."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class RequestHead:
    """A well-formed request head; implements `figway.message.http.RequestHead`.

    `target` is what goes to a backend: origin form or `*`. `content_length` is None for a chunked
    body and 0 for none; `has_body` tells a length of 0 that was sent from none. `keep_alive` is
    what the client asks for; `upgrade` the protocol it wants to switch to, or empty. `client` is
    filled in by the door. `carried` are the lines that a backend is sent as they are, each with its
    CRLF, where every line of the head is of the common form, else None; `acted_on` then holds the
    fields of `ACTED_ON`, each of which is there once, and the others are taken apart when they are
    asked for.
    """

    __slots__ = (
        "_data",
        "_headers",
        "_index",
        "_start",
        "acted_on",
        "carried",
        "chunked",
        "client",
        "content_length",
        "expects",
        "has_body",
        "host",
        "keep_alive",
        "method",
        "minor",
        "path",
        "query",
        "target",
        "upgrade",
    )

    def __init__(
        self,
        method: str,
        target: bytes,
        minor: int,
        acted_on: dict[bytes, bytes],
        headers: Headers | None = None,
        carried: bytes | None = None,
        data: bytes = b"",
        start: int = 0,
    ) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.acted_on = acted_on
        self.carried = carried
        self._data = data
        self._start = start
        self._headers = headers
        self._index = None if headers is None else acted_on
        self.client = ""
        self.host = acted_on.get(b"host", b"")
        self.path, _, self.query = target.partition(b"?")
        self.content_length: int | None = 0
        self.has_body = False
        self.chunked = False
        self.expects = False
        self.keep_alive = minor == 1
        self.upgrade = b""

    @property
    def headers(self) -> Headers:
        """All fields, as sent: order, case and repetition kept."""
        headers = self._headers
        if headers is None:
            # Without a field the start lies behind the end, at which a compiled slice raises.
            start, end = self._start, len(self._data) - 4
            lines = self._data[start:end].split(b"\r\n") if start < end else []
            headers = self._headers = [_pair(line) for line in lines]
        return headers

    @property
    def index(self) -> dict[bytes, bytes]:
        """The value of each field by its name in lower case; all its lines are one list."""
        index = self._index
        if index is None:
            index = self._index = joined(self.headers)
        return index

    def get(self, name: bytes) -> bytes | None:
        """The value of a header, all its lines as one list; `name` in lower case."""
        value = self.acted_on.get(name)
        return self.index.get(name) if value is None and name not in ACTED_ON else value


def parse(
    data: bytes,
    max_line: int = MAX_LINE,
    max_fields: int = MAX_FIELDS,
    memory: Memory = NO_MEMORY,
) -> RequestHead:
    """Read a whole head, its final empty line included; `memory` is the connection's.

    Raises `BadRequest`.
    """
    end = data.find(b"\r\n")
    words = data[:end].split(b" ")
    common = _METHODS.get(words[0])
    if common is None or len(words) != 3 or not _is_common(words[1], words[2]):
        line = _LINE(data)
        if line is None:
            raise _bad_line(data, max_line)
        end = line.end() - 2
        method, target, minor = line[1].decode(), line[2], 1 if line[3] == b"1" else 0
    else:
        method, target, minor = common, words[1], 1
    start = end + 2
    if start > max_line:
        raise _long_line()
    acted_on: dict[bytes, bytes] = {}
    carried: list[bytes] = []
    count = read_section(data, start, acted_on, carried, memory)
    if count < 0:
        if data.count(b"\r\n", start) - 1 > max_fields:
            raise _too_many()
        return assemble(method, target, minor, _fields(data[start:][:-2]))
    if count > max_fields:
        raise _too_many()
    carried.append(b"")
    head = RequestHead(method, target, minor, acted_on, None, b"\r\n".join(carried), data, start)
    _check(head)
    return head


def _is_common(target: bytes, version: bytes) -> bool:
    return version == b"HTTP/1.1" and target != b"" and target.translate(_TARGET) == target


def assemble(method: str, target: bytes, minor: int, headers: Headers) -> RequestHead:
    """Check what a head says: its target, its host, its framing. Raises `BadRequest`."""
    index = joined(headers)
    if len(index) != len(headers):
        _check_once(headers)
    head = RequestHead(method, target, minor, index, headers)
    _check(head)
    return head


_HOSTS: Final[set[bytes]] = set()
"""Hosts that are known to be well-formed."""
MAX_HOSTS: Final = 1_024
"""Of them, how many are kept, of at most 255 bytes."""


def _check(head: RequestHead) -> None:
    """Target, host and framing. Raises `BadRequest`."""
    if head.target[0] != 0x2F or head.method == "CONNECT":
        _other_form(head)
    host = head.host
    if host not in _HOSTS:
        if not _HOST(host):
            raise _bad_host()
        if len(_HOSTS) >= MAX_HOSTS:
            _HOSTS.clear()
        if len(host) < 256:
            _HOSTS.add(host)
    if head.minor and b"host" not in head.acted_on:
        raise _bad_host()
    _frame(head)


def without_empty_lines(data: bytes) -> bytes:
    """Skip the empty lines that may stand before a request line (RFC 9112, 2.2)."""
    empty = _EMPTY_LINES(data)
    return data if empty is None else data[empty.end() :]


def check_partial(data: bytes, max_head: int = MAX_HEAD, max_line: int = MAX_LINE) -> None:
    """Refuse the beginning of a head that can no longer become a good one. Raises `BadRequest`."""
    if data.startswith(_PROXY_2):
        raise _proxy_protocol()
    if len(data) > max_line and data.find(b"\r\n", 0, max_line) < 0:
        raise _long_line()
    if len(data) > max_head:
        raise BadRequest(431, "head_too_large", "The request head is too large.")
    if data.count(b"\n") != data.count(b"\r\n"):
        raise BadRequest(400, "bad_header", "A line ends in a bare LF.")
    if not _BEGINNING(data):
        raise BadRequest(400, "bad_request_line", "This is not HTTP.")


_PROXY_1: Final = (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")
_PROXY_2: Final = b"\0\r\nQUIT\n"
"""How the PROXY protocol's second version begins, behind two empty lines."""
_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)++").match
_BEGINNING: Final = re.compile(rb"\r?$|[" + TOKEN + rb"]{1,32}(?: |$)").match


def _frame(head: RequestHead) -> None:
    """Take in the fields that say where the message ends and what becomes of the connection."""
    index = head.acted_on
    length = index.get(b"content-length")
    if length is not None:
        if not length.isdigit() or len(length) > 18:
            raise _ambiguous("Content-Length is not a plain number.")
        head.content_length = int(length)
        head.has_body = True
    coding = index.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise _ambiguous("Content-Length and Transfer-Encoding together.")
        if coding.lower() != b"chunked" or not head.minor:
            raise _ambiguous("The only Transfer-Encoding taken is chunked, in HTTP/1.1.")
        head.content_length = None
        head.has_body = head.chunked = True
    connection = index.get(b"connection")
    if connection is not None:
        _connection(head, connection)
    if head.minor and index.get(b"expect", b"").lower() == b"100-continue":
        head.expects = head.content_length != 0


def _connection(head: RequestHead, value: bytes) -> None:
    if value == b"keep-alive":
        head.keep_alive = True
        return
    lowered = value.lower()
    options = {option.strip() for option in lowered.split(b",")}
    if b"close" in options:
        head.keep_alive = False
    elif b"keep-alive" in options:
        head.keep_alive = True
    if b"upgrade" in options and head.minor:
        head.upgrade = _offered(head.acted_on.get(b"upgrade", b""))


def _offered(protocols: bytes) -> bytes:
    """The protocols that may be switched to (RFC 9110, 7.8): not HTTP or TLS, which would carry
    further requests past the table."""
    if protocols.lower() == b"websocket":
        return protocols
    offered = [protocol.strip() for protocol in protocols.split(b",")]
    return b", ".join([one for one in offered if _PROTOCOL(one) and _CARRIES_REQUESTS(one) is None])


def _other_form(head: RequestHead) -> None:
    """Targets that are not in origin form (RFC 9112, 3.2.2 to 3.2.4)."""
    if head.method == "CONNECT":
        raise BadRequest(501, "connect_refused", "This is no forward proxy: CONNECT is refused.")
    if head.target == b"*" and head.method == "OPTIONS":
        return
    absolute = _ABSOLUTE(head.target)
    if absolute is None:
        raise BadRequest(400, "bad_target", "The request target has no known form.")
    head.host, rest = absolute[1], absolute[2] or b""
    head.target = rest if rest[:1] == b"/" else b"/" + rest
    head.path, _, head.query = head.target.partition(b"?")


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value


def _fields(section: bytes) -> Headers:
    """The slow reader: `section` is the header section, each line with its CRLF."""
    if not section:
        return []
    headers: Headers = []
    for line in section[:-2].split(b"\r\n"):
        field = _FIELD(line)
        if field is None:
            raise BadRequest(400, "bad_header", _what_is_wrong(line))
        headers.append((field[1], field[2].rstrip(b" \t")))
    return headers


def trailer_fields(section: bytes) -> Headers:
    """Read a trailer section (RFC 9112, 7.1.2), each line with its CRLF. Raises `BadRequest`."""
    return _fields(section)


def _what_is_wrong(line: bytes) -> str:
    if line[:1] in (b" ", b"\t"):
        return "A header line is folded."
    if b"\r" in line or b"\n" in line:
        return "A header line ends in a bare CR or LF."
    if b"\0" in line:
        return "A header holds a NUL."
    name, colon, _ = line.partition(b":")
    if not colon:
        return "A header line has no colon."
    if name.rstrip() != name:
        return "There is white space before a colon."
    return "A header name or value holds a forbidden character."


def joined(headers: Headers) -> dict[bytes, bytes]:
    """Each field by its name in lower case. Several lines are one list (RFC 9110, 5.3; for Cookie
    RFC 9113, 8.2.3)."""
    index: dict[bytes, bytes] = {}
    for name, value in headers:
        lowered = known_as(name.lower())
        before = index.get(lowered)
        if before is not None:
            value = before + (b"; " if lowered == b"cookie" else b", ") + value
        index[lowered] = value
    return index


def _check_once(headers: Headers) -> None:
    """Some names may not repeat. Raises `BadRequest`."""
    seen: set[bytes] = set()
    for name, _ in headers:
        lowered = name.lower()
        if lowered in seen and lowered in _ONCE:
            raise _ambiguous(f"{name.decode()} is there more than once.")
        seen.add(lowered)


def _bad_line(data: bytes, max_line: int) -> BadRequest:
    if data.startswith((*_PROXY_1, _PROXY_2)):
        return _proxy_protocol()
    if data.find(b"\r\n") > max_line:
        return _long_line()
    if _VERSION(data):
        return BadRequest(505, "http_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    return BadRequest(400, "bad_request_line", "The request line is malformed.")


def _proxy_protocol() -> BadRequest:
    detail = "The PROXY protocol is not spoken here; send X-Forwarded-For or Forwarded instead."
    return BadRequest(400, "proxy_protocol", detail)


def _long_line() -> BadRequest:
    return BadRequest(414, "uri_too_long", "The request line is too long.")


def _too_many() -> BadRequest:
    return BadRequest(431, "too_many_headers", "The request has too many header fields.")


def _bad_host() -> BadRequest:
    return BadRequest(400, "bad_host", "The Host header is missing or malformed.")


def _ambiguous(detail: str) -> BadRequest:
    return BadRequest(400, "ambiguous_framing", detail)
