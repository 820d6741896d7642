"""Addresses that `figway up` and `figway demo` are given or choose, looked at before a start."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from control_plane.cli.errors import CliError, Exit
from figway.validate.findings import Findings
from figway.validate.url import check_url

LOOPBACK = "127.0.0.1"
_PORTS = {"--listen": 8080, "--admin": 8070, "--private": 8081}


def check_url_of_legacy(url: str) -> None:
    """Could a table have legacy at `url`? Raises `CliError` with what to write instead."""
    findings = Findings()
    check_url(url, "--legacy", True, findings)
    if not findings.found:
        return
    first = findings.found[0]
    shown = "" if first.code == "url_userinfo" else f" {url!r}"
    why = " is not a URL" if first.code == "url_invalid" else ""
    hint = f"Give scheme, host and port, such as --legacy http://{LOOPBACK}:8000"
    if not why:
        hint = f"{first.resolution[:1].upper()}{first.resolution[1:]}"
    message = first.message.removeprefix("not a URL: ")
    raise CliError(f"--legacy{shown}{why}: {message}", hint=hint, code=Exit.USAGE)


def check_answers(url: str) -> None:
    """Does anything listen at `url`? Raises `CliError` with what to do when nothing does."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=3).close()
    except OSError as error:
        raise CliError(
            f"nothing answers at {url}: {error.strerror or error}",
            hint="Start the application or correct --legacy; --no-check starts without it.",
        ) from None


def check_free(addresses: Mapping[str, str]) -> None:
    """Can each of these, by option, be listened on, beside the others? Raises `CliError` with what
    to do where it cannot."""
    taken: dict[int, tuple[str, str]] = {}
    for option, address in addresses.items():
        host, port = _parsed(address, option)
        other, other_host = taken.setdefault(port, (option, host))
        if other != option and (host == other_host or _every(host) or _every(other_host)):
            raise CliError(
                f"{other} {addresses[other]} and {option} {address} are the same port",
                hint=f"Give {option} a port of its own.",
                code=Exit.USAGE,
            )
        _bind(host, port, option, address)


def _every(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")  # noqa: S104


def _parsed(address: str, option: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    known = port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= 65_535
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not known or (":" in host and not address.startswith("[")):
        raise CliError(
            f"{option} {address!r} is not host:port",
            hint=f"Give both, such as {option} {LOOPBACK}:{_PORTS.get(option, 8080)}",
            code=Exit.USAGE,
        )
    return host, int(port)


_WHAT_HELPS = {
    errno.EADDRINUSE: "Stop what listens there, or choose another address with {}.",
    errno.EACCES: "Choose a port above 1023 with {}; lower ones belong to the system.",
}


def _bind(host: str, port: int, option: str, address: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            number = getattr(error, "errno", None)
            hint = _WHAT_HELPS.get(number or 0, "Choose an address of this machine with {}.")
            raise CliError(
                f"{option} {address} cannot be used: {getattr(error, 'strerror', None) or error}",
                hint=hint.format(option),
            ) from None


def free_port(preferred: int) -> int:
    """`preferred` where it is free, else a port that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            chosen: int = probe.getsockname()[1]
            return chosen
    raise CliError("there is no free port on this machine")
