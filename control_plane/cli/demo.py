"""`figway demo`: a whole migration on one machine, with nothing else installed."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from control_plane.cli.addresses import LOOPBACK, free_port
from control_plane.cli.client import Api
from control_plane.cli.context import exported
from control_plane.cli.demo_traffic import visitors
from control_plane.cli.errors import CliError
from control_plane.cli.output import console
from control_plane.cli.processes import Group, answers, python_module, said
from control_plane.cli.up import (
    Place,
    alone,
    console_link,
    progress,
    run,
    start_figway,
    watch,
)

_MARK = "this-folder-is-a-figway-demo"
SHADOWED = ("catalogue-search", "graphql", "users-get")
"""Routes that the demo starts in stage shadow, so that there is something to read at once."""
READS = ("catalogue-find", "graphql", "partners-rpc", "partners-soap")
"""Routes whose POST only reads, so that it may be copied."""

ROLLOUT: dict[str, Any] = {
    "id": "bookings-list",
    "target": {"route": "bookings-list"},
    "steps": [
        {"stage": "shadow", "sample": "100%"},
        {"weight": "25%", "hold": "1m"},
        {"weight": "50%", "hold": "1m"},
        {"weight": "100%", "hold": "1m"},
        {"stage": "new"},
    ],
    "gates": {"parity": "99%", "min_distinct": 20, "errors": {"ratio": 1.5, "floor": "5%"}},
    "warmup": "10s",
}
"""A plan for ten requests a second, which the presets would need hours for."""


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to `app`."""
    app.command("demo", rich_help_panel=panel)(demo)


def demo(
    state: Annotated[Path, typer.Option(help="Where it lives; emptied at each start.")] = Path(
        ".demo"
    ),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Workers of the proxy.")] = 2,
    rate: Annotated[
        float, typer.Option(min=0, max=200, help="Requests a second of the demo's visitors.")
    ] = 10.0,
) -> None:
    """Start a travel shop, the functions that replace it, and Figway between them.

    Real processes on this machine: the legacy shop, a local function host that speaks AWS
    Lambda's Invoke API, a control plane on SQLite, and a proxy with its workers, with some
    visitors coming and going. Ctrl-C stops it all.
    """
    for module in ("proxy", "legacy_stub", "new_services"):
        if importlib.util.find_spec(module) is None:
            raise CliError(
                f"the demo needs the package {module!r}, which is not installed here",
                hint="Clone the repository and run `make demo` there.",
            )
    state = state.absolute()
    with alone(state):
        _empty(state)
        _run(state, workers, rate)


def _run(state: Path, workers: int, rate: float) -> None:
    ports = {name: free_port(port) for name, port in _PORTS.items()}
    place = Place(state, *(f"{LOOPBACK}:{ports[name]}" for name in ("facade", "admin", "private")))
    legacy = f"http://{LOOPBACK}:{ports['legacy']}"
    functions = f"http://{LOOPBACK}:{ports['functions']}"

    async def work() -> None:
        async with Group(state / "logs", progress) as group:
            await start_shop(group, legacy, functions, state)
            key = await start_figway(group, place, legacy, workers)
            await asyncio.to_thread(define, Api(place.admin, key), legacy, functions)
            console.print(_welcome(place, legacy, key))
            console.print(console_link(place))
            traffic = asyncio.Task(visitors(place.facade, rate), name="visitors")
            try:
                await watch(group, place)
            finally:
                traffic.cancel()
                await asyncio.gather(traffic, return_exceptions=True)

    run(work)


_PORTS = {"facade": 8080, "admin": 8070, "private": 8081, "legacy": 8001, "functions": 9001}


async def start_shop(group: Group, legacy: str, functions: str, state: Path) -> None:
    """Start the legacy shop and the host of the functions that replace parts of it."""
    await group.start(
        "legacy",
        python_module("legacy_stub", "--port", legacy.rpartition(":")[2]),
        ready=answers(f"{legacy}/api/catalogue?size=1"),
    )
    await group.start(
        "functions",
        python_module(
            "new_services.host",
            "--port", functions.rpartition(":")[2],
            "--legacy", legacy, "--seed",
            "--data", str(state / "functions"),
        ),
        ready=said("functions ready on"),
    )  # fmt: skip


def define(api: Api, legacy: str, functions: str) -> None:
    """Make the demo's table, a route for everything that a function replaces, and its plan."""
    body = json.dumps(table(legacy, functions) | {"rollouts": [ROLLOUT]}).encode()
    api.send_document("/table/apply", body, "application/json", reason="the demo's routes")


def table(legacy: str, functions: str) -> dict[str, Any]:
    """The demo's table, from the layout that the functions are deployed by."""
    layout = _layout()
    backends: list[dict[str, Any]] = [{"id": "legacy", "side": "legacy", "url": legacy}]
    routes, capabilities = [], set()
    for name, function in layout["functions"].items():
        for number, replaced in enumerate(function.get("replaces", ())):
            method, _, path = replaced.partition(" ")
            capability = name.partition("-")[0]
            capabilities.add(capability)
            match: dict[str, Any] = {"path": path, "methods": [method]}
            if "operation" in function:
                match["operation"] = function["operation"]
            route: dict[str, Any] = {
                "id": name if number == 0 else f"{name}-{number + 1}",
                "match": match,
                "new": name,
                "capability": capability,
                "stage": "shadow" if name in SHADOWED else "legacy",
            }
            if name in READS:
                route["reads"] = [method]
            routes.append(route)
        if function.get("replaces"):
            backends.append(
                {
                    "id": name,
                    "side": "new",
                    "kind": "lambda",
                    "function": name,
                    "region": layout["deployment"]["region"],
                    "endpoint_url": functions,
                }
            )
    return {
        "default_backend": "legacy",
        "backends": backends,
        "capabilities": [{"id": name} for name in sorted(capabilities)],
        "routes": routes,
    }


def _layout() -> dict[str, Any]:
    """How the functions are deployed: read as data, as their code belongs to somebody else."""
    found = importlib.util.find_spec("new_services")
    assert found is not None
    assert found.submodule_search_locations
    file = Path(found.submodule_search_locations[0]) / "functions.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _empty(state: Path) -> None:
    """Start afresh, but never delete a folder that a demo did not make."""
    inside = [entry for entry in state.iterdir() if entry.name != "lock"]
    if inside and not (state / _MARK).exists():
        raise CliError(
            f"{state} holds something that no demo made",
            hint="Choose another folder: figway demo --state FOLDER",
        )
    for entry in inside:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (state / _MARK).touch()


def _welcome(place: Place, legacy: str, key: str) -> str:
    lines = [
        f"[bold]Facade[/bold]    {place.facade}   the travel shop, through Figway",
        f"[bold]Legacy[/bold]    {legacy}   the same shop, directly",
        f"[bold]Admin[/bold]     {place.admin}",
        f"[bold]Metrics[/bold]   {place.private}/metrics",
        f"[bold]Admin key, shown once[/bold]  {key}",
        "",
        "In another terminal:",
        f"  {escape(exported(place.admin, key))}",
        "  figway get --watch                            [dim]# both sides, live[/dim]",
        "  figway weight catalogue-search 25% --wait     [dim]# move a quarter of the users[/dim]",
        "  figway compare top catalogue-search           [dim]# what differs, by field[/dim]",
        "  figway rollout start bookings-list            [dim]# walks to new by itself[/dim]",
        "",
        "Back to legacy, whatever happens: figway kill on.  Ctrl-C here stops everything.",
    ]
    return "\n".join(lines)
