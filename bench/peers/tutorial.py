"""The proxy of the tutorials: FastAPI, and an `httpx.AsyncClient` a request."""

from __future__ import annotations

import json

from bench.peers import PYTHON, Missing, Spec, Start

CONFIG = "BENCH_TUTORIAL"


def prepare(spec: Spec) -> Start:
    """The application under uvicorn with uvloop and httptools."""
    if spec.mirror:
        raise Missing("the tutorial does not mirror")
    path = spec.directory / "tutorial.json"
    values = {"legacy": spec.legacy, "new": spec.new, "split": spec.split, "routes": spec.routes}
    path.write_text(json.dumps(values))
    command = [PYTHON, "-m", "uvicorn", "--factory", "bench.peers.tutorial_app:application"]
    command += ["--port", str(spec.port), "--no-access-log", "--log-level", "error"]
    return Start([*command, "--loop", "uvloop", "--http", "httptools"], {CONFIG: str(path)})
