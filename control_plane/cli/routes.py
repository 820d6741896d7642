"""`figway routes`, `figway get`: which requests move, and where they stand."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.markup import escape

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
from control_plane.cli.client import Api, at
from control_plane.cli.context import shared
from control_plane.cli.output import (
    Markup,
    Output,
    console,
    grid,
    percent,
    show,
    show_one,
)
from control_plane.cli.output import stage as stage_markup
from control_plane.cli.parsing import condition, merged, operation_of, settings
from figway.model.share import on_new
from figway.model.table import Stage

routes = typer.Typer(no_args_is_help=True, help="Routes: which requests move.")
RouteId = Annotated[str, typer.Argument(help="The route's id.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    add_removal(
        routes,
        "routes",
        "Delete a route: its requests go to legacy, as what no route matches does.",
    )
    app.add_typer(routes, name="routes", rich_help_panel=panel)
    app.command("get", rich_help_panel=panel)(get)


def _stage(row: Mapping[str, Any]) -> Markup:
    return Markup(stage_markup(row["item"]["stage"]))


def _share(row: Mapping[str, Any]) -> str:
    return percent(on_new(Stage(row["item"]["stage"]), row["item"]["weight"]))


def _path(row: Mapping[str, Any]) -> str:
    match = row["item"]["match"]
    methods = ",".join(match["methods"])
    hosts = ",".join(match["hosts"])
    operation = match.get("operation") or {}
    names = ",".join(operation.get("names") or operation.get("fields") or ())
    asked = f"{operation['kind']}:{names or '*'}" if operation else ""
    return " ".join(filter(None, (methods, f"{hosts}{match['path']}", asked)))


_COLUMNS = [
    ("ROUTE", lambda row: row["item"]["id"]),
    ("MATCH", _path),
    ("STAGE", _stage),
    ("NEW", _share),
    ("BACKEND", lambda row: row["item"]["new"]),
]
_EMPTY = "No routes yet: everything goes to legacy. figway routes set ID --path /... --new BACKEND"


@routes.command("list")
def list_routes(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="Part of id, path or description.")] = "",
    stage: Annotated[Stage | None, typer.Option(help="In this stage only.")] = None,
    capability: Annotated[str, typer.Option(help="Of this capability only.")] = "",
) -> None:
    """Show routes with their stage and share."""
    context = shared(ctx)
    found = context.api().pages(
        "/routes", q=query, stage=stage.value if stage else None, capability=capability
    )
    columns = [*_COLUMNS, ("CAPABILITY", lambda row: row["item"]["capability"])]
    show(list(found), context.output, columns, empty=_EMPTY)


@routes.command("show")
def show_route(ctx: typer.Context, route: RouteId) -> None:
    """Show one route whole."""
    context = shared(ctx)
    show_one(context.api().get(at("routes", route)), context.output)


@routes.command("set")
def set_route(
    ctx: typer.Context,
    route: RouteId,
    path: Annotated[
        str | None, typer.Option(help="Path template: /orders/{id}, /files/{rest=**}.")
    ] = None,
    host: Annotated[list[str] | None, typer.Option(help="Host, exact or *.example.com.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Method, such as GET.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="name=value, name^=prefix, name$=suffix, name*=part, name, !name"),
    ] = None,
    query: Annotated[list[str] | None, typer.Option(help="The same for a query parameter.")] = None,
    operation: Annotated[
        str | None,
        typer.Option(
            help="graphql:GetCart,GetUser, soap:{urn:shop}GetOrder, jsonrpc:order.get or "
            "form:action=search,list; '' for none. Types: --set 'match.operation.types=[\"query\"]'"
        ),
    ] = None,
    cookie: Annotated[list[str] | None, typer.Option(help="The same for a cookie.")] = None,
    new: Annotated[str | None, typer.Option(help="Backend of side new.")] = None,
    legacy: Annotated[
        str | None, typer.Option(help="Backend of side legacy; the default one when left out.")
    ] = None,
    capability: Annotated[str | None, typer.Option(help="The journey it moves with.")] = None,
    reads: Annotated[
        list[str] | None,
        typer.Option(help="Method that only reads, such as POST for a search; '' for none."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any field: fallback.deadline_ms=5000")
    ] = None,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Create a route, or change the given fields of one. A new one stands in stage legacy."""
    match = {
        "path": path,
        "hosts": host,
        "methods": [name.upper() for name in method] if method else None,
        "headers": [condition(text) for text in header] if header else None,
        "query": [condition(text) for text in query] if query else None,
        "cookies": [condition(text) for text in cookie] if cookie else None,
    }
    given: dict[str, Any] = {
        "match": {name: value for name, value in match.items() if value is not None} or None,
        "new": new,
        "legacy": legacy,
        "capability": capability,
        "reads": None if reads is None else [name.upper() for name in reads if name],
        "description": description,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    if operation is not None:
        chosen = fields.setdefault("match", {})
        chosen["operation"] = operation_of(operation) if operation else None
    put_item(
        shared(ctx),
        "routes",
        route,
        merged(fields, settings(setting or [])),
        {"match": "--path"},
        reason=reason,
        wait=wait,
        timeout=timeout,
        consent=Consent(yes, force, reason),
    )


def get(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="Part of id, path or description.")] = "",
    stage: Annotated[Stage | None, typer.Option(help="In this stage only.")] = None,
    capability: Annotated[str, typer.Option(help="Of this capability only.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing, live.")] = False,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="Of traffic to look at.")] = 1,
) -> None:
    """Show every route with stage, share, and both sides' traffic side by side."""
    context = shared(ctx)
    api = context.api()
    wanted = {"q": query, "stage": stage.value if stage else "", "capability": capability}
    filters = {name: value for name, value in wanted.items() if value}
    if context.output is Output.TABLE:
        _warnings(api)
    if not watch or context.output is not Output.TABLE:
        empty = "No route is like that; `figway get` shows all." if filters else _EMPTY
        rows = _with_traffic(api, minutes, filters)
        show(rows, context.output, _TRAFFIC_COLUMNS, empty=empty)
        return
    with suppress(KeyboardInterrupt):  # the way to end it
        _watch(api, minutes, filters)


def _warnings(api: Api) -> None:
    """What makes the table's stages untrue at present: the kill switch, open breakers."""
    fleet = api.get("/fleet", limit=1_000)
    if fleet["kill"]["summary"] != "off":
        console.print(f"[red]kill switch {escape(fleet['kill']['summary'])}[/red]")
    breakers = {
        f"{item['route']} ({item['state'].replace('_', '-')})"
        for proxy in fleet["items"]
        if proxy["live"]
        for item in proxy["breakers"]
    }
    if breakers:
        names = escape(", ".join(sorted(breakers)[:20]))
        console.print(f"[red]breakers not closed[/red], legacy serves in their place: {names}")


def _watch(api: Api, minutes: int, filters: Mapping[str, str]) -> None:
    """Show the routes again and again; one below the other where nothing can be redrawn."""
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            found = grid(_with_traffic(api, minutes, filters), _TRAFFIC_COLUMNS)
            if console.is_terminal:
                live.update(found, refresh=True)
            else:
                console.print(found)
                sys.stdout.flush()
            time.sleep(1.0)


def _with_traffic(api: Api, minutes: int, filters: Mapping[str, str]) -> list[dict[str, Any]]:
    pages = api.pages("/traffic/summary", minutes=minutes, limit=10_000)
    traffic = {row["route"]: row for row in pages}
    rows = [
        {**row, "traffic": traffic.get(row["item"]["id"])}
        for row in api.pages("/routes", limit=1_000, **filters)
    ]
    if "-" in traffic and not filters:
        item = {"id": "-", "stage": "legacy", "weight": 0, "new": "", "match": _ANYTHING}
        rows.append({"item": item, "traffic": traffic["-"]})
    return rows


_ANYTHING = {"path": "what no route matches", "methods": [], "hosts": []}


def _side(side: str, name: str, form: str) -> Any:
    def cell(row: Mapping[str, Any]) -> str:
        value = ((row["traffic"] or {}).get(side) or {}).get(name)
        return "" if value is None else form.format(value)

    return cell


_TRAFFIC_COLUMNS = [
    *_COLUMNS,
    ("LEGACY/S", _side("legacy", "rps", "{:.1f}")),
    ("ERRORS", _side("legacy", "error_rate", "{:.1%}")),
    ("P95", _side("legacy", "p95_ms", "{:.0f} ms")),
    ("NEW/S", _side("new", "rps", "{:.1f}")),
    ("ERRORS", _side("new", "error_rate", "{:.1%}")),
    ("P95", _side("new", "p95_ms", "{:.0f} ms")),
]
