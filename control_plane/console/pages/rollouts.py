"""Rollouts: all of them, and one with its rail, why it waits, its figures and its timeline."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.clock import now_ms
from control_plane.console.access import Operating, Viewing, Visit
from control_plane.console.interval_chart import HEIGHT, WIDTH, charts
from control_plane.http.problems import ApiProblem, invalid
from control_plane.rollouts.schemas import rollout_out, timeline_out
from figway.rollout.state import EventKind

router = APIRouter()
_HOURS_MS = 24 * 3_600_000
_LINES = 100
WORDS = {
    "approve": "Approve", "pause": "Pause", "resume": "Resume", "promote": "Promote one step",
    "abort": "Abort", "retry": "Retry",
}  # fmt: skip
_BY_PHASE = {
    "pending": ("pause", "abort"),
    "running": ("pause", "promote", "abort"),
    "waiting": ("pause", "promote", "abort"),
    "stepping_back": ("pause", "abort"),
    "paused": ("resume", "promote", "abort"),
    "aborted": ("retry",),
}


@router.get("/rollouts")
async def listed(visit: Viewing) -> Response:
    """Every rollout; those that need a person first."""
    found = [rollout_out(entry) for entry in await visit.services.rollouts.all()]
    found.sort(key=lambda entry: (not entry.needs_attention, entry.phase == "completed", entry.id))
    return await visit.page("rollouts.html", rollouts=found)


@router.get("/rollouts/{rollout}")
async def one(rollout: str, visit: Viewing, part: bool = False) -> Response:
    """One rollout; with `part`, what of it moves."""
    template = "rollout_now.html" if part else "rollout.html"
    return await visit.page(template, **await _context(visit, rollout) | {"part": part})


@router.post("/rollouts/{rollout}/{word}")
async def tell(rollout: str, word: str, visit: Operating) -> Response:
    """A person's word, and the page as it is then."""
    problem, reason = None, visit.form.get("reason", "").strip()
    try:
        if word not in WORDS:
            raise invalid("word", f"use one of {', '.join(WORDS)}")
        visit.reason()
        entry = visit.actor.entry(f"rollout.{word}", f"rollout {rollout}", reason)
        await visit.services.rollouts.tell(rollout, EventKind(word), entry, entry.actor)
    except ApiProblem as error:
        problem = error
    context = await _context(visit, rollout) | {"problem": problem}
    return await visit.page("rollout.html", problem.status if problem else 200, **context)


async def _context(visit: Visit, rollout: str) -> dict[str, Any]:
    services = visit.services.rollouts
    found = rollout_out(await services.get(rollout))
    words = list(_BY_PHASE.get(found.phase, ()))
    if found.waiting_for == "approval":
        words.insert(0, "approve")
    points = await services.points(rollout, now_ms() - _HOURS_MS)
    timeline = await services.timeline(rollout, None, _LINES)
    return {
        "rollout": found,
        "words": {word: WORDS[word] for word in words},
        "charts": charts(points),
        "width": WIDTH,
        "height": HEIGHT,
        "timeline": [timeline_out(entry) for entry in timeline],
        "problem": None,
        "part": False,
    }
