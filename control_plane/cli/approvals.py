"""`figway approvals` and `figway freeze`: what changes need besides being right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import Api, at
from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.files import read_yaml
from control_plane.cli.output import console, show, show_one
from control_plane.cli.times import ago

approvals = typer.Typer(no_args_is_help=True, help="Changes that other people have to approve.")
freeze = typer.Typer(no_args_is_help=True, help="Times in which nothing moves towards new.")
_FORM = "Rules are YAML or JSON with `approvals` and `freezes`: docs/concepts/rollouts.md has some."
Hash = Annotated[str, typer.Argument(help="The change's hash, or the beginning of it.")]
Why = Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(approvals, name="approvals", rich_help_panel=panel)
    app.add_typer(freeze, name="freeze", rich_help_panel=panel)


@approvals.command("list")
def list_approvals(ctx: typer.Context) -> None:
    """Show the changes that wait for other people, then those that waited."""
    context = shared(ctx)
    rows = context.api().get("/approvals", limit=50)["items"]
    show(
        rows,
        context.output,
        [
            ("CHANGE", lambda row: row["hash"][:12]),
            ("STATE", lambda row: row["status"]),
            ("APPROVED", lambda row: f"{len(row['approved_by'])} of {row['needs']}"),
            ("ASKED BY", lambda row: row["actor"]),
            ("WHEN", lambda row: ago(row["at_ms"])),
            ("WHAT", lambda row: "; ".join(row["summary"][:3])),
        ],
        empty="no change waits",
    )


@approvals.command("approve")
def approve(ctx: typer.Context, change: Hash, reason: Why = "") -> None:
    """Approve exactly this change. Not by whoever asks for it."""
    _tell(ctx, change, "approve", reason)


@approvals.command("reject")
def reject(ctx: typer.Context, change: Hash, reason: Why = "") -> None:
    """Reject a change; its approvals are gone."""
    _tell(ctx, change, "reject", reason)


@approvals.command("make")
def make(ctx: typer.Context, change: Hash, reason: Why = "") -> None:
    """Make a change that has its approvals."""
    body = {"reason": reason or default_reason()}
    made, _ = shared(ctx).api().call("POST", at("approvals", change, "make"), body)
    console.print(f"Made, as revision {made['revision']}.")


@approvals.command("rules")
def rules(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Put these rules in force.", show_default=False)
    ] = None,
    reason: Why = "",
) -> None:
    """Show the rules in force, or put those of a file in their place."""
    context = shared(ctx)
    api = context.api()
    if file is None:
        show_one(api.get("/change-rules"), context.output)
        return
    _put(api, _plain(read_yaml(file, _FORM)), reason)
    console.print("The rules are in force.")


@freeze.command("on")
def freeze_on(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, for taking it off again.")],
    hours: Annotated[
        float | None, typer.Option(min=0.01, help="For so long.", show_default=False)
    ] = None,
    reason: Why = "",
) -> None:
    """Freeze now: nothing moves towards new until it is taken off. Moving back still works."""
    api = shared(ctx).api()
    found = api.get("/change-rules")
    if any(entry["id"] == name for entry in found["freezes"]):
        raise CliError(f"freeze {name!r} is there already", code=Exit.CONFLICT)
    now = datetime.now(UTC)
    made = {"id": name, "from": now.isoformat(), "reason": reason}
    if hours is not None:
        made["to"] = (now + timedelta(hours=hours)).isoformat()
    _put(api, {**found, "freezes": [*found["freezes"], made]}, reason)
    console.print(f"Frozen. Take it off: figway freeze off {escape(name)}")


@freeze.command("off")
def freeze_off(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The freeze's name.")],
    reason: Why = "",
) -> None:
    """Take a freeze off."""
    api = shared(ctx).api()
    found = api.get("/change-rules")
    left = [entry for entry in found["freezes"] if entry["id"] != name]
    if len(left) == len(found["freezes"]):
        raise CliError(f"there is no freeze {name!r}", code=Exit.NOT_FOUND)
    _put(api, {**found, "freezes": left}, reason)
    console.print(f"Freeze {escape(name)} is off.")


def _tell(ctx: typer.Context, change: str, word: str, reason: str) -> None:
    body = {"reason": reason or default_reason()}
    found, _ = shared(ctx).api().call("POST", at("approvals", change, word), body)
    given = f"{len(found['approved_by'])} of {found['needs']} approvals"
    console.print(f"Change {found['hash'][:12]} is {found['status']}: {given}.")


def _put(api: Api, rules: Any, reason: str) -> None:
    api.call("PUT", "/change-rules", rules, query={"reason": reason or default_reason()})


def _plain(data: Any) -> Any:
    """YAML's own moments as the text that JSON has."""
    if isinstance(data, dict):
        return {str(name): _plain(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return data.isoformat() if isinstance(data, datetime) else data
