"""Who the client is, when proxies that are trusted stand between it and the facade."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from figway.message.forwarded import FORWARDED, PROTO, canonical, said
from figway.message.headers import Arrival
from proxy.wire.client_head import RequestHead

Networks = Sequence[IPv4Network | IPv6Network]


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether `address` belongs to a trusted proxy; nonsense does not."""
    if not networks:
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def is_unbelieved_tls(head: RequestHead, arrival: Arrival) -> bool:
    """Whether a neighbour says that its client spoke https, and is no trusted proxy.

    Behind a TLS proxy that nobody named, legacy is told `http` and redirects for ever. Strangers
    say what they like: only a peer on this host or in a private network counts.
    """
    if arrival.trusted or arrival.scheme != "http":
        return False
    fields = head.acted_on
    if PROTO not in fields and FORWARDED not in fields:
        return False
    try:
        near = ip_address(arrival.peer).is_private
    except ValueError:
        return False
    return near and said(fields.get).proto == b"https"


def client_address(peer: str, chain: bytes, networks: Networks) -> str:
    """The address nearest to the client that a trusted proxy vouches for.

    `chain` is X-Forwarded-For, or what Forwarded says in its place. It is read from the right: each
    trusted proxy vouches for the entry before it. The first that is not trusted is the client; an
    entry that is no address ends the walk.
    """
    client = peer
    for entry in reversed(chain.split(b",")):
        if not is_trusted(client, networks):
            break
        text = entry.strip().decode("latin-1")
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        try:
            client = canonical(str(ip_address(text)))
        except ValueError:
            break
    return client
