"""`figway up`: put Figway before an application, with one command and no other software."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from control_plane.auth.keys import generate
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console
from control_plane.cli.processes import Group, ProcessFailed, answers, python_module

LOOPBACK = "127.0.0.1"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("up", rich_help_panel=panel)(up)


def up(
    legacy: Annotated[
        str, typer.Option(help="The application as it runs today, such as http://127.0.0.1:8000.")
    ],
    listen: Annotated[str, typer.Option(help="Where the facade listens.")] = f"{LOOPBACK}:8080",
    admin: Annotated[str, typer.Option(help="Where the admin API listens.")] = f"{LOOPBACK}:8070",
    private: Annotated[
        str, typer.Option(help="Where /live, /ready, /metrics and /table are answered.")
    ] = f"{LOOPBACK}:8081",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 2,
    state: Annotated[Path, typer.Option(help="Database, last good table, logs.")] = Path(".figway"),
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Refuse to start while legacy is away.")
    ] = True,
) -> None:
    """Start a control plane and a proxy before a legacy application.

    With no routes, every request goes to legacy as it came. Then define a backend and a
    route, flip it, and watch requests move. Ctrl-C finishes the requests in flight and stops.
    """
    if check:
        check_legacy(legacy)
    for option, address in (("--listen", listen), ("--admin", admin), ("--private", private)):
        check_free(address, option)
    place = Place(state, listen, admin, private)

    async def work() -> None:
        async with Group(state / "logs") as group:
            fresh = await start_figway(group, place, legacy, workers)
            console.print(_welcome(place, legacy, fresh))
            await watch(group)

    run(work)


class Place:
    """Where one installation lives and listens. Keys are files that only their owner reads."""

    def __init__(self, state: Path, listen: str, admin: str, private: str) -> None:
        self.state = state.absolute()
        self.facade, self.admin, self.private = (
            f"http://{_reachable(address)}" for address in (listen, admin, private)
        )
        self._listen = {
            "FIGWAY_LISTEN": listen,
            "FIGWAY_PRIVATE_LISTEN": private,
            "FIGWAY_ADMIN_LISTEN": admin,
        }

    def environment(self, directory: str, **settings: str) -> dict[str, str]:
        """The environment of one part, which keeps its state under `directory`."""
        return {
            **self._listen,
            "FIGWAY_CONTROL_URL": self.admin,
            "FIGWAY_CONTROL_KEY_FILE": str(self.key_file()),
            "FIGWAY_STATE_DIR": str(self.state / directory),
            **settings,
        }

    def key_file(self) -> Path:
        """The proxy's own key, made when it is missing."""
        path = self.state / "proxy.key"
        if not path.exists():
            self.state.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{generate()}\n")
        return path


async def start_figway(group: Group, place: Place, legacy: str, workers: int) -> str:
    """Start the control plane and the proxy. Returns the admin key when this is the first start,
    and nothing later: of a key that exists already, only a hash is known."""
    fresh = "" if (place.state / "control" / "figway.sqlite3").exists() else str(generate())
    await group.start(
        "control plane",
        python_module("control_plane"),
        env=place.environment(
            "control",
            FIGWAY_LEGACY_URL=legacy,
            FIGWAY_BOOTSTRAP_PROXY_KEY_FILE=str(place.key_file()),
            FIGWAY_BOOTSTRAP_ADMIN_KEY=fresh,
        ),
        ready=answers(f"{place.admin}/ready"),
    )
    await group.start(
        "proxy",
        python_module("proxy"),
        env=place.environment("proxy", FIGWAY_LEGACY_URL=legacy, FIGWAY_WORKERS=str(workers)),
        ready=answers(f"{place.private}/ready"),
    )
    return fresh


async def watch(group: Group) -> NoReturn:
    """Wait for as long as all is well. Raises `ProcessFailed` when a process ends by itself."""
    child = await group.first_to_end()
    raise ProcessFailed(f"{child.name} ended: {child.last_words()} (log: {child.log})")


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run until Ctrl-C or SIGTERM, then let `work` clean up. A child's failure becomes one line."""

    async def main() -> None:
        task = asyncio.Task(work())

        def stop() -> None:
            console.print("\nStopping: requests in flight are finished first.")
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        with suppress(asyncio.CancelledError):
            await task

    try:
        asyncio.run(main())
    except ProcessFailed as error:
        raise CliError(str(error)) from None


def check_legacy(url: str) -> None:
    """Does anything listen at `url`? Raises `CliError` with what to do when nothing does."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CliError(
            f"--legacy {url!r} is not a URL",
            hint="Give scheme, host and port, such as --legacy http://127.0.0.1:8000",
            code=Exit.USAGE,
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=3).close()
    except OSError as error:
        raise CliError(
            f"nothing answers at {url}: {error.strerror or error}",
            hint="Start the application or correct --legacy; --no-check starts without it.",
        ) from None


def check_free(address: str, option: str) -> None:
    """Can `address` be listened on? Raises `CliError` with what to do when it cannot."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise CliError(
            f"{option} {address!r} is not host:port",
            hint=f"Give both, such as {option} {LOOPBACK}:8080",
            code=Exit.USAGE,
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise CliError(
                f"{option} {address} cannot be used: {error.strerror}",
                hint=f"Stop what listens there, or choose another address with {option}.",
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


def _reachable(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"{LOOPBACK if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104


def _welcome(place: Place, legacy: str, key: str) -> str:
    lines = [
        f"[bold]Facade[/bold]   {place.facade}   every request goes to {escape(legacy)}",
        f"[bold]Admin[/bold]    {place.admin}",
        f"[bold]Metrics[/bold]  {place.private}/metrics",
        "",
    ]
    if key:
        lines += [f"[bold]Admin key, shown once[/bold]  {key}", ""]
        lines += ["Next:", f"  export FIGWAY_ADMIN_URL={place.admin} FIGWAY_ADMIN_KEY={key}"]
    else:
        lines += ["Next, with your key in FIGWAY_ADMIN_KEY:"]
        lines += [f"  export FIGWAY_ADMIN_URL={place.admin}"]
    lines += [
        "  figway backends set orders-new --side new --url http://127.0.0.1:9000",
        "  figway routes set orders --path '/orders/{rest=**}' --new orders-new",
        "  figway flip orders new --wait",
    ]
    return "\n".join(lines)
