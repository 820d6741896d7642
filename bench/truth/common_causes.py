"""What is said of the differing requests of each kind: the seeded cause, or an invented one."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.truth.kinds import Kind
from control_plane.comparisons.in_common import sentences
from control_plane.comparisons.records import StoredPair

_HIDDEN = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{8}\]")


def stored_pairs(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[StoredPair]]:
    """By route, the pairs that a worker's rows hold, as the control plane reads them."""
    found: defaultdict[str, list[StoredPair]] = defaultdict(list)
    for row in rows:
        for one in row["examples"]:
            names = ("signature", "served", "revision")
            told = {name: one.get(name, "") for name in names}
            found[row["route"]].append(
                StoredPair(
                    number=0,
                    id=one["id"],
                    at_ms=one["at_ms"],
                    received_ms=one["at_ms"],
                    route=row["route"],
                    window=row["window"],
                    instance="",
                    size=0,
                    summary="{}",
                    verdict=one["verdict"],
                    document=json.dumps(one),
                    **told,
                )
            )
    return found


def conditions(pairs: Sequence[StoredPair], fields: Sequence[str]) -> list[str]:
    """What is said of some differing fields: `with currency=JPY`."""
    return sorted({text.rpartition(": ")[0] for text in sentences(pairs, fields).values()})


def judged(kind: Kind, said: Sequence[str]) -> str:
    """`named` or `unnamed` for a kind that has a cause; else empty, or `invented`.

    One number that is always wrong may be named by its path: that is its cause.
    """
    if kind.cause:
        return "named" if any(_names(text, kind.cause) for text in said) else "unnamed"
    others = [text for text in said if not text.startswith("with path segment")]
    return "invented" if others else ""


def _names(said: str, cause: str) -> bool:
    parts = [_HIDDEN.sub("", part) for part in said.split(" and ")]
    wanted = [part.removesuffix("...") for part in cause.split(" and ")]
    return len(parts) == len(wanted) and all(
        any(part.startswith(want) for part in parts) for want in wanted
    )
