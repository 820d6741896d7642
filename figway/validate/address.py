"""Addresses that hold a cloud's credentials, in every spelling that a resolver accepts."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # RFC 3927; metadata of AWS, Azure, Google, task credentials of ECS
        "fe80::/10",  # RFC 4291, 2.5.6
        "fd00:ec2::/32",  # AWS: metadata and credentials of pods over IPv6
        "fd20:ce::254/128",  # Google: metadata over IPv6
        "168.63.129.16/32",  # Azure: the host's own service
        "192.0.0.192/32",  # Oracle: metadata of the classic kind
        "fd00:c1::a9fe:a9fe/128",  # Oracle: metadata over IPv6
        "fd00:42::42/128",  # Scaleway
        "100.100.100.200/32",  # Alibaba
    )
)
_NAMES = frozenset(
    {
        "metadata.google.internal",
        "metadata.goog",
        "metadata",
        "metadata.tencentyun.com",
        "api.metadata.cloud.ibm.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,64}|[0-9]{1,64}")
_DOTS = str.maketrans("。．｡", "...")
_EMBEDDED = tuple(
    (ipaddress.IPv6Network(network), shift)
    for network, shift in (
        ("::/96", 0),  # RFC 4291, 2.5.5.1: IPv4-compatible
        ("::ffff:0:0/96", 0),  # RFC 4291, 2.5.5.2: IPv4-mapped
        ("::ffff:0:0:0/96", 0),  # RFC 7915: IPv4-translated
        ("64:ff9b::/96", 0),  # RFC 6052: NAT64
        ("64:ff9b:1::/48", 0),  # RFC 8215: NAT64 of a site, in its longest form
        ("2002::/16", 80),  # RFC 3056: 6to4
    )
)
"""Networks of IPv6 that lead to an IPv4 address, and how many bits stand behind it."""
_ISATAP = 0x5EFE  # RFC 5214: stands before the IPv4 address


def is_link_local(host: str) -> bool:
    """Is `host`, an address or a name, link-local or a cloud's metadata service?

    Numbers count in the spellings of inet_aton (`0xa9fea9fe`, `2852039166`, `169.254.43518`), in
    other digits and dots that a resolver maps to these (RFC 3490), and IPv4 also inside IPv6. A
    name that merely resolves to such an address is not seen here, but when it is connected to.
    """
    plain = unicodedata.normalize("NFKC", host).translate(_DOTS).lower()
    name = plain.strip("[]").partition("%")[0].removesuffix(".")
    if name in _NAMES:
        return True
    address = _address(name)
    if address is None:
        return False
    return any(item in network for item in _all_of(address) for network in _METADATA)


def _all_of(address: _Address) -> Iterator[_Address]:
    """The address, and those that it leads to."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    value = int(address)
    for network, shift in _EMBEDDED:
        if address in network:
            yield ipaddress.IPv4Address(value >> shift & 0xFFFFFFFF)
    if value >> 32 & 0xFFFF == _ISATAP:
        yield ipaddress.IPv4Address(value & 0xFFFFFFFF)
    if address.teredo is not None:
        yield from address.teredo


def _address(name: str) -> _Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return _inet_aton(name)


def _inet_aton(name: str) -> ipaddress.IPv4Address | None:
    """An IPv4 address in the older spellings: one to four numbers, the last fills the rest."""
    parts = name.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *first, last = (_number(part) for part in parts)
    except ValueError:  # an 8 or 9 after a leading zero
        return None
    if last >= 256 ** (4 - len(first)) or any(number > 255 for number in first):
        return None
    value = last
    for index, number in enumerate(first):
        value |= number << (24 - 8 * index)
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int:
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text, 8) if text[0] == "0" and len(text) > 1 else int(text)
