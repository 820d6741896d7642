"""Traefik: routers by `PathRegexp`, weighted services with a sticky cookie, mirroring."""

from __future__ import annotations

import json
from typing import Any

from bench.peers import Spec, Start, program
from bench.routes import regex


def _service(port: int) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}


def prepare(spec: Spec) -> Start:
    """Traefik with the file provider."""
    services: dict[str, Any] = {"legacy": _service(spec.legacy), "new": _service(spec.new)}
    serving = "legacy"
    if spec.split:
        serving = "split"
        services["split"] = {
            "weighted": {
                "services": [{"name": "new", "weight": 25}, {"name": "legacy", "weight": 75}],
            }
        }
    if spec.mirror:
        services["copied"] = {
            "mirroring": {"service": serving, "mirrors": [{"name": "new", "percent": 100}]}
        }
        serving = "copied"
    routers: dict[str, Any] = {
        f"r{number}": {
            "rule": f"PathRegexp(`{regex(number)}`)",
            "service": serving,
            "entryPoints": ["web"],
        }
        for number in range(spec.routes)
    }
    routers["default"] = {
        "rule": "PathPrefix(`/`)",
        "priority": 1,
        "service": "legacy",
        "entryPoints": ["web"],
    }
    dynamic = spec.directory / "dynamic.yml"  # JSON is YAML
    dynamic.write_text(json.dumps({"http": {"routers": routers, "services": services}}))
    static = spec.directory / "traefik.yml"
    static.write_text(
        json.dumps(
            {
                "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
                "entryPoints": {"web": {"address": f"127.0.0.1:{spec.port}"}},
                "providers": {"file": {"filename": str(dynamic), "watch": False}},
                "serversTransport": {"maxIdleConnsPerHost": 1024},
                "log": {"level": "ERROR"},
            }
        )
    )
    note = "random split (its stickiness stores the decision in a cookie)" if spec.split else ""
    return Start(
        [program("traefik"), f"--configFile={static}"],
        {"GOMAXPROCS": str(spec.workers)},
        note=note,
    )
