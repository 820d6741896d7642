"""Runs the control plane under uvicorn, and ends with one clear line when it cannot."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from enum import IntEnum

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from control_plane.auth.roles import Role
from control_plane.bootstrap import create_app, make_services, prepare
from control_plane.db.migrate import DatabaseUnreachable, NewerDatabase
from control_plane.repeated_lines import RepeatedLines
from control_plane.services import Services
from control_plane.settings import Settings, SettingsError
from control_plane.state_dir import CONSOLE_LINK

_GRACE_S = 5


class Exit(IntEnum):
    """Exit codes of the control plane."""

    OK = 0
    FAILED = 1
    SETTINGS = 2
    """A setting is wrong, or the address is not free."""
    DATABASE = 3
    """The database does not answer."""
    NEWER_DATABASE = 4
    """The database belongs to a newer release."""


class Server(uvicorn.Server):
    """Ends the streams first: they would keep the server from stopping for ever."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams, then requests in flight, then the application."""
        self._services.tables.close()
        self._services.live.close()
        self._services.comparisons.live.close()
        await super().shutdown(sockets)


def main(settings: Settings | None = None) -> int:
    """Run until a signal comes; the exit code."""
    os.umask(0o077)  # databases, locks, logs: nothing here is for others to read
    try:
        return asyncio.run(serve(settings or Settings()))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper().removeprefix("FIGWAY_") if first["loc"] else ""
        return _fail(Exit.SETTINGS, f"FIGWAY_{name}={first['input']!r}: {first['msg']}")
    except SettingsError as error:
        return _fail(Exit.SETTINGS, str(error))
    except DatabaseUnreachable as error:
        return _fail(Exit.DATABASE, str(error))
    except NewerDatabase as error:
        return _fail(Exit.NEWER_DATABASE, str(error))
    except SQLAlchemyError as error:
        line = str(error).splitlines()[0]
        return _fail(Exit.DATABASE, f"the database failed: {line}. Check FIGWAY_DATABASE_URL")
    except KeyboardInterrupt:
        return Exit.OK


async def serve(settings: Settings) -> int:
    """Prepare and serve. Raises `SettingsError`, `DatabaseUnreachable`, `NewerDatabase`."""
    settings.check_listener()
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatedLines())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    services = make_services(settings)
    listener = listening(settings)
    try:
        first = await prepare(services)
    except BaseException:
        listener.close()
        await services.database.close()
        raise
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.admin_tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    if first is not None:
        _say(f"Admin key, shown this once (only its hash is stored): {first}")
    config = uvicorn.Config(
        create_app(services),
        log_level=settings.log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=settings.admin_tls_cert,
        ssl_keyfile=settings.admin_tls_key,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=65,
    )
    listener.listen(2_048)
    if settings.console_link:
        link = await services.sessions.link("start link", Role.ADMIN)
        address = f"{scheme}://{shown}:{port}/console/login?token={link}"
        _say(f"Console, by a link that works once within 15 minutes: {_shown(address, settings)}")
    _say(f"Admin API on {scheme}://{shown}:{port}/api/v1")
    # uvicorn raises the signal again once it has stopped; a clean stop is not a death by signal.
    signal.signal(signal.SIGTERM, lambda *_: None)
    await Server(config, services).serve(sockets=[listener])
    return Exit.OK


def listening(settings: Settings) -> socket.socket:
    """A socket that listens on `admin_listen`. Raises `SettingsError`."""
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Named, or asyncio leaves Nagle on: 40 ms for an answer on a kept-alive connection.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(1)  # now: a used port is noticed before the database is touched
        except OSError:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} on {host} is in use. Stop what uses it, or set "
                "FIGWAY_ADMIN_LISTEN to another address"
            ) from None
        raise SettingsError(
            f"cannot listen on FIGWAY_ADMIN_LISTEN={settings.admin_listen}: {error.strerror}"
        ) from None
    return listener


def _shown(link: str, settings: Settings) -> str:
    """The link itself on a terminal; elsewhere the name of a file that its owner alone reads, as
    what a service prints is kept, and read by more people than may flip."""
    if sys.stdout.isatty():
        return link
    path = settings.state_dir / CONSOLE_LINK
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # whoever holds the old file open, or made it, reads no more
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
            file.write(f"{link}\n")
    except OSError as error:
        return f"not to be had, as {path} cannot be written ({error.strerror}): log in by a key"
    return f"it is in {path}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _fail(code: Exit, line: str) -> int:
    sys.stderr.write(f"figway control: {line}\n")
    return code
