"""What a control plane cannot know of the kill switch, in words."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.kill.store import Kill

DOUBT_S = 2.0
"""The switch is read in the database four times a second; after so long without, others may have
pressed it."""


@dataclass(frozen=True, slots=True)
class Press:
    """The newest press that a proxy told of."""

    on: bool = False
    number: int = 0


def doubt(known: Kill, told: Press, age_s: float) -> str:
    """What is not known where the database last answered `age_s` seconds ago; else empty."""
    if age_s < DOUBT_S:
        return ""
    text = (
        f"The database has not answered for {_span(age_s)}: what was pressed at another control "
        "plane since is not known here."
    )
    if told.number > known.number:
        word = "on" if told.on else "off"
        text += f" Proxies have heard of a newer press, {told.number}: {word}."
    return text


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
