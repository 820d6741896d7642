"""Judges stored counts by the rules, words and forms of now, and remembers what it judged.

A judgement is made anew when its counts or its route's comparison policy change. Of what has not
changed nothing is read or worked out again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.comparisons import builds
from control_plane.comparisons.builds import BuildHead, BuildKey, StoredBuild
from control_plane.comparisons.judged import EvidenceSummary, Judged
from control_plane.publishing.state import TableState
from figway.compare.rules import RuleError
from figway.evidence.comparing import overruled, rule_set
from figway.evidence.judgement import Now
from figway.model.comparison import ComparisonPolicy
from figway.model.table import Route

_MOST_JUDGED = 2_000
_CHUNK = 100
_NOBODYS = ComparisonPolicy()


class _Basis(NamedTuple):
    """What a judgement rests on: when this changes, it is made anew."""

    version: int
    policy: ComparisonPolicy
    legacy_reads: str


def now_of(route: Route | None) -> Now:
    """What the counts of a route are read by."""
    policy = _NOBODYS if route is None else route.comparison
    try:
        rules = rule_set(policy)
    except RuleError:  # validation lets none pass; evidence is shown all the same
        rules = rule_set(_NOBODYS)
    return Now(rules, overruled(policy), legacy_reads=_legacy_reads(route))


def _legacy_reads(route: Route | None) -> str:
    return "cacheable" if route is None else route.shadow.legacy_reads.value


class EvidenceJudge:
    """See the module. One for each control plane."""

    def __init__(self, state: TableState) -> None:
        self._state = state
        self._judged: OrderedDict[BuildKey, tuple[_Basis, Judged]] = OrderedDict()
        self._summaries: dict[BuildKey, tuple[_Basis, EvidenceSummary]] = {}

    async def judged(
        self, connection: AsyncConnection, heads: Sequence[BuildHead]
    ) -> dict[BuildKey, Judged]:
        """The judgements of some builds."""
        found: dict[BuildKey, Judged] = {}
        missing: dict[BuildKey, _Basis] = {}
        for head in heads:
            basis = self._basis(head)
            known = self._judged.get(head.key)
            if known is not None and known[0] == basis:
                self._judged.move_to_end(head.key)
                found[head.key] = known[1]
            else:
                missing[head.key] = basis
        keys = list(missing)
        for start in range(0, len(keys), _CHUNK):
            stored = await builds.whole(connection, keys[start : start + _CHUNK])
            made = await asyncio.to_thread(self._judge, stored)
            found |= made
            self._remember({key: (missing[key], one) for key, one in made.items()})
        return found

    async def summaries(
        self, connection: AsyncConnection, heads: Sequence[BuildHead]
    ) -> dict[BuildKey, EvidenceSummary]:
        """The same in little, of any number of builds."""
        found: dict[BuildKey, EvidenceSummary] = {}
        missing: dict[BuildKey, BuildHead] = {}
        for head in heads:
            known = self._summaries.get(head.key)
            if known is not None and known[0] == self._basis(head):
                found[head.key] = known[1]
            else:
                missing[head.key] = head
        keys = list(missing)
        for start in range(0, len(keys), _CHUNK):
            some = [missing[key] for key in keys[start : start + _CHUNK]]
            for key, one in (await self.judged(connection, some)).items():
                found[key] = EvidenceSummary.of(one)
                self._summaries[key] = (self._basis(missing[key]), found[key])
        if len(self._summaries) > 2 * len(heads) + _MOST_JUDGED:
            self._summaries = {key: self._summaries[key] for key in found}
        return found

    def now(self, route: str) -> Now:
        """What the counts of a route are read by."""
        return now_of(self._state.current.table.routes.get(route))

    def _basis(self, head: BuildHead) -> _Basis:
        route = self._state.current.table.routes.get(head.key.route)
        policy = _NOBODYS if route is None else route.comparison
        return _Basis(head.version, policy, _legacy_reads(route))

    def _judge(self, stored: Sequence[StoredBuild]) -> dict[BuildKey, Judged]:
        return {
            one.head.key: Judged.of(one.head.key, one.evidence, self.now(one.head.key.route))
            for one in stored
        }

    def _remember(self, made: dict[BuildKey, tuple[_Basis, Judged]]) -> None:
        self._judged.update(made)
        while len(self._judged) > _MOST_JUDGED:
            self._judged.popitem(last=False)
