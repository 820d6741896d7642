"""Help as a terminal shows it: wrapped to its width, not where the source breaks its lines."""

from __future__ import annotations

from typing import Any


def unwrap(command: Any) -> Any:
    """The command, and all below it, with each paragraph of its help on one line."""
    if command.help:
        command.help = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    for inner in getattr(command, "commands", {}).values():
        unwrap(inner)
    return command
