"""`figway operations`: what traffic asks for inside one path, and the route that would take it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from control_plane.cli.client import Api
from control_plane.cli.context import shared
from control_plane.cli.output import Output, console, show
from control_plane.cli.times import ago
from figway.operation.label import OTHER
from figway.routing.pattern import parse


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("operations", rich_help_panel=panel)(operations)


def operations(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(help="A path or URL, such as /graphql; all paths when left out.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=400, help="Days, today included.")] = 7,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")] = 50,
) -> None:
    """Show which GraphQL, SOAP, JSON-RPC or form operations traffic asks for inside a path.

    They are counted by name where a route names operations. A route of the whole path in stage
    legacy is enough: figway routes set ID --path PATH --method POST --operation soap
    """
    context = shared(ctx)
    api = context.api()
    place = _place(api, path, days)
    found = api.get("/operations", place=place, days=days, limit=limit)
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    places = {one["place"]: one for one in found["places"]}
    if place and place not in places:
        _nobody_reads(api, place)
        return
    columns = _COLUMNS if place else [("PATH", lambda row: row["place"]), *_COLUMNS]
    empty = "Nothing was asked for in this time." if places else _NOWHERE
    show(found["items"], context.output, columns, empty=empty)
    for one in places.values():
        _unread(one)
    if found["next"]:
        console.print(f"[dim]These are the {limit} most frequent; --limit shows more.[/dim]")
    _next_step(found["items"])


_NOWHERE = (
    "No route names operations, so none are counted. Say which path: figway operations /graphql"
)


def _place(api: Api, path: str, days: int) -> str:
    """The path template that a path or URL stands for; the path itself where there is none."""
    if not path:
        return ""
    plain = urlsplit(path).path if "://" in path else path.partition("?")[0]
    known = [one["place"] for one in api.get("/operations", days=days, limit=1)["places"]]
    if plain in known:
        return plain
    return next((place for place in known if _fits(place, plain)), plain)


def _fits(place: str, path: str) -> bool:
    """Whether a template takes a path."""
    pattern, parts = parse(place), path.encode().split(b"/")[1:]
    segments = pattern.segments
    if len(parts) < len(segments) or (len(parts) > len(segments) and not pattern.rest):
        return False
    return all(wanted in (None, part) for wanted, part in zip(segments, parts, strict=False))


def _nobody_reads(api: Api, place: str) -> None:
    """What to do so that operations of a path are counted."""
    console.print(f"No route reads operations at {escape(place)}, so none were counted there.")
    console.print(
        "Let them be counted, with the kind that the path speaks "
        "(graphql, soap, jsonrpc, form:FIELD):"
    )
    command = f"figway routes set all-operations --path {shlex.quote(place)} --method POST "
    command += "--operation soap"
    console.print(f"  {escape(command)}")
    console.print(
        "[dim]It begins in stage legacy: legacy serves as before. The facade waits for up to "
        "64 KiB of each body there.[/dim]"
    )


def _unread(place: Mapping[str, Any]) -> None:
    if place["unread"]:
        reasons = ", ".join(f"{number} {reason}" for reason, number in place["unread"].items())
        text = f"Not read at {place['place']}: {reasons}. The next route or legacy took these."
        console.print(f"[yellow]{escape(text)}[/yellow]")


def _next_step(rows: list[Mapping[str, Any]]) -> None:
    """The command that makes a route of the first line that has none of its own."""
    for row in rows:
        if row["match"] is not None and not row["named_by"]:
            console.print("[dim]A route of one line, here of the most frequent without one:[/dim]")
            console.print(f"  {escape(command_of(row))}")
            return


def command_of(row: Mapping[str, Any]) -> str:
    """The command that makes a route of a line."""
    match = row["match"]
    operation = match["operation"]
    words = ["figway", "routes", "set", row["suggested_id"], "--path", match["path"]]
    for host in match.get("hosts", ()):
        words += ["--host", host]
    for method in match["methods"]:
        words += ["--method", method]
    names = ",".join(operation.get("names", ()))
    field = f"{operation['field']}=" if operation.get("field") else ""
    simple = names and "," not in "".join(operation.get("names", ()))
    kind = operation["kind"]
    asked = f"{field}{names}" if simple else field
    words += ["--operation", f"{kind}:{asked}" if asked else kind]
    for name in ("types", "fields", "hashes", *(() if simple else ("names",))):
        if operation.get(name):
            values = ",".join(f'"{value}"' for value in operation[name])
            words += ["--set", f"match.operation.{name}=[{values}]"]
    return shlex.join(words) + " --new BACKEND"


def _takers(row: Mapping[str, Any]) -> str:
    total = max(1, row["requests"])
    parts = [
        f"{'no route' if one['route'] == '-' else one['route']} ({one['side']}"
        + (")" if one["requests"] == total else f", {one['requests'] / total:.0%})")
        for one in row["takers"][:3]
    ]
    more = len(row["takers"]) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _name(row: Mapping[str, Any]) -> str:
    kind = f"{row['kind']}:{row['field']}=" if row["field"] else f"{row['kind']}:"
    return f"{row['type']} {row['name']}".strip() if row["type"] else kind + row["name"]


_COLUMNS = [
    ("OPERATION", _name),
    ("REQUESTS", lambda row: row["requests"]),
    ("SHARE", lambda row: f"{row['share']:.1%}"),
    ("FAILED", lambda row: row["errors"] or ""),
    ("FAULTS", lambda row: row["faults"] or ""),
    ("MEAN", lambda row: "" if row["name"] == OTHER else f"{row['mean_ms']:.1f} ms"),
    ("TAKEN BY", _takers),
    ("LAST", lambda row: ago(row["last_ms"])),
]
