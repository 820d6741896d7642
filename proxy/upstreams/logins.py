"""Logins that live in a connection: NTLM and Negotiate (RFC 4559) authenticate it, not a request.

Whoever uses such a connection afterwards is served as the user who logged in. So a backend
connection over which a login goes, or which answers with such a challenge, belongs to one client's
connection from then on: it serves that client's requests alone, is never pooled, and is closed with
it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from figway.message.http import Headers

if TYPE_CHECKING:
    from proxy.upstreams.connection import Connection
    from proxy.upstreams.pool import Pool

_SCHEME: Final = re.compile(
    rb"(?:^|[,\s])(?:ntlm|negotiate|kerberos|nego2)(?=[\s,]|$)", re.I
).search
_CHALLENGES: Final = (b"www-authenticate", b"proxy-authenticate")


def is_login(authorization: bytes | None) -> bool:
    """Whether an Authorization field logs a connection in."""
    return authorization is not None and _SCHEME(authorization) is not None


def is_challenge(headers: Headers) -> bool:
    """Whether an answer asks for such a login, or goes on with one."""
    return any(
        name.lower() in _CHALLENGES and _SCHEME(value) is not None for name, value in headers
    )


class ClientConnection:
    """One client's connection, as the pools know it: the backend connections that are its alone.

    `client` is the address that its logins came from. A trusted proxy may send several clients'
    requests over one connection; another address gets nothing of what the one before it had.
    """

    __slots__ = ("_bound", "client", "closed")

    def __init__(self) -> None:
        self._bound: dict[Pool, Connection] = {}
        self.client = ""
        self.closed = False

    @property
    def logged_in(self) -> bool:
        """Whether a backend connection is its own."""
        return bool(self._bound)

    def speaks_for(self, client: str) -> None:
        """A request of `client` comes. What belongs to another client's login is closed."""
        if self._bound and client != self.client:
            self._close_all()
        self.client = client

    def has(self, pool: object) -> bool:
        """Whether a connection of `pool` is its own."""
        return pool in self._bound

    def connection(self, pool: Pool) -> Connection | None:
        """The connection of `pool` that is its own, taken out for a request."""
        return self._bound.pop(pool, None)

    def keep(self, pool: Pool, connection: Connection) -> bool:
        """Keep `connection` for the next request; False where the client is gone."""
        if self.closed:
            return False
        before = self._bound.get(pool)
        if before is not None and before is not connection:
            before.close()
        self._bound[pool] = connection
        return True

    def lost(self, pool: Pool, connection: Connection) -> None:
        """`connection` is closing."""
        if self._bound.get(pool) is connection:
            del self._bound[pool]

    def close(self) -> None:
        """The client's connection is closed."""
        self.closed = True
        self._close_all()

    def _close_all(self) -> None:
        bound, self._bound = self._bound, {}
        for connection in bound.values():
            connection.close()
