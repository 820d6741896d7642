"""What the stored requests that differ in a field have in common, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_plane.comparisons.batches import ExampleIn
from control_plane.comparisons.records import StoredPair
from figway.evidence.common import AskedRequest, common

MOST_PAIRS = 400
MOST_BYTES = 6_000_000
_ANSWERED = frozenset({"match", "mismatch", "stale", "unconfirmed", "not_comparable"})
_SIGNED_IN = 4
"""Where a shape says whether the request was signed in."""


def sentences(pairs: Sequence[StoredPair], fields: Sequence[str]) -> dict[str, str]:
    """By field; fields whose requests nothing splits are left out."""
    asked = [
        (_request(row.pair["request"]), _differing(row))
        for row in pairs
        if row.verdict in _ANSWERED
    ]
    found = {}
    for field in fields:
        differing = [request for request, where in asked if field in where]
        others = [request for request, where in asked if field not in where]
        condition = common(differing, others)
        if condition is not None:
            found[field] = condition.text
    return found


def _differing(row: StoredPair) -> frozenset[str]:
    return frozenset(one.key for one in ExampleIn.model_validate(row.pair).differences)


def _request(stored: dict[str, Any]) -> AskedRequest:
    shape = stored.get("shape")
    signed = (
        bool(shape[_SIGNED_IN]) if isinstance(shape, list) and len(shape) > _SIGNED_IN else None
    )
    text = stored["body"] if stored["body_kind"] == "text" else None
    headers = tuple((str(name), str(value)) for name, value in stored["headers"])
    return AskedRequest(stored["method"], stored["target"], headers, text or "", signed)
