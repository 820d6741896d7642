"""Figway itself: `python -m proxy`, its table from a control plane.

`native` and `asgi` are the compiled build, as a container runs it; `interpreted` is the native
door from the sources, which says what the compiler gives.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from bench.peers import PYTHON, Missing, Spec, Start

_COMPILED = Path(__file__).resolve().parents[2] / "build/compiled"


def _start(spec: Spec, door: str, *, compiled: bool = True) -> Start:
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
    if compiled:
        if not (_COMPILED / f"proxy/request/flow{EXTENSION_SUFFIXES[0]}").exists():
            raise Missing("the compiled build for this interpreter is not there (make compiled)")
        env |= {"PYTHONPATH": str(_COMPILED), "PYTHONSAFEPATH": "1"}
    return Start([PYTHON, "-m", "proxy"], env, with_control=True)


def native(spec: Spec) -> Start:
    """The native door."""
    return _start(spec, "native")


def interpreted(spec: Spec) -> Start:
    """The native door, not compiled."""
    return _start(spec, "native", compiled=False)


def asgi(spec: Spec) -> Start:
    """The ASGI door under uvicorn."""
    return _start(spec, "asgi")
