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
    add_removal,
    put_item,
)
from control_plane.cli.client import at
from control_plane.cli.context import shared
from control_plane.cli.output import show, show_one
from control_plane.cli.parsing import settings
from figway.model.backend import HostPolicy, WorkflowMode
from figway.model.words import Side

backends = typer.Typer(no_args_is_help=True, help="Backends: what answers, on either side.")
BackendId = Annotated[str, typer.Argument(help="The backend's id.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    add_removal(backends, "backends", "Delete a backend; refused while a route needs it.")
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
    named = str(item["url"] or item["function"] or item["aws"]["resource"])
    if item["stream"]["name"]:
        return f"{named} stream {item['stream']['name']}"
    if item["endpoint_url"]:
        return f"{named} via {item['endpoint_url']}"
    if item["sign"]["service"]:
        return f"{named} signed for {item['sign']['service']}"
    return named


@backends.command("show")
def show_backend(ctx: typer.Context, backend: BackendId) -> None:
    """Show one backend whole."""
    context = shared(ctx)
    show_one(context.api().get(at("backends", backend)), context.output)


_SET_HELP = """Create a backend, or change the given fields of one.

What answers may be a URL, a function, or a service of AWS that requests are handed to; the kind
follows from the option that names it.

\b
figway backends set shop --side legacy --url http://10.0.0.5:8080
figway backends set orders --side new --function orders:live --region eu-west-1
figway backends set files --side new --url https://NAME.s3.eu-west-1.amazonaws.com --sign s3
figway backends set exports --side new --queue QUEUE_URL --location '/api/exports/{id}'
figway backends set jobs --side new --queue redis://HOST:6379/0 --stream jobs
figway backends set booked --side new --events BUS_OR_TOPIC_ARN
figway backends set bookings --side new --workflow STATE_MACHINE_ARN --mode sync

A queue, a bus and a topic answer 202 at once, as does a workflow in mode start: such a backend
stands for new only, and has no shadow. Calls of AWS are signed with the proxy's own role; the
password of a Redis is named by --set stream.password=env:FIGWAY_SECRET_REDIS. More in the manual:
Send a route to a queue, a bus, a workflow or a bucket.
"""


@backends.command("set", help=_SET_HELP)
def set_backend(
    ctx: typer.Context,
    backend: BackendId,
    side: Annotated[Side | None, typer.Option(help="The side it stands for.")] = None,
    url: Annotated[str | None, typer.Option(help="Base URL: makes it kind http.")] = None,
    function: Annotated[
        str | None, typer.Option(help="Lambda function, ARN or name: makes it kind lambda.")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(help="SQS queue, URL or ARN, or redis:// URL: makes it kind queue."),
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Key of the stream in the Redis that --queue names.")
    ] = None,
    events: Annotated[
        str | None,
        typer.Option(help="EventBridge bus, or ARN of an SNS topic: makes it kind events."),
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(help="State machine's ARN: makes it kind workflow.")
    ] = None,
    mode: Annotated[
        WorkflowMode | None, typer.Option(help="workflow: wait for the result, or start only.")
    ] = None,
    location: Annotated[
        str | None, typer.Option(help="Location of a 202: /api/exports/{id}.")
    ] = None,
    retry_after: Annotated[
        int | None, typer.Option(help="Retry-After of a 202, in seconds.")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help="FIFO: header:NAME, path:NAME or query:NAME; else the sticky key."),
    ] = None,
    sign: Annotated[
        str | None, typer.Option(help="http: AWS service to sign for: s3, execute-api, es, aoss.")
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Endpoint of AWS's API other than its own.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="AWS region of the function, resource or signature.")
    ] = None,
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
    named = {
        "http": url,
        "lambda": function,
        "queue": queue,
        "events": events,
        "workflow": workflow,
    }
    kinds = [kind for kind, value in named.items() if value]
    if len(kinds) > 1:
        raise typer.BadParameter("name one of --url, --function, --queue, --events, --workflow")
    redis = queue if queue and queue.startswith(("redis:", "rediss:")) else None
    aws = {
        "resource": (None if redis else queue) or events or workflow,
        "mode": mode.value if mode else None,
        "location": location,
        "retry_after_s": retry_after,
        "group_by": group_by,
    }
    given = {
        "side": side.value if side else None,
        "url": url or redis,
        "function": function,
        "endpoint_url": endpoint_url,
        "region": region,
        "host_policy": host_policy.value if host_policy else None,
        "host": host,
        "description": description,
        "kind": kinds[0] if kinds else None,
        "aws": _given(aws) or None,
        "sign": {"service": sign} if sign is not None else None,
        "stream": {"name": stream} if stream is not None else None,
    }
    put_item(
        shared(ctx),
        "backends",
        backend,
        _merged(_given(given), settings(setting or [])),
        {"side": "--side", "kind": "--url"},
        reason=reason,
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )


def _merged(fields: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` with `more` put in, one level down as well (`--location`, `--set aws.source`)."""
    for name, value in more.items():
        known = fields.get(name)
        both = isinstance(known, dict) and isinstance(value, dict)
        fields[name] = {**known, **value} if both and known else value
    return fields


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
