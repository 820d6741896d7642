"""`figway installation`: which installation this is, and whose proxies may follow it."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli.context import default_reason, shared
from control_plane.cli.output import Output, console, show_one

installation = typer.Typer(
    no_args_is_help=True, help="The installation: a database and the proxies that follow it."
)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(installation, name="installation", rich_help_panel=panel)


@installation.command("show")
def show_installation(ctx: typer.Context) -> None:
    """Show the id of this installation, and whose proxies may follow it."""
    context = shared(ctx)
    show_one(context.api().get("/installation"), context.output)


@installation.command("adopt")
def adopt(
    ctx: typer.Context,
    other: Annotated[str, typer.Argument(help="Id of the other one; `figway fleet` names it.")],
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why, for the audit log.", show_default=False)
    ] = "",
) -> None:
    """Let the proxies of another installation follow this one.

    Proxies that hold a table do not follow a database that is not the one it came from: an empty or
    a strange one would otherwise take every route away. This tells them that it is meant.
    """
    context = shared(ctx)
    body = {"installation": other, "reason": reason or default_reason()}
    made, _ = context.api().call("POST", "/installation/adopt", body)
    if context.output is not Output.TABLE:
        show_one(made, context.output)
        return
    console.print(f"Proxies of installation {other} may follow {made['id']} now.")
