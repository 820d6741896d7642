"""Whom X-Forwarded-For may speak for."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from proxy.doors.peer import client_address, is_trusted

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("1.1.1.1", b"9.9.9.9", "1.1.1.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", b"8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", b"9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", b"9.9.9.9, unknown", "10.0.0.1"),
        ("10.0.0.1", b"9.9.9.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", b"9.9.9.9:1234", "9.9.9.9"),
        ("fd00::1", b"[2001:db8::1]:99", "2001:db8::1"),
        ("::ffff:10.0.0.1", b"9.9.9.9", "9.9.9.9"),
        ("", b"9.9.9.9", ""),
    ],
)
def test_the_nearest_address_that_is_vouched_for(peer: str, chain: bytes, client: str) -> None:
    """trap 7: an entry counts only when everybody behind it is trusted."""
    assert client_address(peer, chain, NETWORKS) == client


def test_nobody_is_trusted_by_default() -> None:
    assert not is_trusted("127.0.0.1", ())
