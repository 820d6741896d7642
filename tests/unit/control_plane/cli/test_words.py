"""Where shared options may stand on a command line."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from control_plane.cli.help_text import unwrap
from control_plane.cli.main import app
from control_plane.cli.words import shared_first

ROOT = typer.main.get_command(app)


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        ("get -o json", "-o json get"),
        ("get --output=json --key k", "--output=json --key k get"),
        ("-o yaml routes list --key-file f", "-o yaml --key-file f routes list"),
        ("backends set b --url http://x --key k", "--key k backends set b --url http://x"),
        # The key of an array is the rule's own, the one in front is the API's.
        ("--key k ignore add r t --key id -o json", "--key k -o json ignore add r t --key id"),
        ("explain -- -o json", "explain -- -o json"),
        ("get -o", "-o get"),
    ],
)
def test_shared_options_go_to_the_front(typed: str, ordered: str) -> None:
    """All of them, but for what the command itself defines."""
    assert shared_first(typed.split(), ROOT) == ordered.split()


def test_help_is_wrapped_by_the_terminal() -> None:
    """It broke its lines where the source does."""
    for command in _all(unwrap(typer.main.get_command(app))):
        assert all("\n" not in part for part in (command.help or "").split("\n\n")), command.name


def _all(command: Any) -> list[Any]:
    inner = getattr(command, "commands", {}).values()
    return [command, *(one for group in inner for one in _all(group))]
