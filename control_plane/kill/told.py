"""Presses that proxies tell of: a control plane may not know of one that was pressed at another, or
that its database lost."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from control_plane.auth.access import Anyone
from control_plane.auth.roles import Role
from control_plane.kill.store import MOST_NUMBER
from control_plane.services import Svc

_LONGEST = 8_000
"""Characters of a field. What is odd presses nothing; its proxy hears of the switch anyway."""


async def told(
    actor: Anyone,
    services: Svc,
    figway_kill: Annotated[
        str,
        Header(description="From a proxy: `on` or `off`, as it heard last.", max_length=_LONGEST),
    ] = "",
    figway_kill_number: Annotated[
        str,
        Header(description="From a proxy: the press that it heard of last.", max_length=_LONGEST),
    ] = "",
    figway_installation: Annotated[
        str, Header(description="From a proxy: whose press that was.", max_length=_LONGEST)
    ] = "",
) -> None:
    """Hear what a proxy says of the kill switch; a press that is not known here is taken back."""
    if not actor.role.may(Role.PROXY) or figway_kill not in ("on", "off"):
        return
    if figway_installation not in (services.state.installation, *services.adopts):
        return
    digits = figway_kill_number
    number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else 0
    if 0 < number <= MOST_NUMBER:
        reason = f"a proxy had heard press {number}, which this control plane did not know"
        entry = actor.entry("kill.on", "kill switch", reason)
        await services.kill.told(figway_kill == "on", number, entry)


HearsProxies = Depends(told)
"""For what proxies ask for."""
