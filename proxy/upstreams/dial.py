"""Where an http backend is and how to get there: its URL, DNS, TLS, and what may be wrong.

The environment's proxies are not consulted. TLS is always verified, against the system's
authorities or the backend's own `ca_file`. The addresses of a name are raced (RFC 8305), so that
one that swallows packets costs a quarter of a second; the one that answered last is tried first.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from itertools import zip_longest
from typing import Any, cast
from urllib.parse import urlsplit

from figway.model.backend import Backend
from figway.serving.attempts.failures import FailureKind
from figway.validate.address import is_link_local
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.pool import DialError
from proxy.upstreams.race import connect_first

_HTTP = ("http/1.1",)


class BadAuthority(ValueError):
    """The `ca_file` of a backend cannot be used."""


class Dialer:
    """Opens connections to one backend. Raises ValueError for a URL that names no place.

    `speaks` are the protocols that TLS offers (ALPN).
    """

    def __init__(
        self, backend: Backend, read: ReadFile = read_regular, speaks: tuple[str, ...] = _HTTP
    ) -> None:
        url = urlsplit(backend.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"Backend {backend.id}: not an http or https URL: {backend.url!r}")
        self.host = url.hostname
        self.port = url.port or (443 if url.scheme == "https" else 80)
        self._name = self.host if url.scheme == "https" else None
        self._good: object = None
        """The socket address that answered last."""
        self._allow_link_local = backend.allow_link_local
        self._literal = _is_address(self.host)
        self._tls = _tls_context(backend, read, speaks) if url.scheme == "https" else None

    async def __call__(self, connection: object) -> None:
        """Connect `connection`, which is a protocol of asyncio. Raises `DialError`."""
        try:
            addresses = await self._addresses()
            if len(addresses) == 1:
                await self._open(connection, addresses[0])
            else:
                await self._open_first(connection, addresses)
        except ssl.SSLCertVerificationError as error:
            detail = f"The certificate is not valid: {error.verify_message}."
            raise DialError(FailureKind.TLS, detail) from None
        except ssl.SSLError as error:
            detail = f"The TLS handshake failed: {error.reason or 'closed'}."
            raise DialError(FailureKind.TLS, detail) from None
        except socket.gaierror:
            raise DialError(FailureKind.CONNECT, "The name does not resolve.") from None
        except (ConnectionResetError, ConnectionAbortedError):
            if self._tls is None:
                raise DialError(FailureKind.CONNECT, "The connection was reset.") from None
            raise DialError(FailureKind.TLS, "Closed during the TLS handshake.") from None
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            detail = f"No connection: {reason or type(error).__name__}."
            raise DialError(FailureKind.CONNECT, detail) from None

    async def _addresses(self) -> list[tuple[Any, ...]]:
        """Where the name points now, the address that answered last before all others."""
        if self._literal:
            return [(self.host, self.port)]
        addresses = _interleaved(await resolve(self.host, self.port))
        allowed = [address for address in addresses if not self.refuse_peer(address)]
        if not allowed:
            raise DialError(FailureKind.CONNECT, "The address is link-local.")
        good = self._good
        allowed.sort(key=lambda address: address != good)  # stable: the rest keep their order
        return allowed

    async def _open(self, connection: object, address: tuple[Any, ...]) -> None:
        await asyncio.get_running_loop().create_connection(
            lambda: cast(asyncio.Protocol, connection),
            address[0],
            address[1],
            ssl=self._tls,
            server_hostname=self._name,
        )

    async def _open_first(self, connection: object, addresses: list[tuple[Any, ...]]) -> None:
        """Hand `connection` the transport of the address that answers first."""
        winner = await connect_first(addresses)
        transport = winner.transport
        if transport is None or winner.unwanted:
            raise ConnectionResetError
        self._good = transport.get_extra_info("peername")
        protocol = cast(asyncio.Protocol, connection)
        if self._tls is None:
            transport.set_protocol(protocol)
        else:
            loop = asyncio.get_running_loop()
            try:
                secured = await loop.start_tls(
                    transport, protocol, self._tls, server_hostname=self._name
                )
            except BaseException:
                transport.abort()
                raise
            if secured is None:
                raise ConnectionResetError
            transport = secured
        protocol.connection_made(transport)

    def refuse_peer(self, peername: object) -> str:
        """Why the address that a name resolved to may not be used; empty if it may."""
        if self._allow_link_local or not isinstance(peername, tuple):
            return ""
        refused = is_link_local(str(peername[0]))
        return "The address is link-local." if refused else ""


def _tls_context(backend: Backend, read: ReadFile, speaks: tuple[str, ...]) -> ssl.SSLContext:
    authorities = None
    if backend.ca_file:
        try:
            authorities = read(backend.ca_file).decode("ascii")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise BadAuthority(f"Backend {backend.id}: ca_file: {reason or error}") from None
        if "BEGIN CERTIFICATE" not in authorities:
            raise BadAuthority(f"Backend {backend.id}: ca_file: it holds no PEM certificate")
    try:
        context = ssl.create_default_context(cadata=authorities)
    except ssl.SSLError as error:
        why = error.reason or "it holds no certificate"
        raise BadAuthority(f"Backend {backend.id}: ca_file: {why}") from None
    if speaks:
        context.set_alpn_protocols(speaks)
    return context


async def resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """What a name means now, as `socket.getaddrinfo` says it. Raises `socket.gaierror`."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _interleaved(found: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The socket addresses, families by turns, each once (RFC 8305, 4)."""
    families: dict[Any, list[tuple[Any, ...]]] = {}
    for family, _, _, _, address in found:
        known = families.setdefault(family, [])
        if address not in known:
            known.append(address)
    rows = zip_longest(*families.values())
    return [address for row in rows for address in row if address is not None]
