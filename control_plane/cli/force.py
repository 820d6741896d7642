"""`figway force`: a token that lets a tester meet a side before anybody else does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.context import shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output, console, show
from control_plane.cli.times import clock
from figway.message.force import COOKIE, HEADER, sign
from figway.model.words import Side

_VARIABLE = "FIGWAY_FORCE_SECRET"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("force", rich_help_panel=panel)(force)


def force(
    ctx: typer.Context,
    side: Annotated[Side, typer.Argument(help="The side to meet: legacy or new.")],
    hours: Annotated[
        float, typer.Option(min=0.01, max=720, help="Hours until the token expires.")
    ] = 8.0,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_VARIABLE}_FILE",
            show_default=False,
            help=f"File that holds the proxies' {_VARIABLE}; that variable is read as well.",
        ),
    ] = None,
) -> None:
    """Make a signed, expiring token by which a tester meets one side on every route.

    Send it as header or cookie; the facade checks it, takes it out, and passes the rest on. Nothing
    is changed and nobody is asked: whoever knows the secret can make one.
    """
    context = shared(ctx)
    expires = int(time.time() + hours * 3600)
    token = sign(side, expires, _secret(secret_file))
    header, cookie = HEADER.decode().title(), COOKIE.decode()
    if context.output is not Output.TABLE:
        found = {"token": token, "side": side.value, "expires": expires}
        show({**found, "header": header, "cookie": cookie}, context.output)
        return
    console.print(token)
    console.print(
        f"[dim]Until {clock(expires * 1000)}. Send it: curl -H '{header}: {token}' ..., "
        f"or as the cookie {cookie}[/dim]"
    )


def _secret(file: Path | None) -> bytes:
    """The secret as the proxies read it. Raises `CliError`."""
    text = os.environ.get(_VARIABLE, "")
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise CliError(
                f"the secret's file {file} cannot be read: {reason}", code=Exit.USAGE
            ) from None
    if not text:
        raise CliError(
            "there is no secret to sign with",
            hint=f"Set {_VARIABLE} to what the proxies have, or give --secret-file FILE.",
            code=Exit.USAGE,
        )
    return text.encode()
