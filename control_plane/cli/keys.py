"""`figway keys`: API keys, over the API or straight on the database of this host."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.auth.keys import Role, generate
from control_plane.cli.context import default_reason, shared
from control_plane.cli.output import Output, console, show
from control_plane.cli.times import ago

keys = typer.Typer(no_args_is_help=True, help="API keys: who may do what.")


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(keys, name="keys", rich_help_panel=panel)


@keys.command("list")
def list_keys(ctx: typer.Context) -> None:
    """Show every key: name, role, when it was last used. Secrets are stored nowhere."""
    context = shared(ctx)
    rows = list(context.api().pages("/keys"))
    show(
        rows,
        context.output,
        [
            ("PREFIX", lambda row: row["prefix"]),
            ("NAME", lambda row: row["name"]),
            ("ROLE", lambda row: row["role"]),
            ("CREATED", lambda row: ago(row["created_ms"])),
            ("LAST USED", lambda row: ago(row["last_used_ms"])),
            ("STATE", lambda row: "revoked" if row["revoked_ms"] else "valid"),
        ],
    )


@keys.command("create")
def create_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is: a person, a pipeline, a proxy.")],
    role: Annotated[Role, typer.Option(help="viewer, operator, admin; proxy for machines.")],
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it expires.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "",
) -> None:
    """Make a key. It is shown once and stored nowhere."""
    context = shared(ctx)
    body = {
        "name": name,
        "role": role.value,
        "expires_in_days": days,
        "reason": reason or default_reason(),
    }
    made, _ = context.api().call("POST", "/keys", body)
    if context.output is not Output.TABLE:
        show(made, context.output)
        return
    console.print(made["key"])
    console.print(f"[dim]Shown once. Revoke it: figway keys revoke {made['prefix']}[/dim]")


@keys.command("revoke")
def revoke_key(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Argument(help="The key's prefix: fgw_PREFIX_...")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "",
) -> None:
    """Revoke a key; it stops working at once."""
    query = {"reason": reason or default_reason()}
    shared(ctx).api().call("DELETE", f"/keys/{prefix}", query=query)
    console.print(f"Key {prefix} is revoked.")


@keys.command("generate")
def generate_key() -> None:
    """Print a fresh key without telling anybody, for FIGWAY_BOOTSTRAP_ADMIN_KEY and the like."""
    typer.echo(str(generate()))
