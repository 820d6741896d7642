"""The command `figway`: one entry for migration engineers and operators."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from control_plane.cli import (
    backends,
    capabilities,
    demo,
    explain,
    fleet,
    flips,
    keys,
    kill,
    revisions,
    routes,
    run,
    tables,
    up,
)
from control_plane.cli.context import DEFAULT_URL, Shared
from control_plane.cli.errors import CliError
from control_plane.cli.output import Output, errors

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move a monolith's traffic to new services, route by route, with the way back open.",
    epilog="Start: [b]figway up --legacy http://127.0.0.1:8000[/b]. "
    "Back to legacy, whatever else is broken: [b]figway kill on[/b].",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"figway {version('figway')}")
        raise typer.Exit


@app.callback()
def _shared_options(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="FIGWAY_ADMIN_URL", help="The control plane's address.")
    ] = DEFAULT_URL,
    key: Annotated[
        str,
        typer.Option(
            envvar="FIGWAY_ADMIN_KEY", show_envvar=True, help="API key.", show_default=False
        ),
    ] = "",
    key_file: Annotated[
        Path | None, typer.Option(envvar="FIGWAY_ADMIN_KEY_FILE", help="File that holds the key.")
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="How to print what is read.")
    ] = Output.TABLE,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the release."),
    ] = False,
) -> None:
    ctx.obj = Shared(url, key, key_file, output)


for module in (up, demo, run):
    module.register(app, "Run")
for module in (routes, flips, explain):
    module.register(app, "Routes")
for module in (tables, revisions, backends, capabilities):
    module.register(app, "Table")
for module in (fleet, kill, keys):
    module.register(app, "Operate")


def main() -> None:
    """Run the command line; errors become one line, a next step, and a documented exit code."""
    try:
        app(args=shared_first(sys.argv[1:]), prog_name="figway")
    except CliError as error:
        _complain(error)
        sys.exit(error.code)


_SHARED = ("--url", "--key", "--key-file", "--output", "-o")


def shared_first(words: list[str]) -> list[str]:
    """The words with the shared options moved to the front, as they may stand anywhere.

    What follows `--` stays where it is.
    """
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word in _SHARED:
            front += [word, *([value] if (value := next(waiting, None)) is not None else [])]
        elif word.startswith(tuple(f"{name}=" for name in _SHARED if name != "-o")):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def _complain(error: CliError) -> None:
    errors.print(f"[bold red]error[/bold red]: {escape(error.message)}")
    for finding in error.findings:
        where = escape(str(finding.get("path", "")))
        errors.print(
            f"  [red]{escape(str(finding.get('code', '')))}[/red] {where}: "
            f"{escape(str(finding.get('message', '')))}"
        )
        if finding.get("resolution"):
            errors.print(f"    [dim]{escape(str(finding['resolution']))}[/dim]")
    if error.hint:
        errors.print(f"  [dim]{escape(error.hint)}[/dim]")


if __name__ == "__main__":
    main()
