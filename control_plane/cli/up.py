"""`figway up`: put Figway before an application, with one command and no other software."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from control_plane.auth.keys import generate
from control_plane.cli.addresses import (
    LOOPBACK,
    check_answers,
    check_free,
    check_url_of_legacy,
)
from control_plane.cli.client import Api
from control_plane.cli.context import command_line, exported
from control_plane.cli.dry_look import dry_look
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console
from control_plane.cli.processes import DRAIN_S, Child, Group, ProcessFailed, answers, python_module
from control_plane.state_dir import CONSOLE_LINK

CONTROL_PLANE = "control plane"


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
    legacy_timeout: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds that legacy may be silent where no route matches; 0 for ever."
        ),
    ] = 0.0,
    state: Annotated[Path, typer.Option(help="Database, last good table, logs.")] = Path(".figway"),
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="--check asks legacy for a few answers, says what the facade would make of them, "
            "and starts nothing; --no-check starts although legacy is away.",
        ),
    ] = None,
) -> None:
    """Start a control plane and a proxy before a legacy application.

    With no routes, every request goes to legacy as it came. Then define a backend and a route,
    flip it, and watch requests move. Ctrl-C finishes the requests in flight and stops.

    What it knows is kept in the state folder, a SQLite file among it: start it again with the same
    --state and --legacy, and it goes on where it was.
    """
    check_url_of_legacy(legacy)
    if check is not False:
        check_answers(legacy)
    if check:
        dry_look(legacy)
        return
    check_free({"--listen": listen, "--admin": admin, "--private": private})
    place = Place(state, listen, admin, private)

    async def work() -> None:
        async with Group(state / "logs", progress, tell_of_proxies) as group:
            knobs = {"FIGWAY_UNROUTED_TIMEOUT_S": str(legacy_timeout)} if legacy_timeout else {}
            fresh = await start_figway(group, place, legacy, workers, **knobs)
            console.print(_welcome(place, legacy, fresh))
            console.print(console_link(place))
            await watch(group, place)

    with alone(state):
        run(work)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the state folder, so that two do not write in it at once. Raises `CliError`."""
    try:
        private(state)
        lock = (state / "lock").open("a")
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        why = "it is a file" if is_file else error.strerror
        raise CliError(
            f"the state folder {state} cannot be used: {why}",
            hint="Choose another with --state FOLDER.",
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(
                f"another figway runs in {state}",
                hint="Stop that one, or choose another folder with --state FOLDER.",
            ) from None
        yield


def private(state: Path) -> None:
    """Make the state folder, and what lies below it, their owner's alone: stored answers of users,
    keys, logs with the link of the console. Later files come private by the umask."""
    os.umask(0o077)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in (state, *state.rglob("*")):
        if not path.is_symlink() and path.stat().st_uid == os.getuid():
            path.chmod(0o700 if path.is_dir() else path.stat().st_mode & 0o700)


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
            "FIGWAY_CONTROL_KEY": "",
            "FIGWAY_CONTROL_KEY_FILE": str(self.key_file()),
            # Its own database: DATABASE_URL, where it is set, is likely to be the application's.
            "FIGWAY_DATABASE_URL": f"sqlite:///{self.database}",
            "FIGWAY_STATE_DIR": str(self.state / directory),
            "FIGWAY_DRAIN_TIMEOUT_S": str(DRAIN_S),
            **settings,
        }

    @property
    def database(self) -> Path:
        """The control plane's SQLite file."""
        return self.state / "control" / "figway.sqlite3"

    def key_file(self) -> Path:
        """The proxy's own key, made when it is missing."""
        path = self.state / "proxy.key"
        if not path.exists():
            self.state.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{generate()}\n")
        return path


async def start_figway(group: Group, place: Place, legacy: str, workers: int, **knobs: str) -> str:
    """Start the control plane and the proxy, whose further settings are `knobs`.

    Returns the admin key when this is the first start,
    and nothing later: of a key that exists already, only a hash is known."""
    fresh = "" if place.database.exists() else str(generate())
    try:
        await group.start(
            CONTROL_PLANE,
            python_module("control_plane"),
            env=place.environment(
                "control",
                FIGWAY_LEGACY_URL=legacy,
                FIGWAY_BOOTSTRAP_PROXY_KEY_FILE=str(place.key_file()),
                FIGWAY_BOOTSTRAP_ADMIN_KEY=fresh,
            ),
            ready=answers(f"{place.admin}/ready"),
        )
        await asyncio.to_thread(_check_stored_legacy, place, legacy)
        await group.start(
            "proxy",
            python_module("proxy"),
            env=place.environment(
                "proxy", FIGWAY_LEGACY_URL=legacy, FIGWAY_WORKERS=str(workers), **knobs
            ),
            ready=answers(f"{place.private}/ready"),
        )
    except BaseException as error:
        if fresh and place.database.exists():  # it may count already, and nothing else shows it
            console.print(f"[bold]Admin key, shown once[/bold]  {fresh}")
        if isinstance(error, ProcessFailed):
            raise CliError(
                str(error),
                hint=f"Logs: {place.state / 'logs'}. Where what is kept in {place.state} cannot be "
                "read, put it right, or start afresh in another folder: --state FOLDER",
            ) from None
        raise
    return fresh


def _check_stored_legacy(place: Place, legacy: str) -> None:
    """Refuse a --legacy that the stored table would not obey. Raises `CliError`."""
    api = Api(place.admin, place.key_file().read_text(encoding="utf-8").strip())
    table = api.get("/table")["table"]
    name = table.get("default_backend", "")
    stored = next((item.get("url", "") for item in table["backends"] if item["id"] == name), "")
    if stored and stored.rstrip("/") != legacy.rstrip("/"):
        move = command_line("backends", "set", name, "--url", legacy)
        raise CliError(
            f"the table kept in {place.state} has legacy at {stored}, not at {legacy}",
            hint=f"Start with --legacy {stored}, then move it: {move}. Or start afresh in "
            "another folder: --state FOLDER",
            code=Exit.CONFLICT,
        )


def progress(line: str) -> None:
    """A step of what takes seconds."""
    console.print(f"[dim]{escape(line)}[/dim]")


def console_link(place: Place) -> str:
    """The one-time link of the control plane, as a line of the welcome; on a terminal alone."""
    path = place.state / "control" / CONSOLE_LINK
    try:
        link = path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    if not console.is_terminal:
        return f"\n[bold]Console[/bold]  a link to log in once is in {escape(str(path))}"
    return f"\n[bold]Console, log in once by this link[/bold]  {escape(link)}"


AGAIN_S = (0.2, 1.0, 3.0, 10.0)
"""How long each further start of a dead control plane waits; the last holds for all that follow."""


LOOK_S = 10.0
SILENT = 6
"""Looks in a row without an answer after which a control plane counts as hung. Looks are counted,
not seconds: who stood still itself, with the whole machine, has looked at nothing."""


def tell_of_proxies(line: str) -> None:
    """Say what the proxy's log says of a TLS proxy that it was not told to trust."""
    if '"proxy_not_trusted"' not in line:
        return
    with suppress(ValueError, KeyError, TypeError):
        console.print(escape(json.loads(line)["message"]), soft_wrap=True)


async def watch(group: Group, place: Place) -> NoReturn:
    """Wait for as long as all is well. The facade serves on without its control plane, which is
    started again. Raises `ProcessFailed` when another process ends by itself."""
    keeping = asyncio.Task(_keep_control_plane(group, place))
    try:
        child = await group.first_to_end(besides=CONTROL_PLANE)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    raise ProcessFailed(f"{child.name} ended: {child.last_words()} (log: {child.log})")


async def _keep_control_plane(group: Group, place: Place) -> NoReturn:
    child = group.child(CONTROL_PLANE)
    deaths = 0
    while True:
        await _ended(child, f"{place.admin}/live")
        console.print(
            f"The control plane ended: {escape(child.last_words().rstrip('.'))}. "
            "The facade serves on; the control plane is started again "
            f"(log: {escape(str(child.log))})."
        )
        await asyncio.sleep(AGAIN_S[min(deaths, len(AGAIN_S) - 1)])
        deaths += 1
        with suppress(ProcessFailed):
            await group.again(child, answers(f"{place.admin}/ready"))
            console.print("The control plane is back.")
            deaths = 0


async def _ended(child: Child, live: str) -> None:
    """Wait until it ended; one that hangs is ended."""
    assert child.process is not None
    answered, silent = answers(live), 0
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(child.process.wait(), LOOK_S)
            return
        silent = 0 if await answered(child) else silent + 1
        if silent >= SILENT:
            console.print("The control plane hangs: it is ended.")
            with suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run until Ctrl-C, SIGTERM or the terminal's end, then let `work` clean up.

    To stop when asked is success. Raises `CliError` for a child that ended by itself.
    """

    async def main() -> None:
        task = asyncio.Task(work())
        stopping = False

        def stop() -> None:
            nonlocal stopping
            if stopping:  # a second cancellation would leave the children behind
                console.print(f"Still stopping; this takes {DRAIN_S} s at most.")
                return
            stopping = True
            console.print("\nStopping: requests in flight are finished first.")
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        with suppress(asyncio.CancelledError):
            await task

    try:
        asyncio.run(main())
    except ProcessFailed as error:
        raise CliError(str(error)) from None


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
        lines += ["Next:", f"  {escape(exported(place.admin, key))}"]
    else:
        database = escape(f"sqlite:///{place.database}")
        lines += ["Next, with the key that the first start showed. Should it be lost:"]
        lines += [f"  figway keys create ME --role admin --database {database}", ""]
        lines += [f"  {escape(exported(place.admin, '...'))}"]
    lines += [
        "  figway backends set orders-new --side new --url http://127.0.0.1:9000",
        "  figway routes set orders --path '/orders/{rest=**}' --new orders-new",
        "  figway shadow orders --sample 10% --wait",
        "  figway compare top orders",
    ]
    return "\n".join(lines)
