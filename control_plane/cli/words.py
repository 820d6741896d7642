"""Shared options (`--key`, `-o`, ...) may stand anywhere on a command line, not in front only."""

from __future__ import annotations

from typing import Any

SHARED = ("--admin-url", "--key", "--key-file", "--output", "-o")


def shared_first(words: list[str], root: Any) -> list[str]:
    """The words with the shared options moved to the front.

    `root` is the whole command. An option that the addressed command defines itself belongs to
    that command, and what follows `--` stays where it is.
    """
    ours = [name for name in SHARED if name not in _own(words, root)]
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
        elif word in (SHARED if not rest else ours):
            front += [word, *([value] if (value := next(waiting, None)) is not None else [])]
        elif word.startswith(tuple(f"{name}=" for name in ours if name != "-o")):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def _own(words: list[str], root: Any) -> set[str]:
    """The options that the addressed command defines itself."""
    command = root
    waiting = iter(words)
    for word in waiting:
        inner = getattr(command, "commands", None)
        if not inner or word == "--":
            break
        if word in SHARED:
            next(waiting, None)
        elif word in inner:
            command = inner[word]
        elif not word.startswith("-"):
            break
    if command is root:
        return set()
    return {name for parameter in command.params for name in parameter.opts}
