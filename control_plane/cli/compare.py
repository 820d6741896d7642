"""`figway compare`: what shadowing has shown."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli import pairs
from control_plane.cli.changing import Reason, Timeout, Wait, change, show_warnings
from control_plane.cli.client import Api, at
from control_plane.cli.context import Shared, command_line, default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Markup, Output, console, errors, show
from control_plane.cli.output import stage as stage_markup
from control_plane.cli.pairs import inert
from control_plane.cli.times import ago, clock
from control_plane.percent import lower

compare = typer.Typer(no_args_is_help=True, help="What shadowing has shown: legacy against new.")
RouteId = Annotated[str, typer.Argument(help="The route's id.")]
Verdict = Annotated[str, typer.Option(help="match, mismatch, new_failed, ...")]
Field = Annotated[str, typer.Option(help="Differing at this path, such as '$.items[*].price'.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Most lines.")]


class Format(StrEnum):
    """Forms of an export."""

    PYTEST = "pytest"
    HURL = "hurl"
    HAR = "har"


class Word(StrEnum):
    """What a person says of a field."""

    NOISE = "noise"
    SIGNAL = "signal"
    LEARNED = "learned"


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(compare, name="compare", rich_help_panel=panel)


@compare.command("top")
def top(
    ctx: typer.Context,
    route: Annotated[str, typer.Argument(help="A route's fields; all routes without it.")] = "",
    noise: Annotated[bool, typer.Option(help="Also fields that do not count.")] = False,
    window: Annotated[str, typer.Option(help="An earlier evidence window of the route.")] = "",
    build: Annotated[str, typer.Option(help="An earlier build of new.")] = "",
    limit: Limit = 30,
) -> None:
    """Show how sure it is that new answers as legacy does; of one route, where they differ."""
    context = shared(ctx)
    api = context.api()
    if not route:
        rows = api.get("/comparisons/routes", sort="attention", limit=limit)["items"]
        show(rows, context.output, _ROUTES, empty=_NOTHING)
        return
    query = {"window": window or None, "build": build or None, "limit": limit}
    found = api.get(
        at("comparisons", "routes", route, "fields"), standing=None if noise else "open", **query
    )
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    if not _evidence(api, route):
        return
    rows = [{**field, "path": path["path"]} for path in found["items"] for field in path["fields"]]
    show(rows, context.output, _FIELDS, empty="No differences that count.")
    for row in rows:
        if row["common"]:
            console.print(f"{escape(inert(row['path']))}: {escape(inert(row['common']))}")
    hidden = sum(found["paths"][name] for name in _HIDDEN)
    if hidden and not noise:
        console.print(
            f"[dim]{hidden} more do not count (noise, rules, data that moved on): "
            "--noise shows them[/dim]"
        )


def _evidence(api: Api, route: str) -> bool:
    """Show what was compared; False where that is nothing."""
    detail = api.get(at("comparisons", "routes", route))
    evidence = detail["evidence"]
    if evidence is None:
        begin = command_line("shadow", route)
        in_legacy = detail["stage"] == "legacy"
        then = f"{escape(begin)} starts it." if in_legacy else "What is copied next is."
        console.print(f"Nothing was compared yet of {escape(route)}. {then}")
        return False
    _agreement(evidence)
    counts = {**evidence["verdicts"], **{f"dropped {k}": n for k, n in evidence["dropped"].items()}}
    console.print("  " + ", ".join(f"{name} {count}" for name, count in counts.items() if count))
    _looks(evidence, detail["legacy_reads"])
    _faults(evidence)
    for entry in detail["paused"]:
        text = f"{entry['instance']} since {ago(entry['since_ms'])}: {entry['why']}"
        where = escape(inert(text))
        console.print(f"[yellow]shadow paused[/yellow] at {where}")
    show_warnings([{**entry, "message": inert(entry["message"])} for entry in detail["warnings"]])
    return True


def _agreement(evidence: Mapping[str, Any]) -> None:
    found = evidence["agreement"]
    failed = f", [red]new failed {found['new_failed']}[/red]" if found["new_failed"] else ""
    console.print(
        f"{_share(found['rate']) or 'no'} agreement over {found['rated']} rated pairs of "
        f"{evidence['captured']} captured, at least {_share(lower(found['low']))} (95 %){failed}"
    )
    for goal in found["goals"]:
        console.print(f"  {_share(goal['rate'])}: {_goal(goal)}")
    for reason in found["reasons"]:
        where = f" ({inert(reason['path'])})" if reason["path"] else ""
        mark = "[yellow]not proven yet[/yellow]: " if reason["keeps"] else ""
        console.print(f"  {mark}{escape(inert(reason['text']) + where)}")
    if evidence["builds_at_once"]:
        names = ", ".join(inert(name or "unnamed") for name in evidence["builds_at_once"])
        console.print(f"  [yellow]builds answer side by side[/yellow]: {escape(names)}")
    if len(evidence["builds"]) > 1 or evidence["build"]:
        for entry in evidence["builds"]:
            console.print("  " + escape(_build(entry)))


def _build(entry: Mapping[str, Any]) -> str:
    found = entry["agreement"]
    return (
        f"build {inert(entry['build'] or 'unnamed')}: {_share(found['rate']) or 'no'} agreement "
        f"over {found['rated']}, {ago(entry['first_ms'])} to {ago(entry['last_ms'])}"
    )


def _looks(evidence: Mapping[str, Any], legacy_reads: str) -> None:
    looks = evidence["looks"]
    console.print(
        f"  second looks: legacy compared with itself {looks['own']} "
        f"{'time' if looks['own'] == 1 else 'times'}, {looks['natural']} of "
        f"them repeats by users; added {looks['legacy_reads']} reads at legacy "
        f"({legacy_reads}), {looks['new_reads']} at new"
    )


def _faults(evidence: Mapping[str, Any]) -> None:
    """Answers that say no in the words of their protocol, by side and code."""
    for side in ("legacy", "new"):
        counts = evidence[side].get("faults") or {}
        said = ", ".join(f"{inert(code)} {count}" for code, count in sorted(counts.items()))
        if said:
            console.print(f"  faults of {side}: {escape(said)}")


def _goal(goal: Mapping[str, Any]) -> str:
    if goal["standing"] == "proven":
        return "[green]proven[/green]"
    if goal["needs"] is None:
        return "[red]refuted: new disagrees too often; fix it, or write a rule[/red]"
    if not goal["needs"]:
        return "the bound is reached; why it is not proven stands below"
    return f"needs {goal['needs']} more that match"


@compare.command("show")
def show_example(
    ctx: typer.Context,
    example: Annotated[str, typer.Argument(help="Id of a stored pair.")],
    side_by_side: Annotated[bool, typer.Option("--side-by-side", "-s")] = False,
) -> None:
    """Show one stored pair: the request, what differs, and both answers as a diff."""
    context = shared(ctx)
    found = context.api().get(at("comparisons", "examples", example))
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    pairs.show(found, side_by_side=side_by_side)


@compare.command("examples")
def examples(
    ctx: typer.Context,
    route: RouteId,
    verdict: Verdict = "",
    field: Field = "",
    signature: Annotated[str, typer.Option(help="Pairs that differ in the same fields.")] = "",
    limit: Limit = 20,
) -> None:
    """List stored pairs, newest first."""
    context = shared(ctx)
    rows = context.api().get(
        "/comparisons/examples",
        route=route, verdict=verdict, field=field, signature=signature, limit=limit,
    )["items"]  # fmt: skip
    show(rows, context.output, _EXAMPLES, empty="No stored pair of this kind.")


@compare.command("replay")
def replay(
    ctx: typer.Context,
    route: RouteId,
    example: Annotated[list[str] | None, typer.Option(help="This stored pair only.")] = None,
    verdict: Verdict = "mismatch",
    field: Field = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most pairs.")] = 50,
    header: Annotated[
        list[str] | None, typer.Option(help="'Name: value', sent with every request.")
    ] = None,
    cookie: Annotated[
        list[str] | None, typer.Option(help="'name=value', sent with every request.")
    ] = None,
    reason: Reason = "",
    wait: Annotated[bool, typer.Option(help="Wait for the results.")] = True,
    timeout: Timeout = 60.0,
) -> None:
    """Send stored requests to both sides once more, and see which differences are gone."""
    context = shared(ctx)
    api = context.api()
    body = {
        "route": route, "examples": example or [], "verdict": verdict, "field": field,
        "limit": limit, "reason": reason or default_reason(), "headers": _given(header, cookie),
    }  # fmt: skip
    planned, _ = api.call("POST", "/comparisons/replays", {**body, "preview": True})
    errors.print(
        f"sends at most {planned['legacy_requests']} requests to legacy, and as many to new: one "
        f"for each pair, and one more where it differs; {planned['not_replayable']} of "
        f"{planned['total']} pairs cannot be replayed"
    )
    made, _ = api.call("POST", "/comparisons/replays", body)
    if wait:
        made = _await(api, made, timeout)
    results = list(api.pages(at("comparisons", "replays", made["id"], "results")))
    if context.output is not Output.TABLE:
        show({**made, "results": results}, context.output)
    else:
        show(results, context.output, _RESULTS)
        console.print(
            f"{made['done']} of {made['total']} replayed: {made['gone']} gone, "
            f"{made['still']} still differ, {made['not_replayable']} not replayable"
        )
    if wait and made["status"] != "done":
        raise CliError(
            f"the replay is {made['status']} after {timeout:g} s",
            hint="A proxy with a shadow worker takes it; see who is live: figway fleet",
            code=Exit.NOT_APPLIED,
        )


def _given(headers: list[str] | None, cookies: list[str] | None) -> list[tuple[str, str]]:
    found = []
    for text in headers or []:
        name, sign, value = text.partition(":")
        if not sign or not name.strip():
            raise CliError(
                f"{text!r} is not a header", hint="Write --header 'Name: value'", code=Exit.USAGE
            )
        found.append((name.strip(), value.strip()))
    if cookies:
        found.append(("Cookie", "; ".join(cookies)))
    return found


def _await(api: Api, made: dict[str, Any], timeout: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    while made["status"] in ("waiting", "running") and time.monotonic() < deadline:
        time.sleep(0.3)
        made = api.get(at("comparisons", "replays", made["id"]))
    return made


@compare.command("export")
def export(
    ctx: typer.Context,
    route: RouteId,
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.PYTEST,
    file: Annotated[
        Path | None, typer.Option("-O", "--file", help="Where to; standard output without it.")
    ] = None,
    verdict: Verdict = "",
    field: Field = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Most pairs.")] = 200,
) -> None:
    """Write stored pairs as regression tests for new: pytest, Hurl, or HAR."""
    text, _ = shared(ctx).api().call(
        "GET",
        at("comparisons", "routes", route, "export"),
        query={"format": form.value, "verdict": verdict, "field": field, "limit": limit},
    )  # fmt: skip
    if not isinstance(text, str):
        text = json.dumps(text, indent=1, ensure_ascii=False)
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}") from None
    errors.print(f"wrote {escape(str(file))}")


@compare.command("restart")
def restart(
    ctx: typer.Context,
    route: RouteId,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Begin the evidence of a route anew, such as after a fix of new that names no build."""
    change(
        shared(ctx), "POST", at("routes", route, "evidence", "restart"), {}, etag="*",
        reason=reason, wait=wait, timeout=timeout,
    )  # fmt: skip


@compare.command("watch")
def watch(
    ctx: typer.Context,
    route: Annotated[str, typer.Argument(help="Of this route only.")] = "",
) -> None:
    """Show comparisons as they come, until interrupted."""
    context = shared(ctx)
    kind = ""
    for line in context.api().lines("/comparisons/live", **({"route": route} if route else {})):
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: ") and kind == "comparisons":
            _heard(context, json.loads(line.removeprefix("data: ")))


def _heard(context: Shared, told: dict[str, Any]) -> None:
    if context.output is not Output.TABLE:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    counts = ", ".join(f"{name} {count}" for name, count in told["verdicts"].items() if count)
    console.print(f"[dim]{clock(told['at_ms'])}[/dim] {escape(told['route'])}: {counts}")
    for entry in told["examples"]:
        text = f"{entry['method']} {entry['target']} {' '.join(entry['paths'])}"
        where = escape(inert(text))
        console.print(f"  {_verdict(entry)} {entry['id']} {where}")


@compare.command("noise")
def noise(
    ctx: typer.Context,
    route: RouteId,
    field: Annotated[str, typer.Argument(help="A path, or a field's key: '$.at|changed'.")],
    word: Annotated[Word, typer.Argument(help="noise, signal, or learned: as measured.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Say that a field is noise or that it is not, whatever was learned."""
    body = {"field": field, "word": None if word is Word.LEARNED else word.value}
    change(
        shared(ctx), "POST", at("routes", route, "noise"), body, etag="*",
        reason=reason, wait=wait, timeout=timeout,
    )  # fmt: skip


@compare.command("header")
def header(
    ctx: typer.Context,
    route: RouteId,
    name: Annotated[str, typer.Argument(help="The header's name, such as x-total-count.")],
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Have a header of answers compared that is not compared otherwise."""
    change(
        shared(ctx), "POST", at("routes", route, "compared-headers"), {"name": name}, etag="*",
        reason=reason, wait=wait, timeout=timeout,
    )  # fmt: skip


# -- columns -----------------------------------------------------------------------------------

_NOTHING = f"Nothing was compared yet. {command_line('shadow', 'ROUTE')} starts it."
_STYLES = {"match": "green", "mismatch": "red", "stale": "dim", "skipped": "dim"}


def _share(value: float | None) -> str:
    """As per cent; a share short of all is never rounded up to all."""
    if value is None:
        return ""
    return f"{value:.2%}" if value in (0, 1) else f"{min(value, 0.9999):.2%}"


def _verdict(row: Mapping[str, Any]) -> Markup:
    word = row["verdict"] or "waiting"
    return Markup(f"[{_STYLES.get(word, 'yellow')}]{word}[/]")


def _of(name: str) -> Any:
    def cell(row: Mapping[str, Any]) -> object:
        evidence = row["evidence"]
        return "" if evidence is None else evidence["agreement"][name] or ""

    return cell


def _percent_of(name: str) -> Any:
    def cell(row: Mapping[str, Any]) -> str:
        evidence = row["evidence"]
        return "" if evidence is None else _share(evidence["agreement"][name])

    return cell


def _needs(row: Mapping[str, Any]) -> str:
    if row["evidence"] is None:
        return ""
    return " / ".join(_short(goal) for goal in row["evidence"]["agreement"]["goals"])


def _short(goal: Mapping[str, Any]) -> str:
    if goal["standing"] in ("proven", "refuted"):
        return str(goal["standing"])
    return str(goal["needs"]) if goal["needs"] else "held"


def _p95(side: str) -> Any:
    def cell(row: Mapping[str, Any]) -> str:
        quantiles = row["evidence"]["latency"]["quantiles"] if row["evidence"] else []
        found = next((q for q in quantiles if q["quantile"] == 0.95), None)
        return "" if found is None else f"{found[f'{side}_ms']:.0f} ms"

    return cell


_HIDDEN = ("noise", "ignored", "stale", "form_alone")
_ROUTES = [
    ("ROUTE", lambda row: row["route"]),
    ("STAGE", lambda row: Markup(stage_markup(row["stage"]))),
    ("PAIRS", _of("rated")),
    ("AGREEMENT", _percent_of("rate")),
    ("AT LEAST", _percent_of("low")),
    ("NEW FAILED", _of("new_failed")),
    ("UNCONFIRMED", _of("unconfirmed")),
    ("MORE FOR 99/99.5/99.9 %", _needs),
    ("P95 LEGACY", _p95("legacy")),
    ("P95 NEW", _p95("new")),
    ("SHADOW", lambda row: Markup("[yellow]paused[/yellow]") if row["paused"] else ""),
]
_FIELDS = [
    ("PATH", lambda row: inert(row["path"])),
    ("KIND", lambda row: row["kind"]),
    ("PAIRS", lambda row: f"{row['pairs']} of {row['compared']}"),
    ("STANDS", lambda row: row["standing"].replace("_", " ")),
    ("BECAUSE", lambda row: inert(row["why"])),
    ("LEGACY VARIES AS", lambda row: inert(row["form"])),
    ("PROPOSED", lambda row: (row["proposed"] or {}).get("kind", "")),
    ("WOULD EXCUSE", lambda row: inert(row["excuses"]) if row["proposed"] else ""),
    ("LAST", lambda row: ago(row["last_ms"])),
]
_EXAMPLES = [
    ("ID", lambda row: row["id"]),
    ("AT", lambda row: clock(row["at_ms"])),
    ("VERDICT", _verdict),
    ("REQUEST", lambda row: inert(f"{row['method']} {row['target']}")),
    ("STATUS", lambda row: f"{row['legacy_status']} {row['new_status']}"),
    ("DIFFERS AT", lambda row: "\n".join(map(inert, row["paths"][:5]))),
]
_RESULTS = [
    ("EXAMPLE", lambda row: row["example"]),
    ("WAS", lambda row: row["was"]),
    ("NOW", _verdict),
    ("WHY", lambda row: inert(row["reason"])),
    ("DIFFERS AT", lambda row: "\n".join(inert(d["path"]) for d in row["differences"][:5])),
]
