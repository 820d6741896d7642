"""`figway webhooks`: who is told of what happens."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import at
from control_plane.cli.context import default_reason, shared
from control_plane.cli.output import Output, console, show
from control_plane.cli.times import ago

webhooks = typer.Typer(no_args_is_help=True, help="Events for others: signed webhooks.")
Webhook = Annotated[str, typer.Argument(help="The endpoint's id.")]
Why = Annotated[str, typer.Option(help="Why, for the audit log.", show_default=False)]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(webhooks, name="webhooks", rich_help_panel=panel)


@webhooks.command("list")
def list_webhooks(ctx: typer.Context) -> None:
    """Show the endpoints, without their secrets."""
    context = shared(ctx)
    rows = list(context.api().pages("/webhooks"))
    show(
        rows,
        context.output,
        [
            ("WEBHOOK", lambda row: row["id"]),
            ("URL", lambda row: row["url"]),
            ("FORM", lambda row: row["form"]),
            ("TYPES", lambda row: ", ".join(row["types"]) or "none"),
            ("STATE", lambda row: "on" if row["enabled"] else f"off: {row['disabled_why']}"),
        ],
        empty="no webhooks; figway webhooks add URL",
    )


@webhooks.command("add")
def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="http or https.")],
    name: Annotated[str, typer.Option("--id", help="Its id.", show_default=False)] = "",
    form: Annotated[str, typer.Option(help="standard, cloudevents or slack.")] = "standard",
    types: Annotated[
        str,
        typer.Option(help="Types of events by comma, each exact or ending in *; `none` for none."),
    ] = "figway.*",
    reason: Why = "",
) -> None:
    """Add an endpoint. Its signing secret is shown once."""
    context = shared(ctx)
    wanted = [] if types == "none" else [part.strip() for part in types.split(",")]
    body = {"id": name or _name(url), "url": url, "form": form, "types": wanted}
    made, _ = context.api().call(
        "POST", "/webhooks", body, query={"reason": reason or default_reason()}
    )
    _show_secret(made, context.output)


@webhooks.command("change")
def change(
    ctx: typer.Context,
    webhook: Webhook,
    types: Annotated[str | None, typer.Option(help="As for add.", show_default=False)] = None,
    on: Annotated[
        bool | None, typer.Option("--on/--off", help="Send, or do not.", show_default=False)
    ] = None,
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Make a new secret; for a day the old one signs as well."),
    ] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Sign with the present secret alone from now on.")
    ] = False,
    reason: Why = "",
) -> None:
    """Change what an endpoint is told, switch it on or off, or give it a new secret."""
    context = shared(ctx)
    body: dict[str, Any] = {"enabled": on, "rotate_secret": rotate, "drop_old_secret": drop_old}
    if types is not None:
        body["types"] = [] if types == "none" else [part.strip() for part in types.split(",")]
    made, _ = context.api().call(
        "PATCH", at("webhooks", webhook), body, query={"reason": reason or default_reason()}
    )
    _show_secret(made, context.output)


@webhooks.command("remove")
def remove(ctx: typer.Context, webhook: Webhook, reason: Why = "") -> None:
    """Forget an endpoint and its deliveries."""
    query = {"reason": reason or default_reason()}
    shared(ctx).api().call("DELETE", at("webhooks", webhook), query=query)
    console.print(f"Webhook {escape(webhook)} is gone.")


@webhooks.command("test")
def test(ctx: typer.Context, webhook: Webhook) -> None:
    """Send an endpoint an event that means nothing."""
    shared(ctx).api().call("POST", at("webhooks", webhook, "test"))
    console.print(f"Sent. What came of it: figway webhooks deliveries {escape(webhook)}")


@webhooks.command("deliveries")
def deliveries(
    ctx: typer.Context,
    webhook: Annotated[str, typer.Argument(help="Only this endpoint's.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")] = 30,
) -> None:
    """Show what was sent where, how often, and what came back; newest first."""
    context = shared(ctx)
    rows = context.api().get("/deliveries", webhook=webhook or None, limit=limit)["items"]
    show(
        rows,
        context.output,
        [
            ("NUMBER", lambda row: row["number"]),
            ("WHEN", lambda row: ago(row["at_ms"])),
            ("WEBHOOK", lambda row: row["endpoint"]),
            ("EVENT", lambda row: row["type"]),
            ("STATE", lambda row: row["status"]),
            ("ATTEMPTS", lambda row: row["attempts"]),
            ("ANSWER", lambda row: row["last_error"] or row["last_status"]),
        ],
        empty="nothing was sent yet",
    )


@webhooks.command("resend")
def resend(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(min=1, help="The delivery's number.")],
) -> None:
    """Send a delivery once more, with the id that it had."""
    shared(ctx).api().call("POST", at("deliveries", number, "send"))
    console.print(f"Delivery {number} is sent again.")


def _name(url: str) -> str:
    """An id made of the URL's host."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in host.lower())[:64] or "webhook"


def _show_secret(made: dict[str, Any], output: Output) -> None:
    if output is not Output.TABLE:
        show(made, output)
        return
    console.print(f"Webhook {escape(made['id'])} is {'on' if made['enabled'] else 'off'}.")
    if "secret" in made:
        console.print(made["secret"])
        console.print("[dim]The signing secret (Standard Webhooks); shown once.[/dim]")
