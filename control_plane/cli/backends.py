"""`figway backends`: what answers, on either side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from control_plane.cli.changing import (
    Consent,
    Force,
    Reason,
    Timeout,
    Wait,
    Yes,
    delete_item,
    put_item,
)
from control_plane.cli.context import shared
from control_plane.cli.output import show, show_one
from control_plane.cli.parsing import settings
from figway.model.table import HostPolicy, Side

backends = typer.Typer(no_args_is_help=True, help="Backends: what answers, on either side.")
BackendId = Annotated[str, typer.Argument(help="The backend's id.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(backends, name="backends", rich_help_panel=panel)


@backends.command("list")
def list_backends(ctx: typer.Context) -> None:
    """Show every backend."""
    context = shared(ctx)
    show(
        list(context.api().pages("/backends")),
        context.output,
        [
            ("ID", lambda row: row["item"]["id"]),
            ("SIDE", lambda row: row["item"]["side"]),
            ("KIND", lambda row: row["item"]["kind"]),
            ("ADDRESS", _address),
            ("DESCRIPTION", lambda row: row["item"]["description"]),
        ],
        empty="No backends yet: figway backends set ID --side new --url http://...",
    )


def _address(row: Mapping[str, Any]) -> str:
    item = row["item"]
    if item["kind"] == "lambda":
        via = f" via {item['endpoint_url']}" if item["endpoint_url"] else ""
        return f"{item['function']}{via}"
    return str(item["url"])


@backends.command("show")
def show_backend(ctx: typer.Context, backend: BackendId) -> None:
    """Show one backend whole."""
    context = shared(ctx)
    show_one(context.api().get(f"/backends/{backend}"), context.output)


@backends.command("set")
def set_backend(
    ctx: typer.Context,
    backend: BackendId,
    side: Annotated[Side | None, typer.Option(help="The side it stands for.")] = None,
    url: Annotated[str | None, typer.Option(help="Base URL: makes it kind http.")] = None,
    function: Annotated[
        str | None, typer.Option(help="Lambda function, ARN or name: makes it kind lambda.")
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Invoke endpoint other than AWS's own.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of the function.")] = None,
    host_policy: Annotated[HostPolicy | None, typer.Option(help="Which Host it is sent.")] = None,
    host: Annotated[str | None, typer.Option(help="That Host, for --host-policy literal.")] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any field: timeouts.head_ms=5000")
    ] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Create a backend, or change the given fields of one."""
    given = {
        "side": side.value if side else None,
        "url": url,
        "function": function,
        "endpoint_url": endpoint_url,
        "region": region,
        "host_policy": host_policy.value if host_policy else None,
        "host": host,
        "description": description,
        "kind": "lambda" if function else "http" if url else None,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    put_item(
        shared(ctx),
        "backends",
        backend,
        {**fields, **settings(setting or [])},
        {"side": "--side", "kind": "--url"},
        reason=reason,
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )


@backends.command("rm")
def remove_backend(
    ctx: typer.Context,
    backend: BackendId,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Delete a backend; refused while a route needs it."""
    delete_item(
        shared(ctx),
        "backends",
        backend,
        reason=reason,
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )
