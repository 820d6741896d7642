"""`figway apply`, `export`, `validate`, `diff`: the table as a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.changing import (
    Consent,
    Force,
    Reason,
    Timeout,
    Wait,
    confirmed,
    report,
)
from control_plane.cli.client import Api
from control_plane.cli.context import default_reason, shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output, console, show

File = Annotated[Path, typer.Argument(help="YAML or JSON; - for standard input.")]
_STYLES = {"error": "red", "warning": "yellow"}


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("init", rich_help_panel=panel)(init)
    app.command("export", rich_help_panel=panel)(export)
    app.command("validate", rich_help_panel=panel)(validate)
    app.command("apply", rich_help_panel=panel)(apply)
    app.command("diff", rich_help_panel=panel)(diff)
    app.command("schema", rich_help_panel=panel)(schema)


def init(
    file: Annotated[Path, typer.Argument(help="Where to.")] = Path("figway.yaml"),
    route: Annotated[str, typer.Option(help="Id of the first route.")] = "orders",
    path: Annotated[str, typer.Option(help="Which requests it is for.")] = "/orders/{rest=**}",
    new: Annotated[str, typer.Option(help="Where the new code answers.")] = "http://127.0.0.1:9000",
) -> None:
    """Begin a table file with one backend and one route, in stage legacy: it moves nobody.

    Needs no control plane. The file belongs beside your code; `figway apply --merge` puts it in
    force, and `figway export` writes what is in force.
    """
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(starter(file.name, route, path, new))
    except FileExistsError:
        raise CliError(
            f"{file} is there already", hint="Name another: figway init FILE", code=Exit.CONFLICT
        ) from None
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}", code=Exit.USAGE) from None
    name = escape(str(file))
    console.print(f"{name} is written. Look at it, then:")
    console.print(f"  figway validate --merge {name}")
    console.print(f"  figway apply --merge {name} --yes")
    console.print(f"  figway shadow {escape(route)} --sample 10% --wait")


def starter(name: str, route: str, path: str, new: str) -> str:
    """The document of `init`."""
    return f"""\
# yaml-language-server: $schema=./table.schema.json
# figway schema > table.schema.json      so that an editor completes and checks this file
# figway validate --merge {name}         checks it together with what is in force
# figway apply --merge {name}            puts it in force, and leaves all else as it is
backends:
  - id: {json.dumps(f"{route}-new")}
    side: new
    url: {json.dumps(new)}
routes:
  - id: {json.dumps(route)}
    match:
      path: {json.dumps(path)}
    new: {json.dumps(f"{route}-new")}
    stage: legacy
"""


def export(
    ctx: typer.Context,
    revision: Annotated[
        int | None, typer.Option(help="An old one instead of the current.", show_default=False)
    ] = None,
) -> None:
    """Print the whole table as a document that `figway apply` takes."""
    context = shared(ctx)
    form = "json" if context.output is Output.JSON else "yaml"
    found = context.api().get("/table/export", format=form, revision=revision)
    if form == "json":
        show(found, context.output)
    else:
        sys.stdout.write(found)


def schema() -> None:
    """Print the JSON Schema of a table document, so that an editor completes and checks it.

    Save it beside the file and begin the file with
    `# yaml-language-server: $schema=./table.schema.json`. Needs no control plane.
    """
    from control_plane.tables.schema import document_schema  # pydantic is slow to import

    sys.stdout.write(json.dumps(document_schema(), indent=2) + "\n")


def validate(
    ctx: typer.Context,
    file: File,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="The file is a part, as `figway apply --merge` takes it."),
    ] = False,
) -> None:
    """Check a table file against the rules, and change nothing.

    Without --merge the file is taken as the whole table: what it does not name would be deleted.
    """
    context = shared(ctx)
    found = _checked(context.api(), file, merge=merge)
    if context.output is not Output.TABLE:
        show(found, context.output)
    else:
        _print_findings(found["findings"])
        if found["valid"]:
            console.print(f"Valid. Applying it would change {len(found['changes'])} fields.")
    if not found["valid"]:
        hint = "" if merge else f"If the file is a part of the table: {_part_check(file)}"
        raise CliError(f"{file} would make a wrong table", hint=hint, code=Exit.REFUSED)


def apply(
    ctx: typer.Context,
    file: File,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask; also where new would serve more without proof."
        ),
    ] = False,
    force: Force = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Leave what the file does not name as it is.")
    ] = False,
    keep_stages: Annotated[
        bool,
        typer.Option(
            "--keep-stages", help="Leave stage and weight of the routes that exist as they are."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
    reason: Reason = "",
    wait: Wait = False,
    timeout: Timeout = 30.0,
) -> None:
    """Make the table what a file says: shows the difference first. Applied twice, it changes
    nothing the second time.

    What the file does not name is deleted, unless --merge is given. Stage and weight are part of a
    file: with --keep-stages an old one moves no traffic.
    """
    context = shared(ctx)
    api = context.api()
    body, kind = _document(file)
    how = {"merge": str(merge).lower(), "stages": "keep" if keep_stages else "file"}
    with _named(file):
        planned = api.send_document("/table/apply", body, kind, dry_run="true", **how)
    _print_changes(planned)
    _print_moves(planned)
    if dry_run or not planned["changed"]:
        return
    if not yes:
        if not sys.stdin.isatty() or str(file) == "-":
            raise CliError(
                "this would change the table, and nobody can be asked here",
                hint="Say --yes, or --dry-run to only look.",
                code=Exit.USAGE,
            )
        typer.confirm("Apply?", abort=True)

    def send(confirm: str | None) -> Any:
        more = {"confirm": confirm} if confirm else {}
        why = reason or default_reason()
        return api.send_document(
            "/table/apply", body, kind, etag=planned["etag"], reason=why, **how, **more
        )

    made = confirmed(send, Consent(yes, force, reason))
    report(context, api, {**made, "changes": []}, wait=wait, timeout=timeout)


def diff(
    ctx: typer.Context,
    before: Annotated[str, typer.Argument(help="A revision, or a table file.")],
    after: Annotated[
        int | None, typer.Argument(help="A later revision; the current one when left out.")
    ] = None,
) -> None:
    """Show what differs: between two revisions, or what a file would change."""
    context = shared(ctx)
    api = context.api()
    if before.isdecimal():
        found = api.get("/revisions/diff", **{"from": int(before), "to": after})
    else:
        found = _checked(api, Path(before))
    if context.output is not Output.TABLE:
        show(found, context.output)
        return
    _print_changes(found)


def _checked(api: Api, file: Path, *, merge: bool = False) -> Any:
    body, kind = _document(file)
    with _named(file):
        return api.send_document("/table/validate", body, kind, merge=str(merge).lower())


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Say of which file the control plane speaks, where it cannot read what it was sent."""
    try:
        yield
    except CliError as error:
        if error.findings and error.findings[0]["path"].startswith("$"):
            name = "standard input" if str(file) == "-" else file
            error.message = f"{name} cannot be read as a table"
        raise


def _part_check(file: Path) -> str:
    return f"figway validate --merge {file}"


def _document(file: Path) -> tuple[bytes, str]:
    if str(file) == "-":
        return sys.stdin.buffer.read(), "application/yaml"
    try:
        body = file.read_bytes()
    except OSError as error:
        raise CliError(
            f"{file} cannot be read: {error.strerror}",
            hint="`figway init FILE` begins a table file, `figway export` prints the whole table.",
            code=Exit.USAGE,
        ) from None
    return body, "application/json" if file.suffix == ".json" else "application/yaml"


def _print_changes(found: dict[str, Any]) -> None:
    if not found["changes"]:
        console.print("[dim]No difference.[/dim]")
    for entry in found["changes"]:
        style = "green" if entry["before"] is None else "red" if entry["after"] is None else ""
        text = escape(entry["text"])
        console.print(f"[{style}]{text}[/{style}]" if style else text)
    if found.get("more_changes"):
        console.print(f"[dim]and {found['more_changes']} more[/dim]")


def _print_moves(planned: dict[str, Any]) -> None:
    """Say that a file moves traffic of routes that exist."""
    moved = {e["id"] for e in planned["changes"] if e["path"] in ("stage", "weight")}
    if moved:
        noun = "route" if len(moved) == 1 else "routes"
        console.print(
            f"[yellow]This moves the traffic of {len(moved)} {noun}.[/yellow] "
            "--keep-stages leaves stage and weight as they are."
        )


def _print_findings(findings: list[dict[str, Any]]) -> None:
    for finding in findings:
        style = _STYLES.get(finding["severity"], "")
        where = escape(f"{finding['code']} {finding['path']}")
        console.print(f"[{style}]{where}[/{style}]: {escape(finding['message'])}")
        if finding["resolution"]:
            console.print(f"  [dim]{escape(finding['resolution'])}[/dim]")
