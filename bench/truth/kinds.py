"""All kinds of the fixture, by name."""

from __future__ import annotations

from dataclasses import dataclass

from bench.truth.amid_noise import AMID_NOISE, FURTHER_NOISE
from bench.truth.answers import Asking, browser
from bench.truth.applications import APPLICATIONS
from bench.truth.causes import CAUSES, Cause
from bench.truth.clocks import CLOCK_NOISE, CLOCKS_OFF
from bench.truth.differences import DIFFERENCES
from bench.truth.further import FURTHER
from bench.truth.further_wrong import FURTHER_WRONG
from bench.truth.habits import HABITS
from bench.truth.moving_lists import IN_MOVING, MOVING
from bench.truth.noise import NOISE, Answer
from bench.truth.strangers import STRANGERS
from bench.truth.strangers_wrong import WRONG


@dataclass(frozen=True)
class Kind:
    """A route of the fixture."""

    name: str
    answer: Answer
    real: bool
    """Whether new answers wrongly; else both sides vary alike, or not at all."""
    base: Answer
    """Both sides without what new gets wrong."""
    asking: Asking = browser
    of_applications: bool = False
    cause: str = ""
    """What the requests have in common that new answers wrongly; empty where they have nothing."""


_CAUSES = {
    "no language label in French": "with header accept-language=fr",
    "a filter forgotten": "with status",
    "no answer to HEAD": "asked by HEAD",
}
"""Of kinds of applications, those that have one."""


def _caused(name: str, cause: Cause) -> Kind:
    found = cause.difference
    return Kind(name, found.answer(name), True, found.base, found.asking, cause=cause.condition)


def kinds() -> list[Kind]:
    """Kinds of noise, then kinds of real difference."""
    return [
        *(Kind(name, answer, False, answer) for name, answer in NOISE.items()),
        *(
            Kind(name, answer, False, answer, of_applications=True)
            for name, answer in {
                **HABITS,
                **FURTHER_NOISE,
                **CLOCK_NOISE,
                **MOVING,
                **STRANGERS,
                **FURTHER,
            }.items()
        ),
        *(
            Kind(name, found.answer(name), True, found.base, found.asking)
            for name, found in DIFFERENCES.items()
        ),
        *(
            Kind(
                name,
                found.answer(name),
                True,
                found.base,
                found.asking,
                of_applications=True,
                cause=_CAUSES.get(name, ""),
            )
            for name, found in {
                **APPLICATIONS,
                **AMID_NOISE,
                **CLOCKS_OFF,
                **IN_MOVING,
                **WRONG,
                **FURTHER_WRONG,
            }.items()
        ),
        *(_caused(name, cause) for name, cause in CAUSES.items()),
    ]


def chosen(only: str, part: str) -> list[Kind]:
    """Kinds whose name holds one of the texts `a|b`, or that are `noise` or `real`; of these the
    part `1/3`."""
    at, _, of = part.partition("/")
    found = [kind for kind in kinds() if _named(kind, only)]
    return found[int(at) - 1 :: int(of)]


def _named(kind: Kind, only: str) -> bool:
    if only in ("noise", "real"):
        return kind.real is (only == "real")
    return any(text in kind.name for text in only.split("|"))
