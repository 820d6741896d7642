"""Making a change: send it, say what differs, wait for the proxies, print the way back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.markup import escape

from control_plane.cli.client import Api, at
from control_plane.cli.context import Shared, command_line, default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Markup, Output, console, errors, grid, show

Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why, for the audit log.", show_default=False)
]
Wait = Annotated[
    bool, typer.Option("--wait", "-w", help="Wait until every proxy serves it, and show progress.")
]
Timeout = Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait at most.")]

Yes = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Let new serve more without proof: you have seen the evidence."
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Also against what the evidence or a proxy says; with --reason."),
]

Item = Annotated[str, typer.Argument(help="The id of what is deleted.")]

_POLL = 0.5


@dataclass(frozen=True, slots=True)
class Consent:
    """What was said on the command line about a change that exposes users to new."""

    yes: bool = False
    force: bool = False
    reason: str = ""

    @property
    def said(self) -> str | None:
        """For the query of the call. Raises `CliError` for a force without a reason."""
        if self.force and not self.reason:
            raise CliError(
                "--force takes a reason of its own",
                hint="Say why: --force --reason '...'. It stands in the audit log.",
                code=Exit.USAGE,
            )
        return "force" if self.force else "exposure" if self.yes else None


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
    consent: Consent | None = None,
) -> None:
    """Send a change and report on it. `etag` becomes If-Match.

    Where new would serve more without proof, the evidence is shown and a person is asked. Raises
    `CliError`.
    """
    api = context.api()
    headers = {"if-match": etag} if etag else None

    def send(confirm: str | None) -> Any:
        asked = {**(query or {}), "reason": reason or default_reason(), "confirm": confirm}
        return api.call(method, path, body, query=asked, headers=headers)[0]

    report(context, api, confirmed(send, consent), wait=wait, timeout=timeout)


def confirmed(send: Callable[[str | None], Any], consent: Consent | None) -> Any:
    """What `send` answers, after asking a person where it has to be confirmed. Raises
    `CliError`."""
    said = consent.said if consent else None
    try:
        return send(said)
    except CliError as error:
        if error.problem != "confirmation_required" or said is not None:
            raise _unconfirmed(error) from None
        if not sys.stdin.isatty():
            raise _unconfirmed(error) from None
        for finding in error.findings:
            errors.print(f"  {escape(finding['path'])}: {escape(finding['message'])}")
        if not typer.confirm("Do it all the same?"):
            raise typer.Abort from None
        return send("exposure")


def _unconfirmed(error: CliError) -> CliError:
    if error.problem not in ("confirmation_required", "force_required"):
        return error
    word = "--yes" if error.problem == "confirmation_required" else "--force --reason '...'"
    return CliError(
        error.message,
        hint=f"If you have seen that and want it: repeat with {word}. Less exposure never asks.",
        code=Exit.NOT_CONFIRMED,
        findings=error.findings,
        problem=error.problem,
    )


def report(context: Shared, api: Api, made: dict[str, Any], *, wait: bool, timeout: float) -> None:
    """Say what came of a change, and wait for the proxies if asked to. Raises `CliError` where not
    all of them have it."""
    if context.output is Output.TABLE:
        _say(made)
    spread = _followed(context, api, made["revision"], timeout) if wait else None
    if context.output is not Output.TABLE:
        show({**made, "applied": spread["applied"] if spread else None}, context.output)
    if spread is not None and not spread["applied"]:
        raise CliError(
            f"revision {made['revision']} is saved, but not served everywhere: {spread['summary']}",
            hint="See who lags and why: figway fleet. A proxy that is gone for good: "
            "figway fleet --forget NAME",
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


def _followed(context: Shared, api: Api, revision: int, timeout: float) -> dict[str, Any]:
    """As `_follow`. What was saved stays so, whatever keeps the rest from being known: an answer
    that does not come, a key that ended meanwhile. Raises `CliError` 8."""
    try:
        return _follow(context, api, revision, timeout)
    except CliError as error:
        raise CliError(
            f"revision {revision} is saved; whether it is served everywhere is not known: "
            f"{error.message}",
            hint=error.hint or "See who serves it: figway fleet",
            code=Exit.NOT_APPLIED,
            findings=error.findings,
        ) from None


def _follow(context: Shared, api: Api, revision: int, timeout: float) -> dict[str, Any]:
    """Show each proxy's progress until all live ones serve `revision`, or the time is over."""
    quiet = context.output is not Output.TABLE
    end = time.monotonic() + timeout
    with Live(console=console, transient=False, auto_refresh=False) as live:
        while True:
            left = max(0.0, end - time.monotonic())
            spread: dict[str, Any] = api.get(
                at("revisions", revision, "propagation"), timeout=min(left, _POLL)
            )
            waiting = any(proxy["state"] == "waiting" for proxy in spread["proxies"])
            if not quiet and console.is_terminal:
                live.update(grid(spread["proxies"], _PROGRESS), refresh=True)
            if not waiting or not left:
                break
    if not quiet:
        console.print(escape(spread["summary"]))
    return spread


_STATES = {
    "applied": "[green]serves it[/green]",
    "refused": "[red]refuses it[/red]",
    "silent": "[red]silent[/red]",
    "foreign": "[red]follows another installation[/red]",
    "waiting": "[yellow]waiting[/yellow]",
}
_PROGRESS: list[tuple[str, Any]] = [
    ("PROXY", lambda proxy: proxy["instance"]),
    ("REVISION", lambda proxy: proxy["revision"]),
    ("STATE", lambda proxy: Markup(_STATES.get(proxy["state"], "waiting"))),
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
    consent: Consent | None = None,
) -> None:
    """Create an item of `kind` (`backends`, ...), or change the given fields of an existing one.

    `required` names the options that a new item cannot do without, by field.
    """
    api = context.api()
    try:
        path = at(kind, item_id)
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
        change(
            context, "POST", at(kind), body,
            reason=reason, wait=wait, timeout=timeout, consent=consent,
        )  # fmt: skip
        return
    etag = headers["etag"]
    change(
        context, "PATCH", path, fields, etag=etag,
        reason=reason, wait=wait, timeout=timeout, consent=consent,
    )  # fmt: skip


def add_removal(group: typer.Typer, kind: str, help: str) -> None:
    """Give a group of commands its `rm`, which deletes an item as it is now."""

    @group.command("rm", help=help)
    def remove(
        ctx: typer.Context,
        item: Item,
        reason: Reason = "",
        wait: Wait = False,
        timeout: Timeout = 30.0,
        yes: Yes = False,
        force: Force = False,
    ) -> None:
        context, path = shared(ctx), at(kind, item)
        _, headers = context.api().call("GET", path)
        change(
            context, "DELETE", path, etag=headers["etag"],
            reason=reason, wait=wait, timeout=timeout, consent=Consent(yes, force, reason),
        )  # fmt: skip
