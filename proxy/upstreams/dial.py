"""Where an http backend is and how to get there: its URL, DNS, TLS, and what may be wrong.

The environment's proxies are not consulted. TLS is always verified, against the system's
authorities or the backend's own `ca_file`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast
from urllib.parse import urlsplit

from figway.model.table import Backend
from figway.serving.exchange import FailureKind
from figway.validate.address import is_link_local
from proxy.upstreams.connection import Connection
from proxy.upstreams.pool import DialError


class Dialer:
    """Opens connections to one backend. Raises ValueError for a URL that names no place."""

    def __init__(self, backend: Backend) -> None:
        url = urlsplit(backend.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"Backend {backend.id}: not an http or https URL: {backend.url!r}")
        self.host = url.hostname
        self.port = url.port or (443 if url.scheme == "https" else 80)
        self._allow_link_local = backend.allow_link_local
        self._tls = _tls_context(backend.ca_file) if url.scheme == "https" else None

    async def __call__(self, connection: Connection) -> None:
        """Connect `connection`. Raises `DialError`."""
        loop = asyncio.get_running_loop()
        name = self.host if self._tls is not None else None
        try:
            await loop.create_connection(
                lambda: cast(asyncio.Protocol, connection),
                self.host,
                self.port,
                ssl=self._tls,
                server_hostname=name,
            )
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

    def refuse_peer(self, peername: object) -> str:
        """Why the address that a name resolved to may not be used; empty if it may."""
        if self._allow_link_local or not isinstance(peername, tuple):
            return ""
        refused = is_link_local(str(peername[0]))
        return "The address is link-local." if refused else ""


def _tls_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context
