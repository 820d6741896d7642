"""`figway context`: addresses and keys of control planes, by name, in a file of one's own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.client import Api
from control_plane.cli.context import shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import console, show
from control_plane.plain_text import is_plain, neutral

contexts = typer.Typer(
    no_args_is_help=True,
    help="Control planes by name: address and key, so that nothing has to be exported.",
)
Name = Annotated[str, typer.Argument(help="The context's name: local, staging, production.")]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to `app`."""
    app.add_typer(contexts, name="context", rich_help_panel=panel)


def file() -> Path:
    """`FIGWAY_CONTEXTS`, or `figway/contexts.json` in the user's folder for settings."""
    if named := os.environ.get("FIGWAY_CONTEXTS", ""):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base else Path.home() / ".config") / "figway" / "contexts.json"


def load() -> dict[str, Any]:
    """What the file holds: `current`, and `contexts` by name. Raises `CliError`."""
    path = file()
    if not path.exists():
        return {"current": "", "contexts": {}}
    try:
        if not path.is_file():
            raise ValueError("it is no regular file")
        return _checked(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise CliError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="Correct or delete it; or say where to with --admin-url and --key. "
            "`figway kill on --local` needs neither.",
            code=Exit.USAGE,
        ) from None


def _checked(found: Any) -> dict[str, Any]:
    """What a file holds, if it is ours. Raises ValueError."""
    if not isinstance(found, dict) or not isinstance(found.get("contexts"), dict):
        raise ValueError("it holds no contexts")
    for name, entry in found["contexts"].items():
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(part), str) for part in ("url", "key")
        ):
            raise ValueError(f"context {name!r} has no url and key")
    return {"current": str(found.get("current", "")), "contexts": found["contexts"]}


def current() -> dict[str, str]:
    """Address and key of the context in use; empty without one. Raises `CliError`."""
    found = load()
    chosen: dict[str, str] = found["contexts"].get(found["current"], {})
    return chosen


def _save(found: dict[str, Any]) -> None:
    """Put it in the file's place whole: it is never half there, and never another's to read."""
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(found, out, indent=2)
    made.replace(path)


@contexts.command("set")
def set_context(
    name: Name,
    url: Annotated[str, typer.Option(help="The control plane's address.")],
    admin_key: Annotated[
        str, typer.Option("--admin-key", "--key", help="API key.", show_default=False)
    ] = "",
) -> None:
    """Add a context, or change it, and use it. The file is readable by its owner alone."""
    if not name or not is_plain(name):
        raise CliError(f"{neutral(name)!r} is no name", hint="Such as production.", code=Exit.USAGE)
    Api(url, admin_key)  # raises for what can be neither
    found = load()
    found["contexts"][name] = {"url": url, "key": admin_key}
    found["current"] = name
    _save(found)
    console.print(f"Commands go to {escape(url)} now ({escape(str(file()))}).")
    shadows = [v for v in ("FIGWAY_ADMIN_URL", "FIGWAY_ADMIN_KEY") if os.environ.get(v)]
    if shadows:
        console.print(
            f"[yellow]{' and '.join(shadows)} in the environment count for more.[/yellow]"
        )


@contexts.command("use")
def use_context(name: Name) -> None:
    """Use a context from now on. --admin-url, --key and their variables count for more."""
    found = load()
    if name not in found["contexts"]:
        known = ", ".join(sorted(found["contexts"])) or "none yet"
        raise CliError(
            f"there is no context {name!r}", hint=f"There are: {known}.", code=Exit.NOT_FOUND
        )
    found["current"] = name
    _save(found)
    console.print(f"Commands go to {escape(found['contexts'][name]['url'])} now.")


@contexts.command("list")
def list_contexts(ctx: typer.Context) -> None:
    """Show the contexts, without their keys."""
    found = load()
    rows = [
        {
            "name": name,
            "url": entry["url"],
            "key": entry["key"][:13],
            "current": name == found["current"],
        }
        for name, entry in sorted(found["contexts"].items())
    ]
    show(
        rows,
        shared(ctx).output,
        [
            ("", lambda row: "*" if row["current"] else ""),
            ("NAME", lambda row: row["name"]),
            ("URL", lambda row: row["url"]),
            ("KEY", lambda row: row["key"] + "..." if row["key"] else "none"),
        ],
        empty="No contexts yet: figway context set NAME --url URL --admin-key KEY",
    )


@contexts.command("rm")
def remove_context(name: Name) -> None:
    """Forget a context and its key."""
    found = load()
    if found["contexts"].pop(name, None) is None:
        raise CliError(f"there is no context {name!r}", code=Exit.NOT_FOUND)
    found["current"] = "" if found["current"] == name else found["current"]
    _save(found)
    console.print(f"Context {escape(name)} is forgotten.")
