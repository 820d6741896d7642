"""Header sections on their way through the facade: what goes, what comes, and nothing else.

To a backend: hop-by-hop fields go (RFC 9110, 7.6.1), framing is left to whoever writes the wire,
Host follows the backend's policy, and X-Forwarded-For, -Host, -Proto, Forwarded (RFC 7239),
traceparent (W3C Trace Context) and the hop count come in. To the client: hop-by-hop fields go, and
nothing comes in by default. Everything else keeps its bytes, its order and its case.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

from figway.message.force import COOKIE as FORCE_COOKIE
from figway.message.force import HEADER as FORCE_HEADER
from figway.message.forwarded import FOR as X_FOR
from figway.message.forwarded import (
    FORWARDED,
    NOTHING_SAID,
    PROTO,
    Said,
    element,
    is_claim,
    is_well_spelt,
    said,
)
from figway.message.forwarded import HOST as X_HOST
from figway.message.http import Headers
from figway.model.backend import Backend, HostPolicy

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
HOP_HEADER: Final = b"figway-hop"
MAX_HOPS: Final = 5
"""A request that went through this many facades is going in a circle: 508."""

_PRESERVE: Final = HostPolicy.PRESERVE
_WRITTEN: Final = frozenset({X_FOR, X_HOST, PROTO, FORWARDED})
"""Of the fields that speak for a proxy, those that the facade writes itself."""
_DROPPED: Final = HOP_BY_HOP | {b"host", b"content-length", HOP_HEADER, FORCE_HEADER}
NOT_CARRIED: Final = _DROPPED | {b"expect"}
"""Fields of a request that no backend is sent as the client sent them; nor those that speak for a
proxy in front (`figway.message.forwarded.is_claim`)."""
_SPECIAL: Final = _DROPPED | {b"traceparent", b"cookie", b"expect"}
DECIDING: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"host",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"origin",
        b"range",
        b"referer",
        b"traceparent",
        b"tracestate",
        b"user-agent",
    }
)
"""Fields that are end to end whatever Connection says: they decide, here or at the backend."""
_ANSWERING: Final = frozenset(
    {
        b"accept-ranges",
        b"age",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-security-policy",
        b"content-type",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"location",
        b"retry-after",
        b"set-cookie",
        b"strict-transport-security",
        b"vary",
        b"www-authenticate",
        b"x-content-type-options",
        b"x-frame-options",
    }
)
"""The same of answers: without them a client reads, keeps or shows another answer."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request reached the facade.

    `peer` is the address of the connection's other end, `scheme` `http` or `https`, `host` the
    Host as sent. `trusted` says that the peer is a proxy whose X-Forwarded-* and Forwarded are
    kept and added to; from anybody else they are replaced. `host_line` and `lines` are the Host
    field and the fields that tell a backend of all this, as bytes; `fields` are these fields.
    """

    peer: str
    scheme: str
    host: bytes
    trusted: bool = False
    host_line: bytes = field(init=False, compare=False, repr=False)
    lines: bytes = field(init=False, compare=False, repr=False)
    fields: Headers = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        out: Headers = []
        _append_forwarded(out, self, {})
        object.__setattr__(self, "fields", out)
        object.__setattr__(self, "host_line", b"Host: %b\r\n" % self.host)
        object.__setattr__(self, "lines", b"".join([b"%b: %b\r\n" % pair for pair in out]))


def hops(value: bytes | None) -> int:
    """How many facades a request has passed, by its hop header; nonsense counts as none."""
    return int(value) if value is not None and value.isdigit() and len(value) < 4 else 0


def forward_request(
    headers: Headers,
    arrival: Arrival,
    backend: Backend,
    *,
    authority: bytes,
    hop: int,
    traceparent: bytes,
    upgrade: bytes = b"",
    decides: Set[bytes] = frozenset(),
    without: Set[bytes] = frozenset(),
) -> Headers:
    """The header section for `backend`, framing fields excepted.

    `authority` is the backend's own host[:port]; `traceparent` is used where the client sent
    none; `upgrade` is the protocol of a tunnel that is asked for, or empty. `decides` are names
    that the route judges by: like `DECIDING`, they stay although Connection lists them. `without`
    are names, in lower case, that are left out besides.
    """
    out: Headers = [(b"Host", host_for(backend, arrival.host, authority))]
    listed: list[bytes] | None = None
    seen: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0].lower()
        if is_claim(name):
            if arrival.trusted and is_well_spelt(name):
                if name not in _WRITTEN:
                    out.append(pair)
                else:
                    seen[name] = seen[name] + b", " + pair[1] if name in seen else pair[1]
        elif name not in _SPECIAL:
            if name not in without:
                out.append(pair)
        elif name in _DROPPED:
            if name == b"connection":
                listed = connection_options(pair[1], listed)
        elif name == b"traceparent":
            traceparent = b""
            out.append(pair)
        elif name == b"cookie":
            _append_cookie(out, pair)
        else:  # Expect: the facade answers it itself, as bodies may be replayed
            continue
    if listed:
        gone = frozenset(listed) - DECIDING - decides
        out = [out[0], *(pair for pair in out[1:] if pair[0].lower() not in gone)]
    if seen:
        _append_forwarded(out, arrival, seen)
    else:
        out += arrival.fields
    if traceparent:
        out.append((b"traceparent", traceparent))
    out.append((b"Figway-Hop", b"%d" % hop))
    if upgrade:
        out += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    return out


_HOP_LINES: Final = tuple(b"Figway-Hop: %d\r\n" % number for number in range(MAX_HOPS + 2))


def forward_section(
    carried: bytes,
    acted_on: dict[bytes, bytes],
    arrival: Arrival,
    backend: Backend,
    *,
    authority: bytes,
    hop: int,
    traceparent: bytes,
) -> bytes | None:
    """What `forward_request` makes, as bytes, where at most whole lines have to go.

    `carried` are the client's lines whose names are not in `NOT_CARRIED`, each with its CRLF;
    `acted_on` the fields that the facade may have to act on (see `proxy.wire.client_head`). None
    where the fields must be looked at one by one.
    """
    if hop >= len(_HOP_LINES) or (arrival.trusted and any(map(is_claim, acted_on))):
        return None
    connection = acted_on.get(b"connection")
    if connection is not None and connection != b"keep-alive" and connection_options(connection):
        return None
    if FORCE_COOKIE in acted_on.get(b"cookie", b""):
        return None
    host = arrival.host_line
    if backend.host_policy is not _PRESERVE or not arrival.host:
        host = b"Host: %b\r\n" % host_for(backend, arrival.host, authority)
    if b"traceparent" in acted_on:
        return b"%b%b%b%b" % (host, carried, arrival.lines, _HOP_LINES[hop])
    parent = b"traceparent: %b\r\n" % traceparent
    return b"%b%b%b%b%b" % (host, carried, arrival.lines, parent, _HOP_LINES[hop])


def forward_response(headers: Headers) -> Headers:
    """The header section for the client: hop-by-hop fields gone, Content-Length kept."""
    listed: list[bytes] | None = None
    out: Headers = []
    for pair in headers:
        name = pair[0].lower()
        if name not in HOP_BY_HOP:
            out.append(pair)
        elif name == b"connection":
            listed = connection_options(pair[1], listed)
    if listed:
        gone = frozenset(listed) - _ANSWERING
        out = [pair for pair in out if pair[0].lower() not in gone]
    return out


def connection_options(value: bytes, seen: list[bytes] | None = None) -> list[bytes] | None:
    """The names that a Connection field lists beyond `close`, `keep-alive` and `upgrade`."""
    for option in value.lower().split(b","):
        option = option.strip()
        if option and option not in (b"close", b"keep-alive", b"upgrade"):
            seen = [] if seen is None else seen
            seen.append(option)
    return seen


def host_for(backend: Backend, client_host: bytes, authority: bytes) -> bytes:
    """The Host that `backend` is sent, by its policy."""
    if backend.host_policy is _PRESERVE and client_host:
        return client_host
    if backend.host_policy is HostPolicy.LITERAL:
        return backend.host.encode()
    return authority


def _append_cookie(out: Headers, pair: tuple[bytes, bytes]) -> None:
    """Keep a Cookie field, less the tester's token: that one is for the facade alone."""
    if FORCE_COOKIE not in pair[1]:
        out.append(pair)
        return
    prefix = FORCE_COOKIE + b"="
    kept = [part for part in pair[1].split(b";") if not part.strip().startswith(prefix)]
    if kept:
        out.append((pair[0], b";".join(kept).strip()))


def _append_forwarded(out: Headers, arrival: Arrival, trusted: dict[bytes, bytes]) -> None:
    """What the facade adds; `trusted` are the fields of the trusted proxy before it."""
    peer, scheme = arrival.peer.encode(), arrival.scheme.encode()
    told = said(trusted.get) if trusted else NOTHING_SAID
    _append_x_fields(out, arrival, trusted, told)
    mine = element(peer, arrival.host, scheme)
    out.append((b"Forwarded", told.elements + b", " + mine if told.elements else mine))


def _append_x_fields(
    out: Headers, arrival: Arrival, trusted: dict[bytes, bytes], told: Said
) -> None:
    peer = arrival.peer.encode()
    chain = b", ".join([entry for entry in (told.chain, peer) if entry])
    if chain:
        out.append((b"X-Forwarded-For", chain))
    if host := trusted.get(X_HOST) or told.host or arrival.host:
        out.append((b"X-Forwarded-Host", host))
    proto = trusted.get(PROTO) or told.proto or arrival.scheme.encode()
    out.append((b"X-Forwarded-Proto", proto))
