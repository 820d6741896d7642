"""`figway revisions`, `figway undo`: what was changed, and back."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.changing import Consent, Force, Reason, Timeout, Wait, Yes, change
from control_plane.cli.client import at
from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output, console, show, show_one
from control_plane.cli.times import clock


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("revisions", rich_help_panel=panel)(revisions)
    app.command("undo", rich_help_panel=panel)(undo)
    app.command("redo", rich_help_panel=panel)(redo)
    app.command("restore", rich_help_panel=panel)(restore)


def revisions(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(min=1, help="Show this one whole.")] = None,
    touches: Annotated[
        str, typer.Option(help="Only those that changed it, such as 'route orders'.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")] = 20,
) -> None:
    """Show every change of the table, newest first, or one of them whole."""
    context = shared(ctx)
    if number is not None:
        show_one(context.api().get(at("revisions", number)), context.output)
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


ForceStep = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Even if the same was changed again since; that is lost then. With --reason also "
        "against what the evidence or a proxy says.",
    ),
]


def undo(
    ctx: typer.Context,
    number: Annotated[
        int | None,
        typer.Argument(
            min=1, help="The revision to take back; the newest that stands when left out."
        ),
    ] = None,
    force: ForceStep = False,
    yes: Yes = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Take back what one revision did, as a new revision; says first which.

    Again and again it goes back step by step, and passes over undos. `figway redo` is the way
    forward again. The kill switch is no revision: `figway kill off`.
    """
    consent = Consent(yes, force and bool(reason), reason)
    _step(ctx, "undo", number, force, consent, wait, timeout)


def redo(
    ctx: typer.Context,
    force: ForceStep = False,
    yes: Yes = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Take back the newest undo, for as long as nothing else was changed since."""
    consent = Consent(yes, force and bool(reason), reason)
    _step(ctx, "redo", None, force, consent, wait, timeout)


def _step(
    ctx: typer.Context,
    way: str,
    number: int | None,
    force: bool,
    consent: Consent,
    wait: bool,
    timeout: float,
) -> None:
    context = shared(ctx)
    body: dict[str, Any] = {"reason": consent.reason or default_reason(), "force": force}
    path = at("revisions", way) if number is None else at("revisions", number, way)
    if number is None:
        step = context.api().get("/revisions/next")[way]
        if step is None:
            raise CliError(
                "there is nothing to undo" if way == "undo" else "there is nothing to redo",
                hint="`figway revisions` shows what was changed.",
                code=Exit.NOT_FOUND,
            )
        body["expected"] = step["revision"]
        if context.output is Output.TABLE:
            verb = "Takes back" if way == "undo" else "Does again, by taking back"
            what = "; ".join(step["summary"][:3])
            console.print(f"{verb} revision {step['revision']}: {escape(what)}")
    change(context, "POST", path, body, wait=wait, timeout=timeout, consent=consent)


def restore(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(min=1, help="The revision to go back to.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Go back to the whole table of a revision, taking back everything since."""
    body = {"reason": reason or default_reason()}
    consent = Consent(yes, force, reason)
    path = at("revisions", number, "restore")
    change(shared(ctx), "POST", path, body, wait=wait, timeout=timeout, consent=consent)
