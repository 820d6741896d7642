"""`figway ignore`: written rules for what may differ, tried before they are written."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.changing import Reason, Timeout, Wait, change
from control_plane.cli.client import at, below
from control_plane.cli.context import command_line, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output, console, show
from control_plane.cli.pairs import inert
from figway.model.comparison import RuleKind

ignore = typer.Typer(no_args_is_help=True, help="Comparison rules: what may differ.")
RouteId = Annotated[str, typer.Argument(help="The route's id.")]
Target = Annotated[
    str,
    typer.Argument(
        help="'$.items[*].price', header:etag, 'set-cookie:sid;samesite' or status.",
    ),
]
Kind = Annotated[RuleKind, typer.Option(help="How much may differ.")]
Absolute = Annotated[
    float, typer.Option(min=0, help="number_tolerance: how far numbers may be apart.")
]
Relative = Annotated[float, typer.Option(min=0, help="number_tolerance: as a share, 0.01 for 1 %.")]
Seconds = Annotated[float, typer.Option(min=0, help="time_tolerance: how far apart.")]
Key = Annotated[
    str,
    typer.Option(
        help="keyed_array: the member that names an element. reference: the path of what is "
        "referred to, such as '$.customers[*].id'."
    ),
]
Pair = Annotated[
    list[str] | None, typer.Option(help="map_value: LEGACY=NEW, each JSON where it can be.")
]
Pattern = Annotated[str, typer.Option(help="pattern: RE2; what matches is equal.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(ignore, name="ignore", rich_help_panel=panel)


@ignore.command("add")
def add(
    ctx: typer.Context,
    route: RouteId,
    target: Target,
    kind: Kind = RuleKind.IGNORE,
    absolute: Absolute = 0.0,
    relative: Relative = 0.0,
    seconds: Seconds = 0.0,
    key: Key = "",
    pair: Pair = None,
    pattern: Pattern = "",
    name: Annotated[str, typer.Option("--id", help="The rule's id; made up without it.")] = "",
    note: Annotated[str, typer.Option(help="Why the rule is there.")] = "",
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Write a rule; undo takes it back. Rules of kind ignore cover what was counted before as well;
    others start a new evidence window."""
    body = _rule(target, kind, absolute, relative, seconds, key, pair, pattern)
    body |= {"id": name, "note": note}
    change(
        shared(ctx), "POST", at("routes", route, "rules"), body, etag="*",
        reason=reason or note, wait=wait, timeout=timeout,
    )  # fmt: skip


@ignore.command("rm")
def remove(
    ctx: typer.Context,
    route: RouteId,
    rule: Annotated[str, typer.Argument(help="The rule's id, or its target.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Take a rule away."""
    context = shared(ctx)
    found = [
        entry["id"]
        for entry in context.api().get(at("routes", route, "rules"))
        if rule in (entry["id"], entry["target"])
    ]
    if len(found) != 1:
        problem = "no rule" if not found else f"{len(found)} rules"
        raise CliError(
            f"route {route!r} has {problem} with the id or target {rule!r}",
            hint=command_line("ignore", "list", route),
            code=Exit.USAGE if found else Exit.NOT_FOUND,
        )
    change(
        context, "DELETE", below(at("routes", route, "rules"), found[0]), etag="*",
        reason=reason, wait=wait, timeout=timeout,
    )  # fmt: skip


@ignore.command("preview")
def preview(
    ctx: typer.Context,
    route: RouteId,
    target: Annotated[
        str, typer.Argument(help="As for add; with --remove not needed.", show_default=False)
    ] = "",
    kind: Kind = RuleKind.IGNORE,
    absolute: Absolute = 0.0,
    relative: Relative = 0.0,
    seconds: Seconds = 0.0,
    key: Key = "",
    pair: Pair = None,
    pattern: Pattern = "",
    without: Annotated[
        list[str] | None, typer.Option("--remove", help="Try the lack of this rule, by its id.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Newest pairs to try on.")] = 200,
) -> None:
    """Show what a rule would do to the stored pairs, without writing it."""
    context = shared(ctx)
    if not target and not without:
        raise CliError("nothing to try: give a target, or --remove RULE", code=Exit.USAGE)
    rules = [_rule(target, kind, absolute, relative, seconds, key, pair, pattern)] if target else []
    body = {"add": rules, "remove": without or [], "limit": limit}
    found, _ = context.api().call("POST", at("routes", route, "rules", "preview"), body)
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    before, after = (found[name].get("mismatch", 0) for name in ("before", "after"))
    console.print(
        f"{found['examples']} stored pairs compared again: "
        f"{before} mismatches before, {after} after"
    )
    if found["left_out"]:
        console.print(f"[yellow]{found['left_out']} were not compared: the time was over[/yellow]")
    for place in found["places"]:
        mark = "[yellow]careful[/yellow]: " if place["hides"] else ""
        console.print(f"{mark}{escape(inert(place['path']))} excuses {escape(place['excuses'])}")
    show(found["fields"], context.output, _FIELDS, empty="No field would count otherwise.")


@ignore.command("list")
def list_rules(ctx: typer.Context, route: RouteId) -> None:
    """List the rules of a route."""
    context = shared(ctx)
    rows = context.api().get(at("routes", route, "rules"))
    show(rows, context.output, _RULES, empty="No rules: everything that differs counts.")


def _rule(
    target: str,
    kind: RuleKind,
    absolute: float,
    relative: float,
    seconds: float,
    key: str,
    pair: list[str] | None,
    pattern: str,
) -> dict[str, Any]:
    return {
        "target": target,
        "kind": kind.value,
        "absolute": absolute,
        "relative": relative,
        "seconds": seconds,
        "key": key,
        "pairs": [_pair(text) for text in pair or []],
        "pattern": pattern,
    }


def _pair(text: str) -> tuple[Any, Any]:
    left, sign, right = text.partition("=")
    if not sign:
        raise CliError(f"{text!r} is not a pair", hint="Write --pair A=active", code=Exit.USAGE)
    return _scalar(left), _scalar(right)


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


_PARAMETERS = ("absolute", "relative", "seconds", "key", "pairs", "pattern")
_RULES = [
    ("RULE", lambda row: row["id"]),
    ("KIND", lambda row: row["kind"]),
    ("TARGET", lambda row: row["target"]),
    ("ALLOWS", lambda row: " ".join(f"{n}={row[n]}" for n in _PARAMETERS if row[n])),
    ("NOTE", lambda row: row["note"]),
]
_FIELDS = [
    ("FIELD", lambda row: inert(row["field"])),
    ("PAIRS BEFORE", lambda row: row["before"]),
    ("PAIRS AFTER", lambda row: row["after"]),
]
