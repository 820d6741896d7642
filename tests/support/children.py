"""The processes below a process."""

from __future__ import annotations

from pathlib import Path

from tests.support.fleet import Proxy


def children(proxy: Proxy, module: str) -> list[int]:
    """Processes of a proxy that run a module."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes()
            group = int((entry / "stat").read_text().rpartition(")")[2].split()[2])
        except (OSError, ValueError):
            continue
        if group == proxy.process.pid and f"\0{module}\0".encode() in line:
            found.append(int(entry.name))
    return found
