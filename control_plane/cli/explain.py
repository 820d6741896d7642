"""`figway explain`: which way a request would go, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import Api, at
from control_plane.cli.context import shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output, console, percent, show, stage
from control_plane.cli.parsing import basis_points, media_type_of


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("explain", rich_help_panel=panel)(explain)


def explain(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="URL or path, as a client would ask for it.")],
    method: Annotated[
        str, typer.Option("--method", "-X", help="Method; GET, or POST with --data.")
    ] = "",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="'Name: value', as curl takes it.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            help="The body, where its operation decides: text, @FILE, or @- for stdin.",
        ),
    ] = None,
    client: Annotated[str, typer.Option(help="The client's address.")] = "192.0.2.1",
    revision: Annotated[
        int | None, typer.Option(help="Against an old revision.", show_default=False)
    ] = None,
    if_weight: Annotated[
        str | None, typer.Option(help="What if the route's weight were this: 25%.")
    ] = None,
) -> None:
    """Say which route, sticky key, bucket, side, backend and policies a request meets, and why.

    Nothing is sent anywhere; the answer comes from the code that serves requests.
    """
    context = shared(ctx)
    api = context.api()
    body: dict[str, Any] = {
        "method": method or ("GET" if data is None else "POST"),
        "url": url,
        "headers": [_header(text) for text in header or []],
        "client": client,
        "at": "live" if revision is None else revision,
    }
    if data is not None:
        _add_body(body, _read(data))
    found, _ = api.call("POST", "/explain", body, again=True)
    if if_weight is not None:
        route = found["explanation"]["route_id"]
        if route == "-":
            raise CliError("no route matches, so there is no weight to change", code=Exit.NOT_FOUND)
        item = api.get(at("routes", route))
        draft = {**item, "stage": "canary", "weight": basis_points(if_weight)}
        body["changes"] = [{"kind": "route", "id": route, "value": draft}]
        found, _ = api.call("POST", "/explain", body, again=True)
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    _print(found["explanation"], draft=found["draft"])
    _now(api, found["explanation"]["route_id"])


def _read(data: str) -> str:
    """A body as given: text, or what a file or the standard input holds."""
    if not data.startswith("@"):
        return data
    try:
        raw = sys.stdin.buffer.read() if data == "@-" else Path(data[1:]).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CliError(f"{data[1:]} cannot be read: {reason}", code=Exit.USAGE) from None
    return raw.decode("utf-8", "replace")


def _add_body(request: dict[str, Any], text: str) -> None:
    """Give a request its body, and a Content-Type by its looks where none was given."""
    request["body"] = text
    if not any(name.lower() == "content-type" for name, _ in request["headers"]):
        request["headers"].append(["Content-Type", media_type_of(text)])


def _now(api: Api, route: str) -> None:
    """What proxies do otherwise than the table says at present."""
    fleet = api.get("/fleet", limit=1_000)
    if fleet["kill"]["summary"] != "off":
        console.print(f"[red]       now[/red]  kill switch {escape(fleet['kill']['summary'])}")
    states = sorted(
        f"{item['state'].replace('_', '-')} at {proxy['instance']}"
        for proxy in fleet["items"]
        if proxy["live"]
        for item in proxy["breakers"]
        if item["route"] == route
    )
    if states:
        text = escape(f"breaker {', '.join(dict.fromkeys(states))}: legacy serves there")
        console.print(f"[red]       now[/red]  {text}")


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CliError(f"{text!r} is not a header", hint="Write -H 'Name: value'.", code=Exit.USAGE)
    return [name.strip(), value.strip()]


_UNREAD = {
    "no_body": "none was given; write --data @FILE",
    "too_long": "it does not stand within 64 KiB",
    "compressed": "the body is compressed",
    "media_type": "the Content-Type or charset is another",
    "malformed": "the body is not well-formed",
    "ambiguous": "two readers could read two operations",
    "absent": "the body names none",
    "unknown_hash": "only its hash was sent, and no route lists it",
    "mixed": "a batch of operations of different routes",
}
_OUTCOMES = {
    "passes": "passes",
    "refuses": "[bold red]refused with {status}[/bold red]",
    "depends": "{status} if it does not hold",
    "changes": "changes",
    "not_reached": "not reached",
}


def _policy(step: dict[str, Any]) -> str:
    name = step["policy"].replace("_", " ")
    outcome = _OUTCOMES[step["outcome"]].format(status=step["status"])
    return f"{name}: {outcome} ({escape(step['text'])})"


def _print(found: dict[str, Any], *, draft: bool) -> None:
    against = f"revision {found['revision']}{' with a draft on top' if draft else ''}"
    side = f"[bold]{found['side']}[/bold] ({escape(found['why'])}), backend {found['backend_id']}"
    rows = [("served by", side), ("against", against)]
    if found["matched"] == "route":
        rows.append(("route", f"{escape(found['route_id'])}, stage {stage(found['stage'])}"))
    else:
        rows.append(("route", f"none: {found['matched'].replace('_', ' ')}"))
    if found["variables"]:
        rows.append(
            ("path", ", ".join(f"{k} = {escape(v)}" for k, v in found["variables"].items()))
        )
    if found["bucket"] >= 0:
        share = percent(found["weight"])
        key = escape(found["key"]) or f"issued as cookie {found['issues']}"
        rows.append(("key", f"{key} (from {found['key_source']})"))
        rows.append(("bucket", f"{found['bucket']} of 10 000; new serves below {share}"))
    if found["operation"]:
        rows.append(("operation", escape(found["operation"])))
    if found["unread"]:
        rows.append(
            ("operation", f"decides nothing: {_UNREAD.get(found['unread'], found['unread'])}")
        )
    rows += [("policy", _policy(step)) for step in found["policies"]]
    if found["becomes"]:
        rows.append(("becomes", escape(found["becomes"])))
    rows.append(("shadow", "yes" if found["shadow"] else f"no: {escape(found['shadow_why'])}"))
    for rule in found["fallback"]:
        verdict = "legacy serves" if rule["allowed"] else f"no fallback: {escape(rule['why'])}"
        rows.append(("fallback", f"{rule['when'].replace('_', ' ')}: {verdict}"))
    for loser in found["losers"]:
        rows.append(("not", f"{escape(loser['route_id'])}: {escape(loser['why'])}"))
    for name, value in rows:
        console.print(f"[dim]{name:>10}[/dim]  {value}")
