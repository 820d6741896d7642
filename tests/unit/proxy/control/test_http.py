"""How a proxy may speak to its control plane."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from proxy.control.http import HTTPError, control_client
from proxy.settings import Settings, SettingsError, load

BASE = {"FIGWAY_CONTROL_KEY": "fgw_key", "FIGWAY_LEGACY_URL": "http://legacy.example"}


def settings(url: str, **more: str) -> Settings:
    return load({**BASE, "FIGWAY_CONTROL_URL": url, **more})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8070", "http://localhost:8070", "http://[::1]:8070", "https://control:8070"],
)
def test_loopback_and_tls_need_no_word(url: str) -> None:
    assert settings(url).control_url == url


@pytest.mark.parametrize("url", ["http://control:8070", "http://10.0.0.5", "http://localhost.evil"])
def test_plain_http_to_another_machine_needs_one(url: str) -> None:
    """The key and the whole table would go in the clear."""
    with pytest.raises(SettingsError, match="FIGWAY_CONTROL_INSECURE"):
        settings(url)
    assert settings(url, FIGWAY_CONTROL_INSECURE="true").control_url == url


@pytest.mark.parametrize("key", ["ключ", "fgw_a\nb", "fgw_a b", "fgw_\x00"])
def test_a_key_that_no_header_can_hold(key: str) -> None:
    """The proxy ended with a traceback, or wrote the key into its log with every call."""
    with pytest.raises(SettingsError, match="FIGWAY_CONTROL_KEY: holds a character") as told:
        settings("http://127.0.0.1:1", FIGWAY_CONTROL_KEY=key)
    assert key not in str(told.value)


def test_a_key_is_taken_without_the_blanks_around_it() -> None:
    found = settings("http://127.0.0.1:1", FIGWAY_CONTROL_KEY=" fgw_key\n")
    assert found.control_key.get_secret_value() == "fgw_key"


async def test_the_control_planes_certificate_is_verified(tmp_path: Path) -> None:
    """By the named authority, and by no other."""
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    for name, ca in (("right", authority), ("wrong", other)):
        ca.cert_pem.write_to_path(str(tmp_path / name))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    sock = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(serve, sock=sock, ssl=tls)
    url = f"https://localhost:{sock.getsockname()[1]}"
    async with control_client(url, "k", "test", ca_file=str(tmp_path / "right")) as client:
        assert (await client.get("/table")).status_code == 204
    async with control_client(url, "k", "test", ca_file=str(tmp_path / "wrong")) as client:
        with pytest.raises(HTTPError):
            await client.get("/table")
    server.close()
    await server.wait_closed()
