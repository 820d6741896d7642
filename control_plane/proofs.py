"""What the policy of exposure asks: the evidence of routes, and what live proxies cannot open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from control_plane.publishing.exposure import NOTHING_COMPARED, ExposurePolicy, Proof
from control_plane.services import Services
from figway.evidence.judgement import Judgement


def exposure_policy(services: Services) -> ExposurePolicy:
    """The policy over the parts of a control plane."""

    async def evidence(routes: Iterable[str]) -> Mapping[str, Proof]:
        judged = await services.comparisons.views.judged(list(routes))
        return {route: _proof(found.judgement) for route, found in judged.items()}

    async def unopened() -> Mapping[str, str]:
        return {
            item.id: f"{item.text} ({proxy.instance})"
            for proxy in await services.fleet.all()
            if proxy.live
            for item in proxy.quarantine
            if item.kind == "backend"
        }

    return ExposurePolicy(evidence, unopened)


def _proof(found: Judgement) -> Proof:
    goal = found.goals[0]
    if not found.rated:
        return Proof("not_enough_data", NOTHING_COMPARED.text)
    text = f"{found.match} of {found.rated} pairs match"
    if goal.standing == "refuted":
        text += f", at most {found.interval.high:.1%}: new is wrong"
    else:
        text += f", at least {found.interval.low:.1%} by 95% confidence"
    if goal.needs:
        text += f"; {goal.needs} more matching pairs would prove {goal.rate:.0%}"
    return Proof(goal.standing, text)
