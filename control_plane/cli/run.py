"""`figway proxy` and `figway control`: one part alone, in the foreground, as in production."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

import typer

from control_plane.cli.errors import CliError, Exit


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.command("proxy", rich_help_panel=panel)(proxy)
    app.command("control", rich_help_panel=panel)(control)


def proxy(
    control: Annotated[
        str, typer.Option(help="Control plane to follow (FIGWAY_CONTROL_URL).", show_default=False)
    ] = "",
    legacy: Annotated[
        str,
        typer.Option(
            help="Legacy, when there is no control plane (FIGWAY_LEGACY_URL).", show_default=False
        ),
    ] = "",
    listen: Annotated[
        str,
        typer.Option(
            help="Address and port of the facade (FIGWAY_LISTEN, or 127.0.0.1:8080).",
            show_default=False,
        ),
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Worker processes (FIGWAY_WORKERS).", show_default=False),
    ] = None,
) -> None:
    """Run a proxy: the facade and its workers.

    Every setting is also an environment variable (docs/reference/settings.md); the key for the
    control plane is read from FIGWAY_CONTROL_KEY or FIGWAY_CONTROL_KEY_FILE only.
    """
    _become(
        "proxy",
        FIGWAY_CONTROL_URL=control,
        FIGWAY_LEGACY_URL=legacy,
        FIGWAY_LISTEN=listen,
        FIGWAY_WORKERS="" if workers is None else str(workers),
    )


def control(
    listen: Annotated[
        str,
        typer.Option(
            help="Address and port of the admin API (FIGWAY_ADMIN_LISTEN, or 127.0.0.1:8070).",
            show_default=False,
        ),
    ] = "",
    database: Annotated[
        str,
        typer.Option(
            help="postgresql://... or sqlite:///path (FIGWAY_DATABASE_URL, or a file in the state "
            "folder).",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Run a control plane: admin API, console and publishing.

    The database is migrated at the start; the first start prints an admin key, once.
    """
    _become("control_plane", FIGWAY_ADMIN_LISTEN=listen, FIGWAY_DATABASE_URL=database)


def _become(module: str, **settings: str) -> None:
    """Replace this process, so that signals and exit codes are those of the part itself."""
    if importlib.util.find_spec(module) is None:
        raise CliError(
            f"the package {module!r} is not part of this installation",
            hint="Install Figway with it, or run it where it is installed.",
            code=Exit.USAGE,
        )
    environment = {**os.environ, **{name: value for name, value in settings.items() if value}}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module], environment)  # noqa: S606
