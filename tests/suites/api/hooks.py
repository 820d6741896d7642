"""What keeps a run of schemathesis from ending itself; it is loaded by name."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

_OWN = os.environ["FIGWAY_FUZZ_KEY"].split("_")[1]


@schemathesis.hook
def before_call(_: Any, case: Any, _arguments: dict[str, Any]) -> None:
    """The key that the run lives by is not revoked, and nobody waits for proxies that are not."""
    parameters = case.path_parameters or {}
    if parameters.get("prefix") == _OWN:
        parameters["prefix"] = "zzzzzzzz"
    if isinstance(case.query, dict) and _is_long(case.query.get("timeout")):
        case.query["timeout"] = 0.01


def _is_long(value: Any) -> bool:
    try:
        return 0.01 < float(value) <= 60
    except (TypeError, ValueError):
        return False
