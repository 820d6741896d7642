"""What rules would do to the stored pairs of a route."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from control_plane.comparisons import preview
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.judged import Judged
from control_plane.comparisons.preview import Surroundings
from control_plane.comparisons.records import StoredPair
from control_plane.comparisons.rules import route_of, spec
from control_plane.comparisons.schemas_rules import PreviewIn, PreviewOut, PreviewPlace
from control_plane.comparisons.stored_pairs import StoredPairs
from control_plane.comparisons.views import EvidenceViews
from control_plane.comparisons.wording import excuses, legacy_repeats
from control_plane.http.problems import ApiProblem, conflict, invalid, not_found
from control_plane.publishing.state import TableState
from figway.compare.rules import RuleError, RuleSet
from figway.evidence.comparing import rule_set
from figway.evidence.field_state import rules_at
from figway.model.table import Route

_AT_ONCE = 2
_MOST_PLACES = 50


class Previews:
    """Compares stored pairs again, with and without rules; a few at a time."""

    def __init__(self, state: TableState, views: EvidenceViews, pairs: StoredPairs) -> None:
        self._state = state
        self._views = views
        self._pairs = pairs
        self._running = asyncio.Semaphore(_AT_ONCE)

    async def preview(self, route_id: str, body: PreviewIn) -> PreviewOut:
        """What rules would do to the stored pairs. Raises `ApiProblem` 404, 422, 429."""
        route = route_of(self._state.current, route_id)
        refuse_plugin(route)
        before, after = rule_set(route.comparison), _changed(route, body)
        if self._running.locked():
            raise ApiProblem(
                429,
                "too_many_previews",
                "Too many previews",
                f"{_AT_ONCE} run already; each takes a few seconds at most",
                headers={"Retry-After": "2"},
            )
        async with self._running:
            rows = await self._stored(route_id, body.limit)
            judged = (await self._views.judged([route_id])).get(route_id)
            around = Surroundings.of(self._state.current.table, route, excused(judged))
            found = await asyncio.to_thread(preview.preview, route_id, rows, before, after, around)
        places = [] if judged is None else await self._places(judged, before, after)
        return found.model_copy(update={"places": places})

    async def _places(self, judged: Judged, before: RuleSet, after: RuleSet) -> list[PreviewPlace]:
        covered = [
            one
            for one in judged.judgement.fields
            if set(rules_at(after, one.path)) - set(rules_at(before, one.path))
        ]
        covered.sort(key=lambda one: -one.pairs)
        kept = covered[:_MOST_PLACES]
        stored = await self._pairs.count_by_field(judged.route, [one.field for one in kept])
        return [
            PreviewPlace(
                path=one.path,
                excuses=excuses(judged, one, stored.get(one.field, 0)),
                hides=legacy_repeats(judged, one),
            )
            for one in kept
        ]

    async def _stored(self, route_id: str, limit: int) -> list[StoredPair]:
        found: list[StoredPair] = []
        for verdict in ("mismatch", "unconfirmed", "not_comparable", "match"):
            room = limit - len(found)
            if room > 0:
                wanted = Wanted(route=route_id, verdict=verdict)
                found += await self._pairs.whole(wanted, room, preview.MOST_BYTES)
        return found


def refuse_plugin(route: Route) -> None:
    """Raises `ApiProblem` 409 for a route whose bodies own code reads: no control plane runs it."""
    if name := route.comparison.compare:
        raise conflict(
            f"the bodies of route {route.id!r} are read by the plugin {name}, which runs in shadow"
            " workers alone",
            "compared_by_plugin",
        )


def _changed(route: Route, body: PreviewIn) -> RuleSet:
    unknown = set(body.remove) - {rule.id for rule in route.comparison.rules}
    if unknown:
        raise not_found(f"comparison rule of route {route.id!r} named", min(unknown))
    left = [rule for rule in route.comparison.rules if rule.id not in body.remove]
    added = {rule.id: rule for rule in map(spec, body.add)}
    try:
        kept = tuple(rule for rule in left if rule.id not in added)
        return rule_set(replace(route.comparison, rules=(*kept, *added.values())))
    except RuleError as error:
        raise invalid("add", str(error)) from None


def excused(judged: Judged | None) -> frozenset[str]:
    """The fields that are noise now: a comparison of one pair takes them as such."""
    if judged is None:
        return frozenset()
    return frozenset(
        one.field
        for one in judged.judgement.fields
        if one.standing in ("noise", "form_alone", "stale")
    )
