"""What is told of backends: URLs that are left out, health checks, and the use of budgets.

A worker reads it from its runtime once a second (`BackendBook`), the supervisor adds it up over the
workers (`BackendTotals`). Names are those of the table, so their number is bounded by it. A backend
that is changed or removed takes what was counted since the last reading with it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from figway.serving.attempts.members import Members, MemberState
from proxy.request.runtime import Runtime


@runtime_checkable
class Balanced(Protocol):
    """An upstream with several members."""

    members: Members
    names: tuple[str, ...]


_IN = MemberState.IN.value


class BackendBook:
    """Reads one worker's runtime. JSON forms:

    `out`: backend, member, state, since_ms (since the epoch) of each member that is not asked;
    `events`: each member that left or came back since the last reading, as reports hold events;
    `counts`: [what, backend, which, count] since the last reading; `budgets`: backend, budget,
    per_s, what it grants in a second at present.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[str, int]] = {}
        """The state of each member that is not asked, and since when."""

    def take(self, runtime: Runtime | None) -> dict[str, Any]:
        """What is to be told now."""
        if runtime is None:
            return {"out": [], "events": [], "counts": [], "budgets": []}
        now = runtime.timer.now
        counts: list[tuple[str, str, str, int]] = []
        states: dict[tuple[str, str], str] = {}
        for live in runtime.backends():
            upstream, backend = live.upstream, live.backend.id
            if not isinstance(upstream, Balanced):
                continue
            for name, member in zip(upstream.names, upstream.members.all, strict=True):
                taken = zip(("ejected", "bad", "good"), member.take(), strict=True)
                counts += [(what, backend, name, count) for what, count in taken if count]
                if not live.retired:
                    states[backend, name] = member.state(now).value
        budgets = []
        for backend, use, budget in runtime.budgets():
            taken = zip(("spent", "refused"), budget.take(), strict=True)
            counts += [(what, backend, use, count) for what, count in taken if count]
            per_s = round(budget.per_second(now), 3)
            budgets.append({"backend": backend, "budget": use, "per_s": per_s})
        counts += [("odd", *row) for row in runtime.odd_answers()]
        events = self._follow(states)
        out = [
            {"backend": backend, "member": name, "state": state, "since_ms": since}
            for (backend, name), (state, since) in self._known.items()
        ]
        return {"out": out, "events": events, "counts": counts, "budgets": budgets}

    def _follow(self, states: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
        """Take in the present state of each member; what changed."""
        known, now = self._known, int(time.time() * 1000)
        self._known = {}
        events: list[dict[str, Any]] = []
        for (backend, name), state in states.items():
            before, since = known.get((backend, name), (_IN, now))
            if state != before:
                since = now
                event = {"at_ms": now, "kind": "member", "backend": backend, "member": name}
                events.append({**event, "from": before, "to": state})
            if state != _IN:
                self._known[backend, name] = (state, since)
        return events


class BackendTotals:
    """Counts of all workers, those that are gone included: they never go backwards."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self._refused_ms: dict[tuple[str, str], int] = {}

    def add(self, counts: Iterable[tuple[str, str, str, int]]) -> None:
        """Add what one worker counted."""
        for what, backend, which, count in counts:
            self.counts[what, backend, which] += count
            if what == "refused":
                self._refused_ms[backend, which] = int(time.time() * 1000)

    def rows(self, what: str) -> list[tuple[str, str, int]]:
        """Backend, member or budget, and count, in order."""
        return sorted(
            (backend, which, count)
            for (kind, backend, which), count in self.counts.items()
            if kind == what
        )

    def budgets(self) -> list[dict[str, Any]]:
        """Each budget that was asked for anything: JSON rows for the fleet."""
        asked = {key[1:] for key in self.counts if key[0] in ("spent", "refused")}
        return [
            {
                "backend": backend,
                "budget": use,
                "spent": self.counts["spent", backend, use],
                "refused": self.counts["refused", backend, use],
                "refused_ms": self._refused_ms.get((backend, use), 0),
            }
            for backend, use in sorted(asked)
        ]


def granted(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, float]]:
    """Backend, budget, and what all workers together may take in a second."""
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found[row["backend"], row["budget"]] += row["per_s"]
    return sorted((*key, value) for key, value in found.items())
