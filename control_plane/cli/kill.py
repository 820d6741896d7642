"""`figway kill`: everything back to legacy, with or without a control plane."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console

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
            console.print(f"[yellow]{error.message}[/yellow]")
            console.print("Switching the proxy on this host by its file instead.")
    files = _kill_files(state)
    if not files:
        raise CliError(
            "no state folder of a proxy was found on this host",
            hint="Name it: figway kill on --local --state DIR, or `touch DIR/kill` there. "
            "DIR is the proxy's FIGWAY_STATE_DIR.",
        )
    for file in files:
        file.touch(mode=0o600)
        console.print(f"[bold]{file}[/bold] is set: this proxy sends everything to legacy.")
    console.print("[dim]Undo: figway kill off --local[/dim]")


@kill.command("off")
def off(ctx: typer.Context, local: Local = False, state: State = None, reason: Reason = "") -> None:
    """Let the routes decide again, for the fleet or with --local for the proxy on this host."""
    left = [file for file in _kill_files(state) if file.exists()]
    if not local:
        _switch(ctx, False, reason)
        for file in left:
            console.print(f"[yellow]{file} is still set;[/yellow] figway kill off --local")
        return
    for file in left:
        file.unlink(missing_ok=True)
        console.print(f"{file} is removed: the routes decide again.")
    if not left:
        console.print("No kill file is set on this host.")


@kill.command("status")
def status(ctx: typer.Context, state: State = None) -> None:
    """Say where the switch is on: in the table, at a proxy, by a file on this host."""
    for file in _kill_files(state):
        if file.exists():
            console.print(f"[red]on[/red] by the file {file}")
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
    """The kill files of proxies on this host: one for each state folder that is there."""
    if state is not None:
        return [state / "kill"]
    base = os.environ.get("XDG_STATE_HOME", "")
    home = (Path(base) if base else Path.home() / ".local" / "state") / "figway"
    folders = [Path(".figway/proxy"), Path(".demo/proxy"), home]
    return [folder / "kill" for folder in folders if folder.is_dir()]
