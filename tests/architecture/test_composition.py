"""Only a composition root constructs what reaches outside: sockets, databases, clients.

import-linter holds which package imports which; that a name is imported for its type and never
called is seen here, in the syntax.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ADAPTERS = {
    "proxy": {
        "ControlPlane": {"processes/bootstrap.py"},
        "LastGood": {"processes/bootstrap.py"},
        "Supervisor": {"processes/bootstrap.py"},
        "HttpUpstream": {
            "upstreams/factory.py",
            "upstreams/aws_lambda.py",  # Invoke goes over HTTP
            "upstreams/signed.py",
            "upstreams/handing_on.py",  # so do messages, events and executions
            "aws/calls.py",  # the root of what runs on Lambda
        },
        "LambdaUpstream": {"upstreams/factory.py"},
        "NativeDoor": {"processes/worker.py", "doors/server.py", "doors/uvicorn.py"},
    },
    "control_plane": {
        "Database": {"bootstrap.py", "auth/offline.py"},
        "Publisher": {"bootstrap.py"},
        "AuthService": {"bootstrap.py"},
        "FleetService": {"bootstrap.py"},
        "TrafficService": {"bootstrap.py"},
        "ComparisonService": {"bootstrap.py"},
        "FastAPI": {"bootstrap.py", "console/app.py"},  # the console is mounted whole
    },
}


def constructed(path: Path) -> set[str]:
    """Names that a file calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {getattr(call, "id", "") or getattr(call, "attr", "") for call in calls}


@pytest.mark.parametrize("plane", ADAPTERS)
def test_only_composition_roots_construct_adapters(plane: str) -> None:
    """Elsewhere a part is handed what it needs."""
    where: dict[str, set[str]] = {name: set() for name in ADAPTERS[plane]}
    for path in (ROOT / plane).rglob("*.py"):
        for name in constructed(path) & where.keys():
            where[name].add(path.relative_to(ROOT / plane).as_posix())
    for name, allowed in ADAPTERS[plane].items():
        assert where[name], f"{name} is constructed nowhere: this list is out of date"
        assert where[name] <= allowed, name


@pytest.mark.parametrize(
    ("package", "place"), [("proxy", "control/http.py"), ("control_plane", "outbound.py")]
)
def test_httpx_is_imported_in_one_place_of_each_plane(package: str, place: str) -> None:
    """A move to its successor is one line."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "httpx" for name in names):
                found.add(path.relative_to(ROOT / package).as_posix())
    assert found == {place}


PURE = {"asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "time", "uuid"}


def test_the_core_is_pure() -> None:
    """No I/O, no clock, no randomness, no logging in figway/."""
    for path in (ROOT / "figway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & PURE, path
            called = getattr(getattr(node, "func", None), "id", "")
            assert called not in ("open", "print", "input"), path
