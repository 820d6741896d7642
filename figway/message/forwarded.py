"""What proxies in front say of a request: X-Forwarded-* and Forwarded (RFC 7239), read alike.

Whoever speaks only one of the two languages is understood in both. The fields are a name space that
backends fold: CGI (RFC 3875, 4.1.18) makes `X_Forwarded_For` and `X-Forwarded-For` one variable, so
`is_claim` knows every spelling of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

FOR: Final = b"x-forwarded-for"
HOST: Final = b"x-forwarded-host"
PROTO: Final = b"x-forwarded-proto"
FORWARDED: Final = b"forwarded"

_CLAIM: Final = re.compile(rb"x[^a-z0-9]forwarded(?:[^a-z0-9]|\Z)|(?:forwarded|proxy)\Z").match
_PAIR: Final = re.compile(
    rb"[ \t]*+([!#$%&'*+\-.^_`|~0-9A-Za-z]++)="
    rb'(?:"((?:[^"\\]|\\.)*+)"|([^",;\s]*+))[ \t]*+([,;]|\Z)'
).match
_NOT_ALPHANUMERIC: Final = re.compile(rb"[^a-z0-9]")
_QUOTED: Final = re.compile(rb"\\(.)")


def is_claim(name: bytes) -> bool:
    """Whether a field, its name in lower case, speaks for a proxy as some backend may read it.

    X-Forwarded-* and Forwarded in every spelling that CGI folds onto them, and Proxy, which CGI
    makes HTTP_PROXY.
    """
    return name[0] in b"xfp" and _CLAIM(name) is not None


def is_well_spelt(name: bytes) -> bool:
    """Whether a claim (see `is_claim`) has the one spelling that a proxy gives it."""
    return folded(name) == name and (name == FORWARDED or name.startswith(b"x-forwarded"))


def folded(name: bytes) -> bytes:
    """A field's name, in lower case, as CGI (RFC 3875, 4.1.18) knows it: one for all spellings."""
    return _NOT_ALPHANUMERIC.sub(b"-", name)


class Said(NamedTuple):
    """What the fields of a request say, each empty where they do not.

    `chain` are the client's address and those of proxies, as in X-Forwarded-For; `host` and `proto`
    are the first ones of their lists, which is what the client asked for; `elements` is Forwarded.
    """

    chain: bytes = b""
    host: bytes = b""
    proto: bytes = b""
    elements: bytes = b""


NOTHING_SAID: Final = Said()


def said(get: Callable[[bytes], bytes | None]) -> Said:
    """What a trusted proxy says. `get` gives a field, all lines of it as one list.

    A language that is not spoken is filled in from the other.
    """
    chain, elements = get(FOR) or b"", get(FORWARDED) or b""
    host, proto = _first(get(HOST)), _first(get(PROTO)).lower()
    if elements:
        parsed = parse(elements)
        first = parsed[0] if parsed else {}
        host = host or first.get(b"host", b"")
        proto = proto or first.get(b"proto", b"").lower()
        chain = chain or b", ".join([_address(element.get(b"for", b"")) for element in parsed])
    elif chain:
        elements = _elements(chain, host, proto)
    return Said(chain, host, proto, elements)


def parse(value: bytes) -> list[dict[bytes, bytes]]:
    """The elements of a Forwarded field, parameter names in lower case; nonsense ends the list."""
    elements: list[dict[bytes, bytes]] = [{}]
    at = 0
    while at < len(value):
        pair = _PAIR(value, at)
        if pair is None:
            break
        quoted = pair[2]
        text = pair[3] if quoted is None else _QUOTED.sub(rb"\1", quoted)
        elements[-1].setdefault(pair[1].lower(), text)
        at = pair.end()
        if pair[4] == b",":
            elements.append({})
    return [element for element in elements if element]


def element(peer: bytes, host: bytes, scheme: bytes) -> bytes:
    """One element of Forwarded; what is not known is left out, but for `for=unknown`."""
    parts = [b"for=" + _node(peer)]
    if host:
        parts.append(b'host="%b"' % host)
    if scheme:
        parts.append(b"proto=" + scheme)
    return b";".join(parts)


def _elements(chain: bytes, host: bytes, proto: bytes) -> bytes:
    peers = [entry.strip() for entry in chain.split(b",")]
    first = element(peers[0], host, proto)
    return b", ".join([first, *(element(peer, b"", b"") for peer in peers[1:])])


def _node(peer: bytes) -> bytes:
    if not peer:
        return b"unknown"
    if b":" in peer and peer.count(b":") > 1 and peer[:1] != b"[":
        return b'"[%b]"' % peer
    return b'"%b"' % peer if b":" in peer or b"[" in peer else peer


def _address(node: bytes) -> bytes:
    """A node of Forwarded as X-Forwarded-For writes it: without brackets and port."""
    if node[:1] == b"[":
        return node[1:].partition(b"]")[0]
    return node.partition(b":")[0] if node.count(b":") == 1 else node


def _first(value: bytes | None) -> bytes:
    return (value or b"").partition(b",")[0].strip(b" \t")


# -- addresses ---------------------------------------------------------------------------------


def canonical(address: str) -> str:
    """One spelling for an address: an IPv4 address mapped into IPv6 is the IPv4 address."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def network_of(address: str) -> bytes:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one (RFC 6177)."""
    if ":" not in address:
        return address.encode()
    try:
        number = int(IPv6Address(address.partition("%")[0]))
    except ValueError:
        return address.encode()
    return str(IPv6Address(number >> 64 << 64)).encode() + b"/64"
