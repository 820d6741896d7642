"""Header sections on their way through the facade: what goes, what comes, and nothing else.

To a backend: hop-by-hop fields go (RFC 9110, 7.6.1), framing is left to whoever writes the wire,
Host follows the backend's policy, and X-Forwarded-For, -Host, -Proto, Forwarded (RFC 7239),
traceparent (W3C Trace Context) and the hop count come in. To the client: hop-by-hop fields go, and
nothing comes in by default. Everything else keeps its bytes, its order and its case.
"""

from __future__ import annotations

from dataclasses import dataclass

from figway.force import COOKIE as FORCE_COOKIE
from figway.force import HEADER as FORCE_HEADER
from figway.http import Headers
from figway.model import Backend, HostPolicy

HOP_BY_HOP = frozenset(
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
HOP_HEADER = b"figway-hop"
MAX_HOPS = 5
"""A request that went through this many facades is going in a circle: 508."""

_FORWARDED = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"}
)
_DROPPED = HOP_BY_HOP | {b"host", b"content-length", HOP_HEADER, FORCE_HEADER}
_SPECIAL = _DROPPED | _FORWARDED | {b"traceparent", b"cookie", b"expect"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request reached the facade.

    `peer` is the address of the connection's other end, `scheme` `http` or `https`, `host` the
    Host as sent. `trusted` says that the peer is a proxy whose X-Forwarded-* and Forwarded are
    kept and added to; from anybody else they are replaced.
    """

    peer: str
    scheme: str
    host: bytes
    trusted: bool = False


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
) -> Headers:
    """The header section for `backend`, framing fields excepted.

    `authority` is the backend's own host[:port]; `traceparent` is used where the client sent
    none; `upgrade` is the protocol of a tunnel that is asked for, or empty.
    """
    out: Headers = [(b"Host", host_for(backend, arrival.host, authority))]
    listed: list[bytes] | None = None
    seen: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0].lower()
        if name not in _SPECIAL:
            out.append(pair)
        elif name in _DROPPED:
            if name == b"connection":
                listed = connection_options(pair[1], listed)
        elif name in _FORWARDED:
            seen[name] = seen[name] + b", " + pair[1] if name in seen else pair[1]
        elif name == b"traceparent":
            traceparent = b""
            out.append(pair)
        elif name == b"cookie":
            _append_cookie(out, pair)
        else:  # Expect: the facade answers it itself, as bodies may be replayed
            continue
    if listed:
        gone = frozenset(listed) - {b"host"}
        out = [out[0], *(pair for pair in out[1:] if pair[0].lower() not in gone)]
    _append_forwarded(out, arrival, seen if arrival.trusted else {})
    if traceparent:
        out.append((b"traceparent", traceparent))
    out.append((b"Figway-Hop", b"%d" % hop))
    if upgrade:
        out += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    return out


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
        gone = frozenset(listed) - {b"content-length"}
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
    if backend.host_policy is HostPolicy.PRESERVE and client_host:
        return client_host
    if backend.host_policy is HostPolicy.LITERAL:
        return backend.host.encode()
    return authority


def issue_cookie(name: bytes, identity: bytes, *, secure: bool) -> tuple[bytes, bytes]:
    """The Set-Cookie that gives a client its identity for a year."""
    value = name + b"=" + identity + b"; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    return b"set-cookie", value + b"; Secure" if secure else value


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
    peer, scheme = arrival.peer.encode(), arrival.scheme.encode()
    chain = trusted.get(b"x-forwarded-for")
    out.append((b"X-Forwarded-For", chain + b", " + peer if chain else peer))
    out.append((b"X-Forwarded-Host", trusted.get(b"x-forwarded-host", arrival.host)))
    out.append((b"X-Forwarded-Proto", trusted.get(b"x-forwarded-proto", scheme)))
    node = b'"[%b]"' % peer if b":" in peer else peer
    element = b'for=%b;host="%b";proto=%b' % (node, arrival.host, scheme)
    chain = trusted.get(b"forwarded")
    out.append((b"Forwarded", chain + b", " + element if chain else element))
