"""The listening sockets of the facade: one a worker, all on one port, kept by the supervisor.

Where the kernel spreads connections over sockets that share a port (Linux, SO_REUSEPORT), each
worker accepts from its own. The supervisor keeps every socket open: connections that wait on the
socket of a worker that died are answered by its replacement. Elsewhere all workers share one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time

_BALANCES = sys.platform == "linux"
_TRIES = 10  # a proxy that was killed leaves workers which close its port within moments
_PAUSE_S = 0.1


class ListenError(OSError):
    """The address cannot be listened on. The text is one line that says what to do."""


def listening_sockets(
    host: str, port: int, count: int, backlog: int, *, variable: str
) -> list[socket.socket]:
    """`count` sockets that listen on one address; with port 0 all share the chosen one.

    `variable` is the setting to name in an error. Raises `ListenError`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if count == 1 or not _BALANCES:
        first = _bind(family, host, port, backlog, variable, tries=_TRIES)
        return [first, *(first.dup() for _ in range(count - 1))]
    # A socket without SO_REUSEPORT finds out whether anybody else listens there: with it, a second
    # proxy on the same port would silently take half of the connections.
    probe = _bind(family, host, port, 1, variable, tries=_TRIES, listen=False)
    port = probe.getsockname()[1]
    probe.close()
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            sockets.append(_bind(family, host, port, backlog, variable, shared=True))
    except ListenError:
        close_all(sockets)
        raise
    return sockets


def close_all(sockets: list[socket.socket]) -> None:
    """Close this process's copies."""
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.close()


def _bind(
    family: socket.AddressFamily,
    host: str,
    port: int,
    backlog: int,
    variable: str,
    *,
    shared: bool = False,
    listen: bool = True,
    tries: int = 1,
) -> socket.socket:
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
            if listen:
                sock.listen(backlog)
        except OSError as error:
            sock.close()
            tries -= 1
            if error.errno == errno.EADDRINUSE and tries > 0:
                time.sleep(_PAUSE_S)  # before the event loop starts: nothing else waits
                continue
            raise ListenError(_explain(error, host, port, variable)) from None
        sock.setblocking(False)
        return sock


def _explain(error: OSError, host: str, port: int, variable: str) -> str:
    where = f"cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where}: another process uses this port. Stop it (`ss -ltnp 'sport = :{port}'` "
            f"names it) or choose another port with {variable}."
        )
    if error.errno == errno.EACCES:
        return f"{where}: not permitted. Choose a port from 1024 up with {variable}."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{where}: this machine has no such address. Choose another with {variable}."
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{where}: {reason}. Change {variable}."
