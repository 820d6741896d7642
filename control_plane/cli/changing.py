"""Making a change: send it, say what differs, wait for the proxies, print the way back."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.markup import escape

from control_plane.cli.client import Api
from control_plane.cli.context import Shared, command_line, default_reason
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Markup, Output, console, grid, show

Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why, for the audit log.", show_default=False)
]
Wait = Annotated[
    bool, typer.Option("--wait", "-w", help="Wait until every proxy serves it, and show progress.")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait at most.")]

_POLL = 0.1


def change(
    context: Shared,
    method: str,
    path: str,
    body: Any = None,
    *,
    reason: str = "",
    query: dict[str, Any] | None = None,
    etag: str | None = None,
    wait: bool = False,
    timeout: float = 30.0,
) -> None:
    """Send a change and report on it. `etag` becomes If-Match. Raises `CliError`."""
    api = context.api()
    headers = {"if-match": etag} if etag else None
    made, _ = api.call(
        method,
        path,
        body,
        query={**(query or {}), "reason": reason or default_reason()},
        headers=headers,
    )
    report(context, api, made, wait=wait, timeout=timeout)


def report(context: Shared, api: Api, made: dict[str, Any], *, wait: bool, timeout: float) -> None:
    """Say what came of a change, and wait for the proxies if asked to."""
    begun = time.monotonic()
    if context.output is Output.TABLE:
        _say(made)
    applied = True
    if wait and made["changed"]:
        applied = _follow(context, api, made["revision"], begun, timeout)
    if context.output is not Output.TABLE:
        show({**made, "applied": applied if wait else None}, context.output)
    if not applied:
        raise CliError(
            f"revision {made['revision']} is saved, but not served everywhere after {timeout:g} s",
            hint="See who lags and why: figway fleet",
            code=Exit.NOT_APPLIED,
        )


def _say(made: dict[str, Any]) -> None:
    if not made["changed"]:
        console.print(f"Nothing to change; revision {made['revision']} holds it already.")
        return
    console.print(f"[bold]Revision {made['revision']}[/bold]")
    for entry in made["changes"][:20]:
        console.print(f"  {escape(entry['text'])}")
    more = made["more_changes"] + max(0, len(made["changes"]) - 20)
    if more:
        console.print(f"  and {more} more: figway diff {made['revision'] - 1} {made['revision']}")
    show_warnings(made["warnings"])
    if made["undo"]:
        console.print(f"[dim]Undo: {escape(made['undo']['cli'])}[/dim]")


def show_warnings(warnings: list[dict[str, Any]]) -> None:
    """Findings that keep nobody from anything."""
    for warning in warnings:
        where = f"{warning['code']} {warning['path']}"
        console.print(f"  [yellow]{escape(where)}[/yellow]: {escape(warning['message'])}")


def _follow(context: Shared, api: Api, revision: int, begun: float, timeout: float) -> bool:
    """Show each proxy's progress until all live ones serve `revision`."""
    quiet = context.output is not Output.TABLE
    with Live(console=console, transient=False, auto_refresh=False) as live:
        while True:
            fleet = api.get("/fleet", limit=1_000)
            proxies = [proxy for proxy in fleet["items"] if proxy["live"]]
            done = all(proxy["revision"] >= revision for proxy in proxies)
            late = time.monotonic() - begun > timeout
            if not quiet and console.is_terminal:
                live.update(grid(proxies, _progress_columns(revision)), refresh=True)
            if done or late:
                break
            time.sleep(_POLL)
    if not quiet:
        served = sum(proxy["revision"] >= revision for proxy in proxies)
        took = int((time.monotonic() - begun) * 1000)
        noun = "proxy" if len(proxies) == 1 else "proxies"
        console.print(f"{served} of {len(proxies)} {noun} on revision {revision} after {took} ms")
    return done


def _progress_columns(revision: int) -> list[tuple[str, Any]]:
    def state(proxy: dict[str, Any]) -> Markup:
        if proxy["revision"] >= revision:
            return Markup("[green]serves it[/green]")
        refused = proxy["refused"]
        if refused and refused["revision"] >= revision:
            return Markup("[red]refuses it[/red]")
        return Markup("[yellow]waiting[/yellow]")

    return [
        ("PROXY", lambda proxy: proxy["instance"]),
        ("REVISION", lambda proxy: proxy["revision"]),
        ("STATE", state),
    ]


def put_item(
    context: Shared,
    kind: str,
    item_id: str,
    fields: dict[str, Any],
    required: dict[str, str],
    *,
    reason: str,
    wait: bool,
    timeout: float,
) -> None:
    """Create an item of `kind` (`backends`, ...), or change the given fields of an existing one.

    `required` names the options that a new item cannot do without, by field.
    """
    api = context.api()
    path = f"/{kind}/{item_id}"
    try:
        _, headers = api.call("GET", path)
    except CliError as error:
        if error.code is not Exit.NOT_FOUND:
            raise
        missing = [option for field, option in required.items() if field not in fields]
        if missing:
            noun = kind.removesuffix("s")
            raise CliError(
                f"there is no {noun} {item_id!r} yet; a new one needs {' and '.join(missing)}",
                hint=command_line(kind, "set", item_id, *missing, "..."),
                code=Exit.USAGE,
            ) from None
        body = {"id": item_id, **fields}
        change(context, "POST", f"/{kind}", body, reason=reason, wait=wait, timeout=timeout)
        return
    etag = headers["etag"]
    change(context, "PATCH", path, fields, etag=etag, reason=reason, wait=wait, timeout=timeout)


def delete_item(
    context: Shared, kind: str, item_id: str, *, reason: str, wait: bool, timeout: float
) -> None:
    """Delete an item as it is now."""
    path = f"/{kind}/{item_id}"
    _, headers = context.api().call("GET", path)
    etag = headers["etag"]
    change(context, "DELETE", path, etag=etag, reason=reason, wait=wait, timeout=timeout)
