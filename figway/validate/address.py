"""Addresses that hold a cloud's credentials, in every spelling that a resolver accepts."""

from __future__ import annotations

import ipaddress
import re

_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # RFC 3927; metadata of AWS, Azure, Google, task credentials of ECS
        "fe80::/10",  # RFC 4291, 2.5.6
        "fd00:ec2::/32",  # AWS's metadata over IPv6
        "100.100.100.200/32",  # Alibaba's metadata
    )
)
_NAMES = frozenset({"metadata.google.internal", "metadata", "instance-data"})
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,11}")


def is_link_local(host: str) -> bool:
    """Is `host`, an address or a name, link-local or a cloud's metadata service?

    Numbers count in the spellings of inet_aton (`0xa9fea9fe`, `2852039166`, `169.254.43518`), and
    IPv4 also inside IPv6. A name that merely resolves to such an address is not seen here.
    """
    name = host.lower().strip("[]").partition("%")[0].removesuffix(".")
    if name in _NAMES:
        return True
    address = _address(name)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in _NETWORKS)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
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
