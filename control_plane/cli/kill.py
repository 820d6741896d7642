"""`figway kill`: everything back to legacy, with or without a control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console
from control_plane.state_dir import default_state_dir

kill = typer.Typer(
    no_args_is_help=True,
    help="The kill switch: all traffic to legacy. [b]figway kill on[/b] works with the control "
    "plane down.",
)

State = Annotated[
    Path | None,
    typer.Option(
        help="State folder of the proxy on this host; found by itself for `figway up`.",
        envvar="FIGWAY_STATE_DIR",
        show_default=False,
    ),
]
Local = Annotated[bool, typer.Option("--local", help="Only the proxy on this host, by its file.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(kill, name="kill", rich_help_panel=panel)


@kill.command("on")
def on(ctx: typer.Context, local: Local = False, state: State = None, reason: Reason = "") -> None:
    """Send everything to legacy: the whole fleet, or with --local the proxy on this host.

    When the control plane does not answer, the proxy on this host is switched by its file,
    which takes effect within a second and needs nothing else to work.
    """
    if not local:
        try:
            _switch(ctx, True, reason)
            return
        except CliError as error:
            if error.code not in (Exit.UNREACHABLE, Exit.FAILED, Exit.FORBIDDEN):
                raise
            files = _kill_files(state)
            if not files:
                raise
            console.print(f"[yellow]{escape(error.message)}[/yellow]")
            console.print("Switching the proxy on this host by its file instead.")
    files = _kill_files(state)
    if not files:
        raise CliError(
            "no state folder of a proxy was found on this host",
            hint="Name it: figway kill on --local --state DIR, or `touch DIR/kill` there. "
            "DIR is the proxy's FIGWAY_STATE_DIR.",
        )
    for file in files:
        _pull(file, reason or default_reason())
        console.print(
            f"[bold]{escape(str(file))}[/bold] is set: within a second, this proxy sends "
            "everything to legacy."
        )
    console.print("[dim]Undo: figway kill off --local[/dim]")


@kill.command("off")
def off(ctx: typer.Context, local: Local = False, state: State = None, reason: Reason = "") -> None:
    """Let the routes decide again, for the fleet or with --local for the proxy on this host."""
    left = [file for file in _kill_files(state) if file.exists()]
    if not local:
        _switch(ctx, False, reason)
        for file in left:
            name = escape(str(file))
            console.print(f"[yellow]{name} is still set;[/yellow] figway kill off --local")
        return
    for file in left:
        file.unlink(missing_ok=True)
        console.print(f"{escape(str(file))} is removed: the routes decide again.")
    if not left:
        console.print("No kill file is set on this host.")


@kill.command("status")
def status(ctx: typer.Context, state: State = None) -> None:
    """Say where the switch is on: in the table, at a proxy, by a file on this host."""
    for file in _kill_files(state):
        if file.exists():
            console.print(f"[red]on[/red] by the file {escape(str(file))}")
    found = shared(ctx).api().get("/kill")
    console.print("[red]on[/red] for the fleet" if found["on"] else "off for the fleet")


def _switch(ctx: typer.Context, on: bool, reason: str) -> None:
    body = {"on": on, "reason": reason or default_reason()}
    api = shared(ctx).api(timeout=5.0)
    made, _ = api.call("POST", "/kill", body, query={"wait": "applied", "timeout": 5})
    target = "Everything goes to legacy" if on else "The routes decide again"
    propagation = made.get("propagation") or {}
    console.print(f"{target}: {propagation.get('summary') or 'revision ' + str(made['revision'])}.")
    console.print(f"[dim]Undo: figway kill {'off' if on else 'on'}[/dim]")


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
