"""What is said of one difference of one pair, and what that makes of the pair."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Mark(StrEnum):
    """The finding on one differing field of one pair."""

    SETTLED = "r"
    """Both sides said the same again, and differ."""
    UNSTEADY = "u"
    """Legacy said the same again; new wavers: once it differs, once it agrees."""
    BEYOND = "v"
    """Legacy varies here, and new's value is not of the form in which it does."""
    AT_ONCE = "c"
    """The field was settled in many looks before."""
    LOOKED_ONCE = "d"
    """A second look is not allowed: a write under a dry-run contract."""
    FORM = "f"
    """Legacy varies here in this very form."""
    FAR = "w"
    """Legacy counts here, and new's number is farther off than legacy's steps: it may be a counter
    of its own."""
    COVERED = "g"
    """A rule covered it when it was counted."""
    STALE = "s"
    """Legacy's data moved on between the two answers."""
    OPAQUE = "o"
    """Legacy varies here in no form that has bounds."""
    NOT_LOOKED = "q"
    """No second look at legacy was possible."""
    YOUNG = "y"
    """Legacy varies here, and its form is not known well enough yet."""
    SLOW = "p"
    """Settled, but of a volatile form: legacy is looked at once more, later."""


COUNTING = frozenset({Mark.SETTLED, Mark.UNSTEADY, Mark.BEYOND, Mark.AT_ONCE, Mark.LOOKED_ONCE})
OF_FORM = frozenset({Mark.FORM, Mark.FAR})
EXCUSED = OF_FORM | {Mark.COVERED}
WAITING = frozenset({Mark.NOT_LOOKED, Mark.YOUNG, Mark.SLOW})

Ending = Literal["match", "mismatch", "stale", "not_comparable", "unconfirmed"]


def ending(marks: frozenset[Mark]) -> Ending:
    """What the marks of one pair come to: a difference that counts before all others."""
    if marks & COUNTING:
        return "mismatch"
    if Mark.OPAQUE in marks:
        return "not_comparable"
    if Mark.STALE in marks:
        return "stale"
    return "unconfirmed" if marks & WAITING else "match"
