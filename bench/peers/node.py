"""Node: the http-proxy package, and a proxy of a page on undici."""

from __future__ import annotations

import json

from bench.peers import HERE, Missing, Spec, Start, node_package, program
from bench.routes import regex


def _start(spec: Spec, package: str, script: str) -> Start:
    if spec.mirror:
        raise Missing(f"{package} has no mirroring")
    config = {
        "port": spec.port,
        "legacy": spec.legacy,
        "new": spec.new,
        "split": spec.split,
        "routes": [regex(number) for number in range(spec.routes)],
    }
    path = spec.directory / "node.json"
    path.write_text(json.dumps(config))
    env = {"NODE_PATH": node_package(package)}
    return Start([program("node"), str(HERE / "node" / script), str(path)], env)


def http_proxy(spec: Spec) -> Start:
    """The http-proxy package with a keep-alive agent."""
    return _start(spec, "http-proxy", "http_proxy.js")


def undici(spec: Spec) -> Start:
    """Node's http server over an undici pool."""
    return _start(spec, "undici", "undici.js")
