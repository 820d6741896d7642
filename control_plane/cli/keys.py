"""`figway keys`: API keys, over the API or straight on the database of this host."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from control_plane.auth.keys import generate, parse
from control_plane.auth.roles import Role
from control_plane.cli.client import at
from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError
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
    database: Annotated[
        str,
        typer.Option(
            help="Straight in this database, without a control plane or a key: for the day that "
            "the last admin key is lost. sqlite:///path or postgresql://...",
            show_default=False,
        ),
    ] = "",
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "",
) -> None:
    """Make a key. It is shown once and stored nowhere."""
    context = shared(ctx)
    why = reason or default_reason()
    if database:
        made = _offline(database, name, role, days, why)
    else:
        body = {"name": name, "role": role.value, "expires_in_days": days, "reason": why}
        made, _ = context.api().call("POST", "/keys", body)
    if context.output is not Output.TABLE:
        show(made, context.output)
        return
    console.print(made["key"])
    console.print(f"[dim]Shown once. Revoke it: figway keys revoke {made['prefix']}[/dim]")


def _offline(url: str, name: str, role: Role, days: int | None, reason: str) -> dict[str, str]:
    """Make a key in the database itself. Raises `CliError`."""
    # Here, as SQLAlchemy would make every other command start a second later.
    from control_plane.auth import offline
    from control_plane.db.engine import database_url
    from control_plane.db.migrate import DatabaseUnreachable, NewerDatabase
    from control_plane.settings import Settings, SettingsError

    settings = Settings(database_url=url)
    try:
        file = database_url(settings).database if url.startswith("sqlite") else None
        if file is not None and not Path(file).is_file():
            raise CliError(
                f"there is no database file {file}",
                hint="That of figway up is sqlite:////full/path/.figway/control/figway.sqlite3",
            )
        key = asyncio.run(offline.create(settings, name=name, role=role, days=days, reason=reason))
    except (SettingsError, DatabaseUnreachable, NewerDatabase) as error:
        raise CliError(str(error)) from None
    made = parse(key)
    assert made is not None
    return {"key": key, "prefix": made.prefix, "name": name, "role": role.value}


@keys.command("revoke")
def revoke_key(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Argument(help="The key's prefix: fgw_PREFIX_...")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "",
) -> None:
    """Revoke a key; it stops working at once, and the console sessions begun with it end."""
    query = {"reason": reason or default_reason()}
    shared(ctx).api().call("DELETE", at("keys", prefix), query=query)
    console.print(f"Key {prefix} is revoked.")
    console.print("[dim]That is for good; figway keys create makes another.[/dim]")


@keys.command("sessions")
def list_sessions(ctx: typer.Context) -> None:
    """Show the console sessions that last: whose, with which key, from where."""
    context = shared(ctx)
    show(
        list(context.api().pages("/sessions")),
        context.output,
        [
            ("ID", lambda row: row["id"]),
            ("NAME", lambda row: row["name"]),
            ("KEY", lambda row: row["prefix"] or "one-time link"),
            ("ROLE", lambda row: row["role"]),
            ("FROM", lambda row: row["address"]),
            ("BEGUN", lambda row: ago(row["created_ms"])),
        ],
        empty="Nobody is logged in.",
    )


@keys.command("end-session")
def end_session(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(help="The session's id: figway keys sessions")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)] = "",
) -> None:
    """End a console session at once; its key stays valid."""
    query = {"reason": reason or default_reason()}
    shared(ctx).api().call("DELETE", at("sessions", session), query=query)
    console.print(f"Session {session} has ended.")


@keys.command("generate")
def generate_key() -> None:
    """Print a fresh key without telling anybody, for FIGWAY_BOOTSTRAP_ADMIN_KEY and the like."""
    typer.echo(str(generate()))
