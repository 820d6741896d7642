"""`figway tail`: single decisions as they are made."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import at
from control_plane.cli.context import shared
from control_plane.cli.output import Output, console
from control_plane.cli.times import clock

_PAUSE_S = 1.0


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("tail", rich_help_panel=panel)(tail)


def tail(
    ctx: typer.Context,
    route: Annotated[
        str, typer.Argument(help="A route's id; - for no route; all when left out.")
    ] = "*",
    limit: Annotated[int, typer.Option(min=1, max=300, help="How many to begin with.")] = 20,
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = True,
) -> None:
    """Watch single decisions: which side served a request, why, and how it went.

    Proxies keep a few a second while somebody watches, and none otherwise: the first ones come a
    second or two after the command starts. Paths come without their query; with `-o json` each
    decision is a line.
    """
    context = shared(ctx)
    api = context.api()
    found = api.get("/decisions", route=route, limit=limit)
    if not found["items"] and route not in ("*", "-"):
        api.get(at("routes", route))  # says so where there is no such route
    _print(reversed(found["items"]), context.output)
    try:
        while follow:
            time.sleep(_PAUSE_S)
            known = found["last"]
            found = api.get("/decisions", route=route, limit=300, after=known)
            if found["last"] < known:  # the control plane was started anew, and counts anew
                found = api.get("/decisions", route=route, limit=300)
            _print(reversed(found["items"]), context.output)
    except KeyboardInterrupt:
        return


def _print(decisions: Iterable[Mapping[str, Any]], output: Output) -> None:
    for decision in decisions:
        if output is Output.TABLE:
            console.print(line(decision))
        else:
            sys.stdout.write(json.dumps(decision, ensure_ascii=False) + "\n")
            sys.stdout.flush()


def line(decision: Mapping[str, Any]) -> str:
    """A decision as people read it."""
    side = "[green]new   [/green]" if decision["side"] == "new" else "[dim]legacy[/dim]"
    words = [decision["why"]]
    if decision["bucket"] >= 0:
        words.append(f"bucket {decision['bucket']}")
    if decision["fallback"]:
        words.append(f"fallback: {decision['fallback']}")
    for name in ("no_fallback", "failure", "problem"):
        if decision[name]:
            words.append(f"{name.replace('_', ' ')}: {decision[name]}")
    path = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in decision["path"])
    return (
        f"{clock(decision['at_ms'])}  {side}  {decision['status'] or '---'}  "
        f"{decision['total_us'] / 1_000:7.1f} ms  "
        f"{escape(decision['route'])}  {escape(decision['method'])} {escape(path)}  "
        f"[dim]{escape(', '.join(words))}[/dim]"
    )
