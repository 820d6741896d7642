"""The command `figway`: one entry for migration engineers and operators."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli import (
    approvals,
    backends,
    capabilities,
    compare,
    completion,
    contexts,
    demo,
    explain,
    fleet,
    flips,
    force,
    ignore,
    installation,
    keys,
    kill,
    operations,
    revisions,
    rollout,
    routes,
    run,
    tables,
    tail,
    up,
    webhooks,
)
from control_plane.cli.client import Api
from control_plane.cli.context import DEFAULT_URL, Shared, asked_for, is_default
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.help_text import unwrap
from control_plane.cli.output import Output, errors
from control_plane.cli.words import shared_first

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,  # a command of its own: `figway completion`
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
    admin_url: Annotated[
        str,
        typer.Option(
            envvar="FIGWAY_ADMIN_URL",
            help="The control plane's address. Of several, with commas between them, the next one "
            "is asked when one does not answer.",
        ),
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
    if key_file is not None and asked_for(ctx, "key_file") and not asked_for(ctx, "key"):
        key = ""  # what was typed counts for more than the environment
    ctx.obj = Shared(admin_url, key, key_file, output)
    if is_default(ctx, "admin_url") and ctx.invoked_subcommand != "context":
        ctx.obj.follow(contexts.current)


for module in (up, demo, run):
    module.register(app, "Run")
for module in (routes, operations, flips, explain, force):
    module.register(app, "Routes")
for module in (rollout, approvals):
    module.register(app, "Roll out")
for module in (compare, ignore):
    module.register(app, "Compare")
for module in (tables, revisions, backends, capabilities):
    module.register(app, "Table")
for module in (fleet, tail, kill, webhooks, keys, installation, contexts, completion):
    module.register(app, "Operate")

_UsageError: Any = typer.BadParameter.__base__
"""What Typer raises for a wrong command line; it has no public name of its own there."""


def main() -> None:
    """Run the command line; errors become one line, a next step, and a documented exit code."""
    completion.prepare()
    try:
        command = unwrap(typer.main.get_command(app))
        words = shared_first(sys.argv[1:], command)
        code = command.main(args=words, prog_name="figway", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else Exit.OK)
    except CliError as error:
        _complain(error)
        sys.exit(error.code)
    except typer.Abort:
        _complain(_stopped())
        sys.exit(Exit.FAILED)
    except _UsageError as error:
        sys.exit(_usage(error))
    except OSError as error:
        sys.exit(_unwritten(error))


def _stopped() -> CliError:
    """Ctrl-C, or no to a question."""
    if not Api.asked_for_change:
        return CliError("stopped; nothing was changed")
    return CliError(
        "stopped; what was asked for may be done all the same",
        hint="`figway audit` shows whether it is, `figway fleet` which proxies serve it.",
    )


def _unwritten(error: OSError) -> int:
    """What a command had to print, or a file that it had to read or write, did not work."""
    _complain(
        CliError(
            f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}",
            hint="What was asked for may have been done before that: `figway audit` shows it.",
        )
    )
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer is not tried again
    return Exit.FAILED


def _usage(error: Any) -> int:
    """Say in one line what is wrong with the command line."""
    line = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    if line:  # none for a group without a command: Typer has shown its help then
        hint = "" if error.ctx is None else f"How to: {error.ctx.command_path} --help"
        _complain(CliError(line[:1].lower() + line[1:], hint=hint))
    return Exit.USAGE


def _complain(error: CliError) -> None:
    """One line that says what is wrong, then the next step; of several findings, a line each."""
    title = f"[bold red]error[/bold red]: {escape(error.message)}"
    if len(error.findings) == 1:
        what, step = _finding(error.findings[0])
        errors.print(f"{title}: {what}")
        if step:
            errors.print(f"  [dim]{step}[/dim]")
    elif error.findings:
        errors.print(f"{title}: {len(error.findings)} findings")
        for finding in error.findings:
            what, step = _finding(finding)
            errors.print(f"  {what}[dim]; {step}[/dim]" if step else f"  {what}")
    else:
        errors.print(title)
    if error.hint:
        errors.print(f"  [dim]{escape(error.hint)}[/dim]")


def _finding(finding: dict[str, Any]) -> tuple[str, str]:
    """A finding's place, message and code; and what to do about it."""
    path, message = (" ".join(str(finding.get(name, "")).split()) for name in ("path", "message"))
    where = f"{escape(path)}: " if path else ""
    code = escape(f"({finding.get('code', '')})")
    return f"{where}{escape(message)} {code}", escape(str(finding.get("resolution") or ""))


if __name__ == "__main__":
    main()
