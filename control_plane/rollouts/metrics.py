"""What the control plane knows of rollouts and of events, as metrics (Prometheus text format)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Response

from control_plane.auth.access import Viewer
from control_plane.clock import now_ms
from control_plane.http.problems import COMMON, documented
from control_plane.rollouts.store import PLANNED, StoredRollout
from control_plane.services import Services, Svc
from control_plane.webhooks import store as webhooks
from figway.rollout.state import RolloutPhase

router = APIRouter(tags=["metrics"], responses=documented(*COMMON))
_STATES = (PLANNED, *(phase.value for phase in RolloutPhase))
Sample = tuple[dict[str, str], float]


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def control_plane_metrics(_: Viewer, services: Svc) -> Response:
    """Rollouts by state, steps, age, aborts by guard; deliveries by status."""
    return Response(await exposition(services), media_type="text/plain; version=0.0.4")


async def exposition(services: Services) -> str:
    """The text."""
    rollouts, aborts = await services.rollouts.counted()
    async with services.database.read() as connection:
        deliveries = await webhooks.waiting(connection)
    ended: list[Sample] = [
        ({"rollout": rollout, "guard": guard}, times) for rollout, guard, times in aborts
    ]
    return "".join(
        (
            _metric("figway_rollout_state", "gauge", "1 for the state a rollout is in.",
                    (sample for found in rollouts for sample in _states(found))),
            _metric("figway_rollout_step", "gauge", "Index of the present step; -1 before it.",
                    ((_named(found), found.state.step) for found in rollouts if found.state)),
            _metric("figway_rollout_steps", "gauge", "Steps of the plan.",
                    ((_named(found), len(found.plan.steps)) for found in rollouts)),
            _metric("figway_rollout_age_seconds", "gauge", "Time in what it stands for.",
                    ((_named(found), _age(found)) for found in rollouts)),
            _metric("figway_rollout_attention", "gauge", "1 while it waits for a person.",
                    ((_named(found), found.state.needs_attention)
                     for found in rollouts if found.state)),
            _metric("figway_rollout_aborts_total", "counter",
                    "Times that a guard led back or ended a rollout.", ended),
            _metric("figway_rollout_acts", "gauge", "1 where this control plane looks at rollouts.",
                    [({}, services.ticker.acts)]),
            _metric("figway_rollout_looks_failing", "gauge",
                    "Rollouts that could not be looked at.",
                    [({}, len(services.ticker.failing))]),
            _metric("figway_webhook_deliveries", "gauge", "Deliveries of the last 30 days.",
                    (({"status": status}, number) for status, number in deliveries.items())),
        )
    )  # fmt: skip


def _named(found: StoredRollout) -> dict[str, str]:
    return {"rollout": found.plan.id}


def _age(found: StoredRollout) -> float:
    return max(0, now_ms() - found.phase_ms) / 1_000


def _states(found: StoredRollout) -> Iterable[Sample]:
    for state in _STATES:
        yield {"rollout": found.plan.id, "state": state}, found.phase == state


def _metric(name: str, kind: str, meaning: str, samples: Iterable[Any]) -> str:
    lines = [f"# HELP {name} {meaning}\n", f"# TYPE {name} {kind}\n"]
    for labels, value in samples:
        inner = ",".join(f'{label}="{text}"' for label, text in labels.items())
        number = float(value)
        shown = str(int(number)) if number == int(number) else f"{number:.3f}"
        lines.append(f"{name}{{{inner}}} {shown}\n" if inner else f"{name} {shown}\n")
    return "".join(lines)
