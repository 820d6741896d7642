"""`figway capabilities`: what moves as one journey."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli.changing import (
    Consent,
    Force,
    Reason,
    Timeout,
    Wait,
    Yes,
    add_removal,
    change,
    put_item,
)
from control_plane.cli.client import at
from control_plane.cli.context import default_reason, shared
from control_plane.cli.output import show, show_one
from control_plane.cli.parsing import basis_points, settings
from figway.model.table import Stage

capabilities = typer.Typer(
    no_args_is_help=True, help="Capabilities: routes that move as one journey."
)
CapabilityId = Annotated[str, typer.Argument(help="The capability's id.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    add_removal(
        capabilities, "capabilities", "Delete a capability; refused while a route belongs to it."
    )
    app.add_typer(capabilities, name="capabilities", rich_help_panel=panel)


@capabilities.command("list")
def list_capabilities(ctx: typer.Context) -> None:
    """Show every capability."""
    context = shared(ctx)
    show(
        list(context.api().pages("/capabilities")),
        context.output,
        [
            ("ID", lambda row: row["item"]["id"]),
            ("SALT", lambda row: row["item"]["salt"] or row["item"]["id"]),
            (
                "KEY",
                lambda row: ", ".join(
                    f"{link['source']} {link['name']}".strip() for link in row["item"]["sticky"]
                ),
            ),
            ("DESCRIPTION", lambda row: row["item"]["description"]),
        ],
        empty="No capabilities yet; a route without one is one of its own.",
    )


@capabilities.command("show")
def show_capability(ctx: typer.Context, capability: CapabilityId) -> None:
    """Show one capability whole."""
    context = shared(ctx)
    show_one(context.api().get(at("capabilities", capability)), context.output)


@capabilities.command("set")
def set_capability(
    ctx: typer.Context,
    capability: CapabilityId,
    salt: Annotated[str | None, typer.Option(help="Separates its buckets from others'.")] = None,
    sticky: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the key comes from: cookie:sid, header:X-User, jwt_claim:sub, "
            "client_address; several make a chain."
        ),
    ] = None,
    issue_cookie: Annotated[
        bool | None, typer.Option(help="Issue a cookie to clients without a key.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Any field.")] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Create a capability, or change the given fields of one."""
    chain = None
    if sticky:
        links = [text.partition(":") for text in sticky]
        chain = [{"source": source, "name": name} for source, _, name in links]
    given = {
        "salt": salt, "sticky": chain, "issue_cookie": issue_cookie, "description": description,
    }  # fmt: skip
    fields = {name: value for name, value in given.items() if value is not None}
    put_item(
        shared(ctx),
        "capabilities",
        capability,
        {**fields, **settings(setting or [])},
        {},
        reason=reason,
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )


@capabilities.command("flip")
def flip_capability(
    ctx: typer.Context,
    capability: CapabilityId,
    stage: Annotated[Stage | None, typer.Argument(help="The stage to go to.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="Share of the keys for new, with stage canary: 25%.")
    ] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Flip every route of a capability at once: all of them, or none."""
    body = {
        "stage": stage.value if stage else None,
        "weight": None if weight is None else basis_points(weight),
        "reason": reason or default_reason(),
    }
    change(
        shared(ctx),
        "POST",
        at("capabilities", capability, "flip"),
        {name: value for name, value in body.items() if value is not None},
        etag="*",
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )
