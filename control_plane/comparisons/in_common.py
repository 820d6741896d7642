"""What the stored requests that differ in a field have in common, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_plane.comparisons.batches import ExampleIn
from control_plane.comparisons.records import StoredPair
from figway.evidence.common import AskedRequest, common
from figway.evidence.may_ask_legacy import signed_in

MOST_PAIRS = 400
MOST_BYTES = 6_000_000
_ANSWERED = frozenset({"match", "mismatch", "stale", "unconfirmed", "not_comparable"})


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
    text = stored["body"] if stored["body_kind"] == "text" else None
    headers = tuple((str(name), str(value)) for name, value in stored["headers"])
    # Names are stored, whatever became of the values.
    who = signed_in([(_raw(name), _raw(value)) for name, value in headers])
    return AskedRequest(stored["method"], stored["target"], headers, text or "", who)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "replace")
