"""Pressing the kill switch, for the API and the console."""

from __future__ import annotations

from control_plane.auth.service import Actor
from control_plane.http.problems import ApiProblem, conflict
from control_plane.kill.schemas import KillChanged, KillIn, KillOut
from control_plane.kill.service import PressedMeanwhile
from control_plane.kill.store import Kill
from control_plane.services import Services


async def press(
    services: Services, actor: Actor, body: KillIn, wait: str | None = None, timeout: float = 10
) -> KillChanged:
    """Turn it on or off, and say what the proxies do. Raises `ApiProblem`."""
    entry = actor.entry("kill.on" if body.on else "kill.off", "kill switch", body.reason)
    try:
        changed = await services.kill.press(body.on, entry, body.expected)
    except PressedMeanwhile as error:
        raise _meanwhile(error.kill) from None
    found = KillChanged(**stand(services).model_dump(), changed=changed)
    if wait is not None:
        found.propagation = await services.fleet.wait_for_kill(services.kill.current, timeout)
    return found


def _meanwhile(kill: Kill) -> ApiProblem:
    word = "on" if kill.on else "off"
    return conflict(
        f"{kill.actor} turned it {word} meanwhile (press {kill.number}: {kill.reason})",
        "pressed_meanwhile",
    )


def stand(services: Services) -> KillOut:
    """Where the switch stands."""
    now = services.kill.current
    return KillOut(
        on=now.on,
        number=now.number,
        changed_ms=now.changed_ms,
        actor=now.actor,
        reason=now.reason,
        stored=services.kill.stored,
        doubt=services.kill.doubt,
    )
