"""`figway kill`: everything back to legacy, with or without a control plane."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import Api
from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console
from control_plane.cli.times import ago
from control_plane.plain_text import neutral
from control_plane.state_dir import default_state_dir

kill = typer.Typer(
    no_args_is_help=True,
    help="The kill switch: all traffic to legacy. [b]figway kill on[/b] works with the control "
    "plane down.",
)

HURRY_S = 0.25
"""How long a press waits for one control plane before the next one is asked."""
PROMPT_S = 3.0
"""How long one control plane may take to say that it took a press."""
_MOST_REASON = 500
_LOCK = "proxy.lock"
"""What a running proxy holds in its state folder (`proxy.processes.state_lock`)."""
State = Annotated[
    Path | None,
    typer.Option(
        help="State folder of the proxy on this host; found by itself for `figway up`.",
        envvar="FIGWAY_STATE_DIR",
        show_default=False,
    ),
]
Local = Annotated[bool, typer.Option("--local", help="Only the proxy on this host, by its file.")]
Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why, for the audit log.", show_default=False)
]


_CUT_OFF = {
    True: "A proxy that is cut off: `figway kill on --local` on its host.",
    False: "A proxy that is cut off sends everything to legacy until it hears of it. `figway "
    "fleet` shows it.",
}


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(kill, name="kill", rich_help_panel=panel)


@kill.command("on")
def on(ctx: typer.Context, local: Local = False, state: State = None, reason: Reason = "") -> None:
    """Send everything to legacy: the whole fleet, or with --local the proxy on this host.

    When the control plane does not answer, the proxy on this host is switched by its file,
    which takes effect within a second and needs nothing else to work. The command then ends with 8,
    as nobody knows what other proxies do.
    """
    reason = _kept(reason)
    reached = True
    if not local:
        try:
            _switch(ctx, True, reason)
            return
        except CliError as error:
            if error.code not in (Exit.UNREACHABLE, Exit.FAILED):
                raise
            if not _kill_files(state):
                raise
            console.print(f"[yellow]{escape(error.message)}[/yellow]")
            console.print("Switching the proxy on this host by its file instead.")
            reached = False
    _by_file(state, reason)
    if not reached:
        raise CliError(
            "only the proxy on this host was switched; nobody knows what the others do",
            hint="Repeat it on their hosts, or as soon as the control plane answers.",
            code=Exit.NOT_APPLIED,
        )


def _kept(reason: str) -> str:
    """The reason of a press as it can be kept: nothing that is typed there keeps it from being
    pressed."""
    kept = neutral(reason)[:_MOST_REASON]
    if kept != reason:
        console.print(
            "[yellow]The reason is kept in another form, as it was too long or held a "
            "character that acts.[/yellow]"
        )
    return kept


def _by_file(state: Path | None, reason: str) -> None:
    """Switch the proxies on this host. Raises `CliError` when there is none."""
    files = _kill_files(state)
    if not files:
        raise CliError(
            "no state folder of a proxy was found on this host",
            hint="Name it: figway kill on --local --state DIR, or `touch DIR/kill` there. "
            "DIR is the proxy's FIGWAY_STATE_DIR.",
        )
    idle = []
    for file in files:
        _pull(file, reason or default_reason())
        said = "within a second, this proxy sends everything to legacy."
        if not _runs(file.parent):
            idle.append(str(file.parent))
            said = "no proxy that runs is known to use this folder."
        console.print(f"[bold]{escape(str(file))}[/bold] is set: {said}")
    console.print("[dim]Undo: figway kill off --local[/dim]")
    if idle:
        raise CliError(
            f"no running proxy holds {', '.join(idle)}: one that is started with it sends "
            "everything to legacy, and no other does",
            hint="Is it the FIGWAY_STATE_DIR of the proxy that runs? Name that one with --state.",
            code=Exit.NOT_APPLIED,
        )


def _runs(folder: Path) -> bool:
    """Does a running proxy hold the lock of its state folder?"""
    try:
        with open(folder / _LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no such file, or a file system without locks
    return False


@kill.command("off")
def off(ctx: typer.Context, local: Local = False, state: State = None, reason: Reason = "") -> None:
    """Turn the kill switch off, for the fleet or with --local for the proxy on this host.

    Each route goes back to the stage that the table holds.
    """
    left = [file for file in _kill_files(state) if file.exists()]
    if not local:
        _switch(ctx, False, reason)
        for file in left:
            name = escape(str(file))
            console.print(f"[yellow]{name} is still set;[/yellow] figway kill off --local")
        return
    for file in left:
        file.unlink(missing_ok=True)
        console.print(
            f"{escape(str(file))} is removed: it follows the fleet's switch, and its routes."
        )
    if not left:
        console.print("No kill file is set on this host.")


@kill.command("status")
def status(ctx: typer.Context, state: State = None) -> None:
    """Say where the switch is on: for the fleet, at proxies, by a file on this host."""
    for file in _kill_files(state):
        if file.exists():
            console.print(f"[red]on[/red] by the file {escape(str(file))}")
    api = shared(ctx).api()
    found = api.get("/kill")
    if found["on"]:
        by = escape(f"{found['actor']}, {ago(found['changed_ms'])}: {found['reason']}")
        console.print(f"[red]on[/red] for the fleet, by {by}")
    elif found["doubt"]:
        console.print("off for the fleet, as far as this control plane knows")
    else:
        console.print("off for the fleet")
    _doubt(found)
    console.print(f"proxies: {escape(api.get('/fleet', limit=1)['kill']['summary'])}")


def _doubt(found: Mapping[str, Any]) -> None:
    """What the control plane does not know."""
    if found["doubt"]:
        console.print(f"[yellow]{escape(found['doubt'])}[/yellow]")


def _switch(ctx: typer.Context, on: bool, reason: str) -> None:
    """Press it, and say what proxies do. Raises `CliError` 8 where not all of them do."""
    body: dict[str, Any] = {"on": on, "reason": reason or default_reason()}
    api = shared(ctx).api(timeout=PROMPT_S)
    if not on:
        # A release that hangs somewhere, and is done late, must not undo a press made meanwhile.
        body["expected"] = api.get("/kill")["number"]
    else:
        # One that stands still would press it when it goes on, whatever was pressed since.
        api.wake(HURRY_S)
    most, patience = (PROMPT_S, HURRY_S) if on else (10.0, None)
    made, _ = api.call("POST", "/kill", body, again=True, timeout=most, patience=patience)
    spread = _spread(api)
    if not made["changed"]:
        console.print(f"The kill switch was {'on' if on else 'off'} already.")
    console.print(f"Kill switch {'on' if on else 'off'}: {escape(spread['summary'])}.")
    if not made["stored"]:
        console.print(
            "[yellow]The database has not taken it: the switch is in force from the control "
            "plane's memory, and stored as soon as it can be.[/yellow]"
        )
    else:
        _doubt(made)
    console.print(f"[dim]Undo: figway kill {'off' if on else 'on'}[/dim]")
    if not spread["applied"]:
        raise CliError(
            f"the kill switch is {'on' if on else 'off'}, and not every proxy is known to follow: "
            f"{spread['summary']}",
            hint=f"{_CUT_OFF[on]} One that is gone for good: figway fleet --forget NAME.",
            code=Exit.NOT_APPLIED,
        )


def _spread(api: Api) -> Mapping[str, Any]:
    """What proxies do about a press, when all do or five seconds have passed, as the control plane
    says that took it."""
    try:
        found: Mapping[str, Any] = api.here().call(
            "GET", "/kill/propagation", query={"timeout": 5}, timeout=10.0
        )[0]
    except CliError as error:
        text = f"the control plane took it, and what proxies do is not known ({error.message})"
        return {"applied": False, "summary": text}
    return found


def _kill_files(state: Path | None) -> list[Path]:
    """The kill files of proxies on this host: one for each state folder that is there.

    `state` may be the proxy's own folder, or the one that `figway up --state` was given.
    """
    if state is not None:
        if not state.is_dir():
            raise CliError(
                f"there is no state folder {state}",
                hint="Name the proxy's FIGWAY_STATE_DIR, or what figway up --state was given.",
                code=Exit.USAGE,
            )
        return [(state / "proxy" if (state / "proxy").is_dir() else state) / "kill"]
    ours = [folder for folder in (Path(".figway/proxy"), Path(".demo/proxy")) if folder.is_dir()]
    home = default_state_dir()  # a control plane may live there alone: the table tells
    found = [*ours, home] if (home / "table.json").exists() else ours
    return [folder / "kill" for folder in found]


def _pull(file: Path, reason: str) -> None:
    """Create the file, with the reason for whoever finds it. Raises `CliError`."""
    try:
        file.touch(mode=0o600)  # this alone switches; the reason is for people
        file.write_text(f"{reason}\n", encoding="utf-8")
    except OSError as error:
        if not file.exists():
            raise CliError(
                f"{file} cannot be made: {error.strerror}",
                hint="Try it as the user that the proxy runs as, or: sudo touch it.",
            ) from None
