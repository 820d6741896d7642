"""Caddy: routes by `path_regexp`; the split by a hash of the Cookie over four equal backends."""

from __future__ import annotations

import json
from typing import Any

from bench.peers import Missing, Spec, Start, program
from bench.routes import regex


def _proxy(ports: tuple[int, ...]) -> dict[str, Any]:
    handler: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"} for port in ports],
        "transport": {
            "protocol": "http",
            "compression": False,
            "keep_alive": {"enabled": True, "max_idle_conns_per_host": 1024},
        },
    }
    if len(ports) > 1:
        policy = {"policy": "header", "field": "Cookie"}
        handler["load_balancing"] = {"selection_policy": policy}
    return handler


def prepare(spec: Spec) -> Start:
    """Caddy with a JSON configuration. It has no mirroring."""
    if spec.mirror:
        raise Missing("Caddy has no mirroring in its standard modules")
    ports = (spec.legacy, *spec.legacy_aliases, spec.new) if spec.split else (spec.legacy,)
    routes: list[dict[str, Any]] = [
        {
            "match": [{"path_regexp": {"pattern": regex(number)}}],
            "handle": [_proxy(ports)],
            "terminal": True,
        }
        for number in range(spec.routes)
    ]
    routes.append({"handle": [_proxy((spec.legacy,))]})
    server = {
        "listen": [f"127.0.0.1:{spec.port}"],
        "automatic_https": {"disable": True},
        "protocols": ["h1"],
        "routes": routes,
    }
    config = {
        "admin": {"disabled": True},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": {"facade": server}}},
    }
    path = spec.directory / "caddy.json"
    path.write_text(json.dumps(config))
    env = {"GOMAXPROCS": str(spec.workers), "XDG_DATA_HOME": str(spec.directory)}
    env["XDG_CONFIG_HOME"] = env["HOME"] = str(spec.directory)
    return Start([program("caddy"), "run", "--config", str(path)], env)
