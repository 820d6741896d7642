"""How much memory a proxy needs, and what it does where there is less.

The figures are estimated resident sizes on Linux with a small table; docs/operate/operations.md has
the sizing. Where the container allows less, the captures of the shadow get less, since nothing
depends on them; and of all processes the shadow worker offers itself to the kernel's OOM killer.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

MB = 1024 * 1024
SUPERVISOR = 70 * MB
WORKER = 50 * MB
SHADOW_WORKER = 90 * MB
"""Without what waits in it."""
LEAST_CAPTURES = 2 * MB
"""Of each worker: a few ordinary answers."""
FIRST_TO_GO = 900
"""`oom_score_adj` of the shadow worker: above all others of the container, below nothing."""

_CGROUP_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_NO_LIMIT = 1 << 50


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """`need` is with all captures as set; `captures` is what each worker may hold."""

    need: int
    captures: int
    enough: bool


def plan_memory(limit: int, workers: int, captures: int, *, shadow: bool) -> MemoryPlan:
    """Share `limit` bytes (0 is no limit) among `workers`, which may hold `captures` each."""
    fixed = SUPERVISOR + workers * WORKER + (SHADOW_WORKER if shadow else 0)
    if not shadow:
        return MemoryPlan(fixed, captures, not limit or fixed <= limit)
    # What waits at the workers comes to wait at the shadow worker, so it is counted there too.
    need = fixed + (workers + 1) * captures
    if not limit or need <= limit:
        return MemoryPlan(need, captures, True)
    left = max(0, limit - fixed) // (workers + 1)
    return MemoryPlan(need, max(LEAST_CAPTURES, min(captures, left)), False)


def memory_limit() -> int:
    """What the container allows, in bytes; 0 where it says nothing."""
    for path in _CGROUP_FILES:
        with contextlib.suppress(OSError, ValueError):
            limit = int(path.read_text("ascii"))
            return limit if limit < _NO_LIMIT else 0
    return 0


def offer_to_oom_killer(score: int = FIRST_TO_GO) -> None:
    """Let the kernel take this process first when memory runs out. Linux alone knows of it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{score}\n", "ascii")
