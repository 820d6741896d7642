"""What the policy of exposure asks: the evidence of routes, and what live proxies cannot open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from control_plane.fleet.schemas import InstanceOut
from control_plane.percent import lower
from control_plane.publishing.exposure import NOTHING_COMPARED, ExposurePolicy, Proof
from control_plane.publishing.unopened import LeftOut
from control_plane.services import Services
from figway.evidence.comparing import window_of
from figway.evidence.judgement import Judgement
from figway.model.change import Kind


def exposure_policy(services: Services) -> ExposurePolicy:
    """The policy over the parts of a control plane."""

    async def evidence(routes: Iterable[str]) -> Mapping[str, Proof]:
        judged = await services.comparisons.views.judged(list(routes))
        table = services.state.current.table
        return {
            route: proof_of(found.judgement, of_now=found.window == window_of(table, route))
            for route, found in judged.items()
        }

    async def unopened() -> list[LeftOut]:
        return [
            LeftOut(proxy.instance, item.id, item.text or item.code)
            for proxy in await services.fleet.all()
            if proxy.live
            for item in proxy.quarantine
            if item.kind == "backend" and _is_of_now(services, proxy, item.id)
        ]

    return ExposurePolicy(evidence, unopened)


def _is_of_now(services: Services, proxy: InstanceOut, backend: str) -> bool:
    """Did the proxy try the backend as it is now? A report that is on its way is of the one before,
    as long as its table is older than what was last written of the backend."""
    stored = services.state.stored(Kind.BACKEND, backend)
    if stored is None:
        return False
    return proxy.etag == services.state.current.etag or proxy.revision >= stored.revision


def proof_of(found: Judgement, *, of_now: bool = True) -> Proof:
    """Where a route stands towards the first goal, in words; also what keeps it from being proven
    though enough pairs match. `of_now` is that of `Proof`."""
    goal = found.goals[0]
    if not found.rated:
        return _unrated(found, of_now)
    text = f"{found.match} of {found.rated} pairs match"
    if found.new_failed:
        text += f", new failed on {found.new_failed}"
    if goal.standing == "refuted":
        return Proof(
            goal.standing, f"{text}, at most {found.interval.high:.2%}: new is wrong", of_now
        )
    text += f", at least {lower(found.interval.low):.2%} by 95% confidence"
    if goal.needs:
        text += f"; {goal.needs} more matching pairs would prove {goal.rate:.0%}"
    kept = next((reason for reason in found.reasons if reason.keeps), None)
    if kept is not None and goal.standing != "proven":
        text += f"; not proven: {kept.text}"
    return Proof(goal.standing, text, of_now)


_UNRATED = (
    ("unconfirmed", "differ and had no second look"),
    ("stale", "came from data that had moved on"),
    ("not_comparable", "hold what cannot be compared"),
    ("legacy_failed", "failed at legacy"),
    ("both_failed", "failed at both sides"),
)


def _unrated(found: Judgement, of_now: bool) -> Proof:
    """Of a route whose pairs all say nothing of agreement: what became of them."""
    parts = [f"{number} {words}" for name, words in _UNRATED if (number := getattr(found, name))]
    if not parts:
        return NOTHING_COMPARED
    return Proof("not_enough_data", f"no pair is rated: {', '.join(parts)}", of_now)
