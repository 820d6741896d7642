"""`figway revisions`, `figway undo`: what was changed, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli.changing import Reason, Timeout, Wait, change
from control_plane.cli.context import default_reason, shared
from control_plane.cli.output import show, show_one
from control_plane.cli.times import clock


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("revisions", rich_help_panel=panel)(revisions)
    app.command("undo", rich_help_panel=panel)(undo)
    app.command("restore", rich_help_panel=panel)(restore)


def revisions(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(help="Show this one whole.")] = None,
    touches: Annotated[
        str, typer.Option(help="Only those that changed it, such as 'route orders'.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")] = 20,
) -> None:
    """Show every change of the table, newest first, or one of them whole."""
    context = shared(ctx)
    if number is not None:
        show_one(context.api().get(f"/revisions/{number}"), context.output)
        return
    rows = context.api().get("/revisions", touches=touches, limit=limit)["items"]
    show(
        rows,
        context.output,
        [
            ("REVISION", lambda row: row["revision"]),
            ("AT", lambda row: clock(row["created_ms"])),
            ("WHO", lambda row: row["actor"]),
            ("WHAT", lambda row: "\n".join(row["summary"][:3])),
            ("WHY", lambda row: row["reason"]),
        ],
        empty="Nothing was changed yet.",
    )


def undo(
    ctx: typer.Context,
    number: Annotated[
        int | None, typer.Argument(help="The revision to take back; the newest when left out.")
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Even if the same was changed again since; that is lost then.")
    ] = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Take back what one revision did, as a new revision."""
    path = "/revisions/undo" if number is None else f"/revisions/{number}/undo"
    body = {"reason": reason or default_reason(), "force": force}
    change(shared(ctx), "POST", path, body, wait=wait, timeout=timeout)


def restore(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="The revision to go back to.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Go back to the whole table of a revision, taking back everything since."""
    body = {"reason": reason or default_reason()}
    change(shared(ctx), "POST", f"/revisions/{number}/restore", body, wait=wait, timeout=timeout)
