"""`figway fleet`, `traffic`, `events`, `audit`: what is going on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import at, below
from control_plane.cli.context import Shared, default_reason, shared
from control_plane.cli.output import Markup, Output, console, show
from control_plane.cli.times import ago, clock


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("fleet", rich_help_panel=panel)(fleet)
    app.command("traffic", rich_help_panel=panel)(traffic)
    app.command("events", rich_help_panel=panel)(events)
    app.command("audit", rich_help_panel=panel)(audit)


Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")]
RouteFilter = Annotated[str, typer.Option("--route", help="Of this route only.")]


def fleet(
    ctx: typer.Context,
    forget: Annotated[
        str, typer.Option(help="Forget this proxy: it is gone for good.", show_default=False)
    ] = "",
) -> None:
    """Show every proxy: its revision and lag, the kill switch, what it refused or left out."""
    context = shared(ctx)
    if forget:
        query = {"reason": default_reason()}
        context.api().call("DELETE", below("/fleet", forget), query=query)
        console.print(
            f"Proxy {escape(forget)} is forgotten. It comes back if it is heard of again."
        )
        return
    found = context.api().get("/fleet", limit=1_000)
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    console.print(escape(found["summary"]))
    if found["kill"]["summary"] != "off":
        console.print(f"[red]kill switch {escape(found['kill']['summary'])}[/red]")
    if found["kill"].get("doubt"):
        console.print(f"[yellow]{escape(found['kill']['doubt'])}[/yellow]")
    show(found["items"], context.output, _PROXY_COLUMNS, empty="No proxy has reported yet.")
    for proxy in found["items"]:
        if proxy["refused"]:
            console.print(f"[red]{escape(proxy['instance'])} refuses:[/red]")
            for finding in proxy["refused"]["findings"]:
                text = f"  {finding['code']} {finding['path']}: {finding['message']}"
                console.print(escape(text))
        _quarantine(proxy)
        _left_out(proxy)
        _budgets_spent(proxy)


def _quarantine(proxy: Mapping[str, Any]) -> None:
    for item in proxy.get("quarantine", ()):
        text = item["text"].removeprefix(f"Backend {item['id']}: ")
        what = escape(f"{item['kind']} {item['id']}: {text} ({item['code']})")
        console.print(f"[red]{escape(proxy['instance'])} cannot open[/red] {what}")
    if proxy.get("foreign"):
        name = escape(proxy["instance"])
        console.print(
            f"[red]{name} follows installation {escape(proxy['installation'])}[/red], not this one"
        )


def _left_out(proxy: Mapping[str, Any]) -> None:
    workers: dict[tuple[str, str, str], int] = {}
    for item in proxy["out"]:
        key = (item["backend"], item["member"], item["state"])
        workers[key] = workers.get(key, 0) + 1
    for (backend, member, state), count in workers.items():
        where = f"{count} of {len(proxy['workers'])} workers"
        text = escape(f"{member} of {backend}: {state} ({where})")
        console.print(f"[yellow]{escape(proxy['instance'])} leaves out[/yellow] {text}")


def _budgets_spent(proxy: Mapping[str, Any]) -> None:
    for item in proxy["budgets"]:
        if item["refused"]:
            text = (
                f" for {item['backend']}: {item['refused']} refused, {item['spent']} granted, last "
                f"{ago(item['refused_ms'])}"
            )
            lack = escape(f"{proxy['instance']} had no {item['budget']} budget left")
            console.print(f"[yellow]{lack}[/yellow]{escape(text)}")


def _worker_revisions(proxy: Mapping[str, Any]) -> str:
    return " ".join(str(worker["revision"]) for worker in proxy["workers"])


def _live(proxy: Mapping[str, Any]) -> Markup:
    if proxy["stopping"]:
        return Markup("[dim]stopping[/dim]")
    return Markup("[green]live[/green]" if proxy["live"] else "[red]silent[/red]")


def _kill(proxy: Mapping[str, Any]) -> Markup:
    return Markup("[red]all to legacy[/red]" if proxy["killed"] else "")


def _breakers(proxy: Mapping[str, Any]) -> str:
    return ", ".join(sorted({f"{b['route']} {b['state']}" for b in proxy["breakers"]}))


def _members_out(proxy: Mapping[str, Any]) -> int | str:
    return len({(item["backend"], item["member"]) for item in proxy["out"]}) or ""


_PROXY_COLUMNS = [
    ("PROXY", lambda row: row["instance"]),
    ("STATE", _live),
    ("REVISION", lambda row: row["revision"]),
    ("BEHIND", lambda row: row["behind"] or ""),
    ("WORKERS", _worker_revisions),
    ("KILL", _kill),
    ("BREAKERS", _breakers),
    ("OUT", _members_out),
    ("SEEN", lambda row: ago(row["seen_ms"])),
]


def traffic(
    ctx: typer.Context,
    route: Annotated[
        str, typer.Argument(help="A route's id; - for no route; all when left out.")
    ] = "",
    minutes: Annotated[int, typer.Option(min=1, max=1_440, help="How far back.")] = 15,
    step: Annotated[int, typer.Option(min=10, help="Seconds a line.")] = 60,
) -> None:
    """Show both sides side by side: requests, errors and latency, over time or route by route."""
    context = shared(ctx)
    if route:
        _series(context, route, minutes, step)
        return
    rows = list(context.api().pages("/traffic/summary", minutes=min(minutes, 60)))
    show(rows, context.output, [("ROUTE", lambda row: row["route"]), *_SIDES], empty=_NO_TRAFFIC)


def _series(context: Shared, route: str, minutes: int, step: int) -> None:
    until = int(time.time() * 1000)
    found = context.api().get(
        "/traffic", route=route, step=step, **{"from": until - minutes * 60_000, "to": until}
    )
    if not found["points"] and route != "-":
        context.api().get(at("routes", route))  # says so where there is no such route
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    columns = [("AT", lambda row: clock(row["at_ms"])), *_SIDES]
    show(found["points"], context.output, columns, empty=_NO_TRAFFIC)


_NO_TRAFFIC = "No requests in this time."


def _number(side: str, name: str, form: str) -> Any:
    def cell(row: Mapping[str, Any]) -> str:
        value = (row.get(side) or {}).get(name)
        return "" if value is None else form.format(value)

    return cell


_SIDES = [
    ("LEGACY/S", _number("legacy", "rps", "{:.1f}")),
    ("ERRORS", _number("legacy", "error_rate", "{:.1%}")),
    ("P50", _number("legacy", "p50_ms", "{:.1f} ms")),
    ("P95", _number("legacy", "p95_ms", "{:.1f} ms")),
    ("NEW/S", _number("new", "rps", "{:.1f}")),
    ("ERRORS", _number("new", "error_rate", "{:.1%}")),
    ("P50", _number("new", "p50_ms", "{:.1f} ms")),
    ("P95", _number("new", "p95_ms", "{:.1f} ms")),
]


def events(ctx: typer.Context, route: RouteFilter = "", limit: Limit = 50) -> None:
    """Show what happened at the proxies, newest first.

    Breakers that opened and closed, and URLs of backends that were ejected and came back.
    """
    context = shared(ctx)
    rows = context.api().get("/events", route=route, limit=limit)["items"]
    show(
        rows,
        context.output,
        [
            ("AT", lambda row: clock(row["at_ms"])),
            ("PROXY", lambda row: f"{row['instance']} worker {row['worker']}"),
            ("ROUTE", lambda row: row["route"]),
            ("BACKEND", lambda row: f"{row['backend']} {row['member']}".rstrip()),
            ("CHANGE", lambda row: f"{row['was']} -> {row['becomes']}"),
        ],
        empty="Nothing happened yet.",
    )


def audit(
    ctx: typer.Context,
    subject: Annotated[str, typer.Option(help="What it was about, such as 'route orders'.")] = "",
    actor: Annotated[str, typer.Option(help="Of this actor only.")] = "",
    limit: Limit = 50,
) -> None:
    """Show who did what, when and why, newest first."""
    context = shared(ctx)
    rows = context.api().get("/audit", subject=subject, actor=actor, limit=limit)["items"]
    show(
        rows,
        context.output,
        [
            ("AT", lambda row: clock(row["at_ms"])),
            ("WHO", lambda row: row["actor"]),
            ("DID", lambda row: f"{row['action']} {row['subject']}"),
            ("REVISION", lambda row: row["revision"]),
            ("WHY", lambda row: row["reason"]),
        ],
    )
