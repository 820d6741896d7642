"""Figway itself: `python -m proxy`, as a container runs it, its table from a control plane."""

from __future__ import annotations

from bench.peers import PYTHON, Spec, Start


def _start(spec: Spec, door: str) -> Start:
    settings = {
        "DOOR": door,
        "LISTEN": f"127.0.0.1:{spec.port}",
        "PRIVATE_LISTEN": "127.0.0.1:0",
        "STATE_DIR": str(spec.directory),
        "WORKERS": str(spec.workers),
        "CONTROL_KEY": "bench",
        "MAX_CONNECTIONS": "20000",
        "LOG": "off",  # as the peers' access logs are off; counters and reports stay on
    }
    env = {f"FIGWAY_{name}": value for name, value in settings.items()}
    return Start([PYTHON, "-m", "proxy"], env, with_control=True)


def native(spec: Spec) -> Start:
    """The native door."""
    return _start(spec, "native")


def asgi(spec: Spec) -> Start:
    """The ASGI door under uvicorn."""
    return _start(spec, "asgi")
