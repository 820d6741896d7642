"""Whatever the console does, the API and the command line do too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI

from control_plane.bootstrap import create_app, make_services
from control_plane.cli.main import app as cli
from control_plane.console import app as console
from control_plane.console.pages import audit
from control_plane.settings import Settings
from figway.model.change import Kind
from figway.rollout.state import EventKind
from tests.support.console_actions import ACTIONS

VIEWS = {
    "GET /": (("GET /traffic/summary", "traffic"),),
    "GET /routes": (("GET /routes", "get"),),
    "GET /backends": (
        ("GET /backends", "backends list"),
        ("GET /capabilities", "capabilities list"),
    ),
    "GET /edit/{items}/{item_id}": (
        ("GET /routes/{route_id}", "routes show"),
        ("GET /backends/{backend_id}", "backends show"),
        ("GET /capabilities/{capability_id}", "capabilities show"),
    ),
    "GET /routes/{route_id}": (
        ("GET /routes/{route_id}", "routes show"),
        ("GET /decisions", "tail"),
    ),
    "GET /shadow": (("GET /comparisons/routes", "compare watch"),),
    "GET /shadow/{route_id}/rule": (("POST /routes/{route_id}/rules/preview", "ignore preview"),),
    "GET /shadow/{route_id}": (
        ("GET /comparisons/routes/{route_id}/fields", "compare top"),
        ("GET /comparisons/examples", "compare examples"),
    ),
    "GET /shadow/{route_id}/export": (
        ("GET /comparisons/routes/{route_id}/export", "compare export"),
    ),
    "GET /explain": (("POST /explain", "explain"),),
    "GET /operations": (("GET /operations", "operations"),),
    "GET /rollouts": (("GET /rollouts", "rollout list"),),
    "GET /rollouts/{rollout}": (
        ("GET /rollouts/{rollout}", "rollout get"),
        ("GET /rollouts/{rollout}/timeline", "rollout get"),
        ("GET /rollouts/{rollout}/figures", "rollout figures"),
    ),
    "GET /fleet": (("GET /fleet", "fleet"), ("GET /events", "events")),
    "GET /audit": (("GET /audit", "audit"),),
    "GET /keys": (("GET /keys", "keys list"),),
}
PARTS = {
    # what pages are made of: the same API again, in other pieces
    "GET /map", "GET /burn-up.json", "GET /status", "GET /live", "GET /kill", "GET /login",
    "GET /routes/{route_id}/now", "GET /routes/{route_id}/traffic.json",
    "GET /routes/{route_id}/breaker", "GET /{kind}/{item_id}/flip", "GET /propagation/{revision}",
    "GET /shadow/{route_id}/examples/{example_id}", "GET /replays/{replay_id}",
    "GET /audit/export.{kind}", "GET /revisions/{number}", "GET /kill/progress",
    "GET /shadow/{route_id}/restart", "GET /new/{items}",
}  # fmt: skip
SESSION = {"POST /login", "POST /logout"}
"""Of the console's own session; the API has none."""


def _operations(app: FastAPI) -> set[str]:
    found = set()
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            found.add(f"{method.upper()} {path.removeprefix('/api/v1')}")
    return found


def _commands(command: Any, names: tuple[str, ...] = ()) -> set[str]:
    found = {" ".join(names)} if names else set()
    for name, inner in getattr(command, "commands", {}).items():
        found |= _commands(inner, (*names, name))
    return found


def _routes() -> set[str]:
    found = set()
    for module in console.SCREENS:
        for route in module.router.routes:
            for method in getattr(route, "methods", ()):
                found.add(f"{method} {re.sub(':path', '', route.path)}")
    return found


def test_the_console_has_no_private_powers(tmp_path: Path) -> None:
    services = make_services(Settings(database_url=f"sqlite:///{tmp_path}/figway.sqlite3"))
    operations = {re.sub(":path", "", name) for name in _operations(create_app(services))}
    commands = _commands(typer.main.get_command(cli))
    routes = _routes()
    changing = {name for name in routes if not name.startswith("GET ")}
    assert changing - SESSION == set(ACTIONS)
    assert routes - changing == set(VIEWS) | PARTS
    for name, ways in {**ACTIONS, **VIEWS}.items():
        for operation, command in ways:
            assert operation in operations, f"{name} is not in the API"
            assert command in commands, f"{name} is no command"


NAMED_BY_KIND = {f"{kind.value}.{verb}" for kind in (Kind.ROUTE, Kind.BACKEND, Kind.CAPABILITY)
                 for verb in ("create", "put", "patch", "delete")}  # fmt: skip
CHOSEN = {"table.seed", "kill.on", "kill.off", "route.flip", "capability.flip", "route.breaker",
          "session.start", "session.link", "session.failed", "table.migrate"}  # fmt: skip
"""Actions whose names are put together, or chosen, where they are written."""


def test_every_action_can_be_filtered_for() -> None:
    folder = Path(audit.__file__).parents[2]
    found = NAMED_BY_KIND | CHOSEN
    found |= {f"rollout.{kind.value}" for kind in EventKind if kind is not EventKind.TICK}
    named = r'(?:entry|publish|publish_item)\(\s*"([a-z]+\.[a-z_]+)"|action="([a-z]+\.[a-z_]+)"'
    for file in folder.rglob("*.py"):
        found |= {one or other for one, other in re.findall(named, file.read_text("utf-8"))}
    assert found == set(audit.ACTIONS)
