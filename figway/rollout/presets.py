"""Plans that most routes can do with: `figway rollout start orders` takes one of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CAREFUL: Mapping[str, Any] = {
    "steps": [
        {"stage": "shadow", "sample": "100%"},
        {"weight": "1%", "hold": "30m"},
        {"weight": "5%", "hold": "2h"},
        {"weight": "25%", "hold": "1d"},
        {"weight": "50%", "hold": "1d"},
        {"weight": "100%", "hold": "3d"},
        {"stage": "new"},
    ],
    "gates": {"parity": "99.5%", "errors": {"ratio": 1.5, "floor": "0.1%"}},
    "warmup": "2m",
}
_QUICK: Mapping[str, Any] = {
    "steps": [
        {"stage": "shadow", "sample": "100%"},
        {"weight": "5%", "hold": "2m"},
        {"weight": "25%", "hold": "5m"},
        {"weight": "100%", "hold": "10m"},
        {"stage": "new"},
    ],
    "gates": {"parity": "99%", "min_distinct": 20, "errors": {"ratio": 1.5, "floor": "2%"}},
    "warmup": "20s",
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "careful": _CAREFUL,
    "quick": _QUICK,
    "observe": {**_CAREFUL, "observe": True},
}
"""By name, as a plan's document would have them; `id` and `target` come from who starts it."""
