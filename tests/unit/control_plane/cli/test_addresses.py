"""Addresses on the command line of `figway up`: each wrong one is told before anything starts."""

from __future__ import annotations

import socket

import pytest

from control_plane.cli.addresses import check_free, check_url_of_legacy, free_port
from control_plane.cli.errors import CliError, Exit


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8000", "is not a URL"),
        ("htp://127.0.0.1:8000", "the scheme 'htp' is neither http nor https"),
        ("http://127.0.0.1:99999", "Port out of range"),
        ("http://127.0.0.1:abc", "abc"),
        ("http://127.0.0.1:0", "port 0"),
        ("http://[::1", "IPv6"),
        ("http://", "no valid host"),
        ("http://a b/", "visible ASCII"),
        ("", "is not a URL"),
        ("http://127.0.0.1:8000?x=1", "the query or fragment would be lost"),
    ],
)
def test_a_wrong_url_of_legacy_is_told(url: str, words: str) -> None:
    """Ports out of range and half an IPv6 address were tracebacks."""
    with pytest.raises(CliError, match="--legacy") as told:
        check_url_of_legacy(url)
    assert words in told.value.message
    assert told.value.hint
    assert told.value.code is Exit.USAGE


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(CliError, match="holds credentials") as told:
        check_url_of_legacy("http://me:sesame@127.0.0.1:8000")
    assert "sesame" not in told.value.message + told.value.hint


@pytest.mark.parametrize(
    "url", ["http://legacy", "https://shop.example:8443/app", "http://[::1]:8"]
)
def test_urls_that_a_table_may_have(url: str) -> None:
    check_url_of_legacy(url)


@pytest.mark.parametrize(
    "address", ["8090", "127.0.0.1:-1", "127.0.0.1:0", "127.0.0.1:99999", "a:b", "::1:80", "h:٨"]
)
def test_an_address_to_listen_on_has_host_and_port(address: str) -> None:
    """A port alone was told by the proxy, after the control plane had started; port 0 hung."""
    with pytest.raises(CliError, match="is not host:port") as told:
        check_free({"--admin": address})
    assert told.value.hint.endswith("--admin 127.0.0.1:8070")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_no_two_share_a_port(host: str) -> None:
    port = free_port(0)
    with pytest.raises(CliError, match="are the same port") as told:
        check_free({"--listen": f"127.0.0.1:{port}", "--private": f"{host}:{port}"})
    assert told.value.code is Exit.USAGE
    assert "--private" in told.value.hint


def test_what_cannot_be_bound_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CliError, match="in use") as told:
            check_free({"--listen": f"127.0.0.1:{taken.getsockname()[1]}"})
    assert told.value.hint.startswith("Stop what listens there")
    with pytest.raises(CliError, match="cannot be used") as told:
        check_free({"--listen": "no-such-host.invalid:8090"})
    assert told.value.hint.startswith("Choose an address of this machine")
