"""What the words of the table mean, and how they are told to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from figway.rollout.gates import judge_gates
from figway.rollout.guards import foreseen, judge_guards
from figway.rollout.judging import RolloutJudgement, duration_text
from figway.rollout.observation import Observation
from figway.rollout.people import same_person
from figway.rollout.plan import OnBreach, RolloutPlan
from figway.rollout.state import (
    EventKind,
    Reason,
    RolloutEvent,
    RolloutState,
)

MOST_DOUBLINGS = 3


@dataclass(frozen=True)
class Look:
    """One event beside what was seen; what is judged is judged once."""

    plan: RolloutPlan
    state: RolloutState
    event: RolloutEvent
    seen: Observation

    @cached_property
    def gates(self) -> tuple[RolloutJudgement, ...]:
        """Every gate of the present step; none before the first."""
        return judge_gates(self.plan, self.state, self.seen) if self.state.step >= 0 else ()

    @cached_property
    def guards(self) -> tuple[RolloutJudgement, ...]:
        """Every guard."""
        return judge_guards(self.plan, self.state, self.seen)

    @property
    def breached(self) -> tuple[RolloutJudgement, ...]:
        """The guards that are breached."""
        return tuple(found for found in self.guards if not found.ok)

    @cached_property
    def foreseen(self) -> tuple[RolloutJudgement, ...]:
        """The guards that the next step would breach at once."""
        following = self.plan.steps[self.state.step + 1 :]
        serves = any(entry.placement.serves for entry in following[:1])
        full = self.event.kind is EventKind.PROMOTE_FULL and bool(following)
        return foreseen(self.plan, self.seen) if serves or full else ()

    @property
    def retrying(self) -> bool:
        """Whether a person asks to begin again."""
        return self.event.kind is EventKind.RETRY

    @property
    def hold_ms(self) -> int:
        """The least time in the present step. It doubles each time that the step after it
        failed, so that a borderline route does not go up and down."""
        if self.state.step < 0:
            return 0
        steps, following = self.plan.steps, self.state.step + 1
        failed = self.state.doubled.count(following)
        hold = steps[self.state.step].hold_ms
        if failed and following < len(steps):
            hold = max(hold, steps[following].hold_ms)
        return hold << failed

    @property
    def is_last(self) -> bool:
        """Whether no step follows."""
        return self.state.step >= len(self.plan.steps) - 1

    @property
    def may_go_on(self) -> bool:
        """Nothing forbids more exposure to a person either: no kill switch, nobody else's flip,
        no guard that is breached or would be at once, and something to go on to."""
        return not (self.seen.kill or _moved(self) or self.breached or self.foreseen)


def is_fresh(plan: RolloutPlan, seen: Observation) -> bool:
    """Whether every proxy serves the newest table, and reports arrive."""
    return not _is_behind(seen) and not _is_stale(plan, seen)


def _is_behind(seen: Observation) -> bool:
    current = seen.live > 0 and seen.current == seen.live
    return not current or seen.silent > 0 or bool(seen.left_out)


def _is_stale(plan: RolloutPlan, seen: Observation) -> bool:
    return seen.reports_age_ms is None or seen.reports_age_ms > plan.stale_after_ms


def _moved(look: Look) -> bool:
    return any(seen.placement != look.state.expected for seen in look.seen.routes)


def _moved_further(look: Look) -> bool:
    bound = look.state.expected.exposure
    return any(seen.placement.exposure > bound for seen in look.seen.routes)


def _breached(look: Look, on_breach: OnBreach) -> bool:
    return look.plan.on_breach is on_breach and bool(look.breached)


def _too_often(look: Look) -> bool:
    return look.state.doubled.count(look.state.step) >= MOST_DOUBLINGS


def _approval_missing(look: Look) -> bool:
    if look.seen.policy == "approval":
        return True
    asked = look.state.step >= 0 and look.plan.steps[look.state.step].approve
    return asked and look.state.approved_step != look.state.step


def _may_approve(look: Look) -> bool:
    return look.state.waiting_for == "approval" and _is_another(look)


def _is_another(look: Look) -> bool:
    return not same_person(look.event.actor, look.state.started_by)


def _may_promote(look: Look) -> bool:
    fresh = is_fresh(look.plan, look.seen)
    allowed = look.seen.hours_open and not look.seen.policy and look.seen.gate_webhook != "hold"
    approved = not _approval_missing(look) or (not look.seen.policy and _is_another(look))
    return look.may_go_on and fresh and allowed and approved and not look.plan.observe


def _gate_closed(look: Look) -> bool:
    return any(not gate.ok for gate in look.gates)


CONDITIONS: Mapping[str, Callable[[Look], bool]] = {
    "always": lambda look: True,
    "kill": lambda look: look.seen.kill,
    "moved_further": _moved_further,
    "moved_back": _moved,
    "breached_step_back": lambda look: _breached(look, OnBreach.STEP_BACK) and not _too_often(look),
    "breached_too_often": lambda look: _breached(look, OnBreach.STEP_BACK) and _too_often(look),
    "breached_legacy": lambda look: _breached(look, OnBreach.LEGACY),
    "breached_pause": lambda look: _breached(look, OnBreach.PAUSE),
    "proxies_behind": lambda look: _is_behind(look.seen),
    "stale": lambda look: _is_stale(look.plan, look.seen),
    "hold_left": lambda look: look.state.held_ms < look.hold_ms,
    "gate_closed": _gate_closed,
    "webhook_holds": lambda look: look.seen.gate_webhook == "hold",
    "last_step": lambda look: look.is_last,
    "approval_missing": _approval_missing,
    "table_refuses": lambda look: look.seen.policy == "refused",
    "frozen": lambda look: look.seen.policy == "freeze",
    "hours_closed": lambda look: not look.seen.hours_open,
    "may_approve": _may_approve,
    "may_promote_last": lambda look: look.is_last and _may_promote(look),
    "may_promote": lambda look: not look.is_last and _may_promote(look),
    "may_promote_full": lambda look: look.may_go_on and not look.is_last and not look.plan.observe,
}
"""What has to be so for a row to be taken."""


# -- telling -----------------------------------------------------------------------------------


def reasons(condition: str, look: Look) -> tuple[Reason, ...]:
    """Why a row is taken."""
    if condition.startswith("breached"):
        return tuple(found.reason for found in look.breached)
    if condition == "gate_closed":
        return _closed(look)
    told = _TOLD.get(condition)
    if told is not None:
        return (told(look),)
    return () if look.event.kind is EventKind.TICK else (_by_person(look),)


def standing(look: Look) -> tuple[Reason, ...]:
    """Why nothing happens: the rollout is over, or paused."""
    breached = tuple(found.reason for found in look.breached)
    return () if look.state.ended else merged(look, breached)


def merged(look: Look, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Why it is paused, and what is said now: one of each code, the one that is said now."""
    said = {reason.code for reason in reasons}
    return (*(kept for kept in look.state.paused_by if kept.code not in said), *reasons)


def refusal(look: Look) -> tuple[str, str]:
    """Why a person's word cannot be followed: a code, and the text."""
    kind, state = look.event.kind, look.state
    if kind is EventKind.APPROVE:
        if state.waiting_for != "approval":
            return "rollout_not_waiting", "nothing waits for an approval here"
        return "rollout_own_approval", "whoever started a rollout cannot approve its steps"
    if kind in (EventKind.PROMOTE, EventKind.PROMOTE_FULL) and not state.ended:
        return "rollout_not_promoted", _why_not_promoted(look)
    text = f"a rollout that is {state.phase.value} cannot be told to {kind.value}"
    return "rollout_wrong_state", text


def _why_not_promoted(look: Look) -> str:
    seen = look.seen
    if look.breached:
        return f"a guard is breached: {look.breached[0].text}"
    if look.foreseen:
        text = f"a guard would be breached at once: {look.foreseen[0].text}"
        return f"{text}; who means it flips by hand, and says why"
    checks = (
        (look.plan.observe, "the plan only observes; flip by hand"),
        (seen.kill, "the kill switch is on"),
        (_moved(look), "somebody moved the routes; resume or start it anew"),
        (look.is_last and look.event.kind is EventKind.PROMOTE_FULL, "no step follows"),
        (_is_behind(seen), _proxies(look).text),
        (_is_stale(look.plan, seen), _stale(look).text),
        (bool(seen.policy), seen.policy_said),
        (not seen.hours_open, f"moves are allowed from {seen.hours_next}"),
        (seen.gate_webhook == "hold", f"the webhook holds: {seen.webhook_said}"),
    )
    return next((text for holds, text in checks if holds), "another person has to approve")


def _by_person(look: Look) -> Reason:
    kind = look.event.kind.value
    return Reason(code=f"person_{kind}", text=f"{kind.replace('_', ' ')} by {look.event.actor}")


def _closed(look: Look) -> tuple[Reason, ...]:
    found = [gate.reason for gate in look.gates if not gate.ok]
    if look.state.build_ms and look.state.build_ms >= look.state.since_ms:
        found.insert(0, _anew(look.state))
    return tuple(found)


def _anew(state: RolloutState) -> Reason:
    if state.anew == "subject":
        text = "the backend of new, or what its routes match, was changed: evidence begins anew"
        return Reason(code="subject_changed", text=text)
    text = f"new was deployed again, as build {state.build}: its evidence begins anew"
    return Reason(code="build_changed", text=text)


def _proxies(look: Look) -> Reason:
    seen = look.seen
    if seen.live == 0:
        return Reason(code="proxies_none", text="no proxy is heard of")
    if seen.refused:
        text = f"{seen.refused} of {seen.live} proxies refused the table"
        return Reason(code="proxies_refused", text=text, value=seen.refused, n=seen.live)
    if seen.current < seen.live:
        text = f"{seen.current} of {seen.live} proxies serve the newest table"
        return Reason(code="proxies_behind", text=text, value=seen.current, n=seen.live)
    if seen.left_out:
        return Reason(code="proxies_quarantine", text=seen.left_out)
    text = f"{seen.silent} proxies have fallen silent without a goodbye"
    return Reason(code="proxies_silent", text=text, value=seen.silent)


def _stale(look: Look) -> Reason:
    age = look.seen.reports_age_ms
    text = "no report has arrived yet"
    if age is not None:
        text = f"the newest report is {duration_text(age / 1_000)} old; "
        text += f"at most {duration_text(look.plan.stale_after_ms / 1_000)} is allowed"
    return Reason(code="data_stale", text=text, value=age)


def _hold(look: Look) -> Reason:
    left = (look.hold_ms - look.state.held_ms) / 1_000
    text = f"holds for {duration_text(left)} more"
    return Reason(code="hold", text=text, value=look.state.held_ms, bound=look.hold_ms)


def _moved_by(look: Look) -> Reason:
    stands = ", ".join(
        f"route {seen.route} is at {seen.placement}"
        for seen in look.seen.routes
        if seen.placement != look.state.expected
    )
    text = f"somebody moved the routes: {stands}, not at {look.state.expected}"
    code = "moved_further" if _moved_further(look) else "moved_back"
    return Reason(code=code, text=text)


def _approval(look: Look) -> Reason:
    text = look.seen.policy_said
    if look.seen.policy != "approval":
        text = f"another person than {look.state.started_by} has to approve"
    return Reason(code="approval", text=text)


def _hours(look: Look) -> Reason:
    return Reason(code="hours", text=f"moves are allowed from {look.seen.hours_next}")


_TOLD: Mapping[str, Callable[[Look], Reason]] = {
    "kill": lambda look: Reason(code="kill", text="the kill switch is on: all goes to legacy"),
    "moved_further": _moved_by,
    "moved_back": _moved_by,
    "proxies_behind": _proxies,
    "stale": _stale,
    "hold_left": _hold,
    "webhook_holds": lambda look: Reason(
        code="webhook", text=f"the webhook holds: {look.seen.webhook_said}"
    ),
    "approval_missing": _approval,
    "table_refuses": lambda look: Reason(
        code="table_refused", text=f"the table would be wrong: {look.seen.policy_said}"
    ),
    "frozen": lambda look: Reason(code="freeze", text=look.seen.policy_said),
    "hours_closed": _hours,
    "last_step": lambda look: Reason(code="completed", text="the last step is done"),
}
"""How a condition is told to people."""
