"""The servers that are measured, each with its configuration, made from one `Spec` for all.

Each module has `prepare(spec)`, which writes the configuration into `spec.directory` and returns
how to start the server. A server that is not installed, or that cannot do what a spec asks,
raises `Missing` with the reason, and the report says so.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".peers"


class Missing(Exception):
    """The server cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a server has to do, and where. `legacy` and `new` are ports of the origin."""

    port: int
    legacy: int
    legacy_aliases: tuple[int, ...]
    """Further ports of the same origin, for servers that weigh backends by their number."""
    new: int
    directory: Path
    routes: int = 0
    split: bool = False
    mirror: bool = False
    operation: bool = False
    """`GetCart` of `/graphql` goes to new, as the body names it; everything else to legacy."""
    workers: int = 1
    flips: float = 0.0


@dataclass(frozen=True, slots=True)
class Start:
    """A command to run in the foreground, and what else it needs."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    note: str = ""
    """Where it does less, or other, than was asked."""
    with_control: bool = False
    """It follows a control plane, whose port goes into `FIGWAY_CONTROL_URL`."""


def program(name: str) -> str:
    """The path of an installed program. Raises `Missing`."""
    for place in (PEERS / "venv/bin" / name, Path("/usr/sbin") / name):
        if place.exists():
            return str(place)
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed (make bench-peers)")
    return found


def node_package(name: str) -> str:
    """The directory that holds an npm package. Raises `Missing`."""
    if not (PEERS / "node/node_modules" / name).is_dir():
        raise Missing(f"npm package {name} is not installed (make bench-peers)")
    return str(PEERS / "node/node_modules")


def registry() -> dict[str, Callable[[Spec], Start]]:
    """Every server by name, in the order of the report."""
    from bench.peers import bare, caddy, envoy, figway, haproxy, nginx, node, traefik, tutorial

    return {
        "native": figway.native,
        "interpreted": figway.interpreted,
        "asgi": figway.asgi,
        "nginx": nginx.prepare,
        "haproxy": haproxy.prepare,
        "envoy": envoy.prepare,
        "traefik": traefik.prepare,
        "caddy": caddy.prepare,
        "http-proxy": node.http_proxy,
        "undici": node.undici,
        "fastapi": tutorial.prepare,
        "bare-relay": bare.relay,
        "bare-asgi": bare.asgi,
    }


PYTHON = sys.executable
