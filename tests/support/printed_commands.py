"""Commands as people find them written: in the manual, in a page, in a message; held to the CLI."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from control_plane.cli.main import app
from control_plane.cli.words import shared_first

_ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "&", "2>&1"}
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_.,:/|-]*|\.\.\.|.*(?:\.\.\.|<[^>]*>|\{[^}]*\}|X{3}).*")
"""What stands for something else: ROUTE, `...`, `<id>`."""
VALUE = "XXX"
"""What a message puts in when it is made."""


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def words_of(line: str) -> list[str]:
    """The words of one command line, up to a pipe or the next command. Raises ValueError."""
    lexed = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexed.whitespace_split = True
    lexed.commenters = "#"
    found: list[str] = []
    for word in lexed:
        if word in _ENDS:
            break
        found.append(word)
    return found


def wrong(line: str, *, whole: bool = True) -> str:
    """Why the command line would refuse `line`; empty where it would not.

    A line that is not `whole` only names a command: what it needs may be missing.
    """
    try:
        words = words_of(line)
    except ValueError as error:
        return str(error)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)  # a variable of the environment
    assert words[0] == "figway", line
    words = [word for word in words[1:] if word != "..."]
    if not words or _stands_for(words[0]):
        return ""
    return _refused(shared_first(words, _root()), whole)


def _refused(words: list[str], whole: bool) -> str:
    command, context = _root(), None
    while True:
        context = command.context_class(command, info_name=command.name or "figway", parent=context)
        try:
            given, rest, _ = command.make_parser(context).parse_args(args=list(words))
        except typer.BadParameter.__base__ as error:
            message = str(error.format_message())
            return "" if "requires an argument" in message and not whole else message
        inner = getattr(command, "commands", None)
        if why := _bad_value(command, context, given, whole):
            return why
        if inner is None:
            return f"one word too many: {rest[0]}" if rest else ""
        if not rest:
            return (
                ""
                if not whole or (given.get("help") or given.get("_version"))
                else "no command of the group is named"
            )
        if _stands_for(rest[0]):
            return ""
        if rest[0] not in inner:
            return f"no such command: {rest[0]}"
        command, words = inner[rest[0]], rest[1:]


def _bad_value(command: Any, context: Any, given: dict[str, Any], whole: bool) -> str:
    if given.get("help") or given.get("_version"):
        return ""
    for param in command.get_params(context):
        value = given.get(param.name)
        if value is None or value == () or type(value).__name__ == "Sentinel":
            if param.required and whole:
                return f"{param.name} is missing"
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(one, str) and _stands_for(one) for one in values):
            continue
        try:
            param.process_value(context, value)
        except typer.BadParameter as error:
            return f"{param.name}: {error.message}"
    return ""


def _stands_for(word: str) -> bool:
    return _PLACEHOLDER.fullmatch(word) is not None


def of_page(path: Path) -> tuple[list[str], list[str]]:
    """Commands of a page of the manual: those in blocks, and those that its lines name."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```(?:sh|console|bash)?\n(.*?)^ *```", text, flags=re.M | re.S)
    blocks += re.findall(r"(?:^    .*\n)+", text, flags=re.M)
    found = [command for block in blocks for command in of_block(block)]
    inline = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    return found, re.findall(r"`(figway [^`\n]+)`", inline)


def of_block(block: str) -> list[str]:
    """The commands in lines of a terminal, or of a script."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    found = (re.sub(r"^\s*(?:\$ )?", "", line) for line in lines)
    return [line for line in found if re.match(r"(?:[A-Z_]+=\S* )*figway(?: |$)", line)]


def of_source(path: Path) -> Iterator[tuple[int, str]]:
    """What a module may say: its texts, with `VALUE` where something is put in; line by line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(part)
        for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node) if part is not node
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(_said(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _said(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else VALUE
