"""What the kernel knows of a process tree and of a core: CPU time, memory, theft."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Use:
    """CPU microseconds since the start of a process tree, all and by role; memory in MB."""

    cpu_us: float
    by_role: dict[str, float]
    rss_mb: float
    largest_mb: float


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue += children.get(one, [])
    return found


def use(pid: int) -> Use:
    """What the tree of `pid` has used so far; processes that ended are in their parents."""
    total, by_role = 0.0, dict[str, float]()
    sizes = [0.0]
    for one in tree(pid):
        fields = _stat(one)
        if not fields:
            continue
        spent = sum(int(item) for item in fields[11:15]) * _TICK_US
        total += spent
        role = _role(one)
        by_role[role] = by_role.get(role, 0.0) + spent
        sizes.append(_memory(one, "VmRSS"))
    return Use(total, by_role, sum(sizes), max(sizes))


def of_role(pid: int, role: str) -> list[int]:
    """The processes of a tree that have a role."""
    return [one for one in tree(pid) if _role(one) == role]


def peak_mb(pid: int) -> float:
    """The sum of the peak resident sizes of a process tree."""
    return sum(_memory(one, "VmHWM") for one in tree(pid))


@dataclass(frozen=True, slots=True)
class Core:
    """Microseconds that a core was busy, and that the host took from it."""

    busy_us: float
    stolen_us: float


def core(number: int) -> Core:
    """The clock of one core."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *values = line.split()
        if name == f"cpu{number}":
            user, nice, system, _, _, irq, soft, steal = (int(value) for value in values[:8])
            return Core((user + nice + system + irq + soft) * _TICK_US, steal * _TICK_US)
    raise LookupError(f"no core {number}")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state first."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _memory(pid: int, key: str) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def _role(pid: int) -> str:
    """`worker`, `shadow` or `main`, by the module that a process runs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "main"
    if b"proxy.processes.worker" in words:
        return "worker"
    return "shadow" if any(b"shadow" in word for word in words) else "main"
