"""Whether a served request is copied to the other side, by the rules of its route.

Sampling, size limits and load come after this: they depend on more than the route. Only reads are
copied: safe methods, and those that the route says only read. Others need a written dry-run
contract, and go from legacy to new alone: legacy's own writes are never repeated. Where new makes
an execution of any request, none is safe to copy.
"""

from __future__ import annotations

from enum import StrEnum

from figway.message.http import is_read
from figway.model.backend import HANDED_ON, answers_later
from figway.model.table import Stage
from figway.model.words import Side
from figway.routing.compile import Plan


class Skip(StrEnum):
    """Why no copy is made; empty if one may be."""

    NO = ""
    STAGE = "stage"
    """The stage copies nothing: no route, `legacy`, `retired`."""
    NO_NEW = "no_new_backend"
    KILL_SWITCH = "kill_switch"
    NOT_ASKED = "not_from_new"
    """New served it, and the route does not copy back to legacy."""
    UNSAFE_METHOD = "unsafe_method"
    UNSAFE_GET = "unsafe_get"
    """The route's reads are marked as changing something."""
    ANSWERS_LATER = "answers_later"
    """New answers 202 before the work is done: that compares with nothing."""
    NOT_SAMPLED = "not_sampled"
    """The sample is 0."""


def why_not_copied(plan: Plan, served: Side, method: str, *, kill: bool = False) -> Skip:
    """Why what `served` answered is not copied to the other side; `Skip.NO` if it may be."""
    if plan.stage in (Stage.LEGACY, Stage.RETIRED):
        return Skip.STAGE
    if kill:
        return Skip.KILL_SWITCH
    if plan.new is None:
        return Skip.NO_NEW
    policy = plan.shadow
    if answers_later(plan.new):
        return Skip.ANSWERS_LATER
    if served is Side.NEW and not policy.from_new:
        return Skip.NOT_ASKED
    if is_read(method, plan.reads) and (served is Side.NEW or plan.new.kind not in HANDED_ON):
        if policy.unsafe_get:
            return Skip.UNSAFE_GET
    elif served is Side.NEW or not policy.dry_run:
        return Skip.UNSAFE_METHOD
    return Skip.NOT_SAMPLED if policy.sample == 0 else Skip.NO
