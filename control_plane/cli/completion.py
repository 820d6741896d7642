"""`figway completion`: what makes a shell complete figway's commands and options."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from control_plane.cli.errors import CliError, Exit

_VARIABLE = "_FIGWAY_COMPLETE"


class Shell(StrEnum):
    """Shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("completion", rich_help_panel=panel)(completion)


def prepare() -> None:
    """Let Typer answer a shell that asks what may come next."""
    if _VARIABLE in os.environ:
        completion_init()


def completion(
    shell: Annotated[
        Shell | None, typer.Argument(help="Your own, from $SHELL, when left out.")
    ] = None,
) -> None:
    """Print the script that completes figway's commands and options in a shell.

    For bash: eval "$(figway completion bash)", in ~/.bashrc to keep it; the same for zsh.
    For fish: figway completion fish | source.
    """
    name = shell.value if shell else os.path.basename(os.environ.get("SHELL", ""))
    if name not in set(Shell):
        raise CliError(
            f"{name or 'no shell'} is none of {', '.join(Shell)}",
            hint="Name one: figway completion bash",
            code=Exit.USAGE,
        )
    typer.echo(get_completion_script(prog_name="figway", complete_var=_VARIABLE, shell=name))
