"""What every command shares: where the control plane is, which key, how to print."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from control_plane.cli.client import Api
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output
from control_plane.plain_text import neutral

DEFAULT_URL = "http://127.0.0.1:8070"
_USUAL = ("/usr/local/bin", "/usr/bin", "/bin")


@dataclass(slots=True)
class Shared:
    """Global options of one invocation."""

    url: str
    key: str
    key_file: Path | None
    output: Output
    trouble: CliError | None = None
    """Why the file of contexts cannot be read: of no account where nothing is asked of a control
    plane, such as for `kill on --local`."""

    def follow(self, current: Callable[[], Mapping[str, str]]) -> None:
        """Take address and key from the context in use; a key that was given counts for more."""
        try:
            chosen = current()
        except CliError as error:
            self.trouble = error
            return
        if chosen:
            self.url = chosen["url"]
            self.key = self.key or ("" if self.key_file is not None else chosen["key"])

    def api(self, *, timeout: float = 30.0) -> Api:
        """A client for the admin API. Raises `CliError` when the key file cannot be read."""
        if self.trouble is not None:
            raise self.trouble
        key = self.key
        if not key and self.key_file is not None:
            try:
                key = self.key_file.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                why = (isinstance(error, OSError) and error.strerror) or "it is no text"
                raise CliError(
                    f"the key file {self.key_file} cannot be read: {why}",
                    hint="Name the file that holds the key: --key-file FILE, or "
                    "FIGWAY_ADMIN_KEY_FILE.",
                    code=Exit.FORBIDDEN,
                ) from None
        return Api(self.url, key, timeout=timeout)


def shared(ctx: typer.Context) -> Shared:
    """The global options that belong to `ctx`."""
    found = ctx.find_object(Shared)
    assert found is not None, "the main callback sets it"
    return found


def asked_for(ctx: typer.Context, option: str) -> bool:
    """Was `option` typed, rather than taken from the environment or its default?"""
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def is_default(ctx: typer.Context, option: str) -> bool:
    """Did nobody say `option`, neither here nor in the environment?"""
    source = ctx.get_parameter_source(option)
    return source is None or source.name == "DEFAULT"


def default_reason() -> str:
    """The reason recorded when none is given: who ran which kind of command, from where."""
    return f"{user_name()}, by figway on the command line"


def user_name() -> str:
    """Who runs this: the user that sudo was called by, the log-in name, or that of the user id."""
    named = (os.environ.get(name, "") for name in ("SUDO_USER", "USER", "LOGNAME"))
    found = next((name for name in named if name), "")
    if not found:
        try:
            found = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            found = f"user {os.getuid()}"
    return neutral(found)[:100]


def exported(url: str, key: str) -> str:
    """The line that another terminal needs: address, key, and where the command is, unless every
    terminal finds it."""
    command = Path(sys.argv[0])
    folder = (command if command.name == "figway" else Path(sys.executable)).absolute().parent
    path = "" if str(folder) in _USUAL else f" PATH={shlex.quote(str(folder))}:$PATH"
    return f"export FIGWAY_ADMIN_URL={url} FIGWAY_ADMIN_KEY={key}{path}"


def command_line(*words: object) -> str:
    """A figway command as one would type it."""
    return shlex.join(["figway", *(str(word) for word in words)])
