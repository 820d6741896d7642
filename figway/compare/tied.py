"""Values that legacy says at two places of an answer, and new does not.

The `id` that a form draws for a field, and the label that names it; the nonce of a page's scripts,
and its policy. Each by itself may be any value of its form. What is wrong is that one is not the
other's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from figway.compare.canonical.json import Value
from figway.compare.differences import Difference, DifferencePlace
from figway.compare.headers.readers import NONCE

TIED = "tied()"
"""The name of the finding: `$.label['@for']['tied()']`, with the place that legacy has it from."""
_DRAWN = re.compile(r"(?=(?:.*[0-9]){2})(?=(?:.*[A-SU-Ya-su-y]){2})[!-~]{8,512}")
"""Two digits, and two letters that are no signs of a moment: hardly equal by chance."""
_LEAST_SIGNS = 6


@dataclass(frozen=True, slots=True)
class Untied:
    """A place at which new does not repeat what it says at another."""

    path: str
    exact: str
    other: str
    """The path of the place at which legacy says the same."""


def untied(
    differences: Iterable[Difference], own_values: Iterable[DifferencePlace]
) -> Iterator[Untied]:
    """The places of a body at which new says another value than elsewhere, where legacy says the
    same at both: of drawn values that differ between the sides."""
    said: dict[str, list[tuple[str, DifferencePlace]]] = {}
    for path, place in _places(differences, own_values):
        if isinstance(place.legacy, str) and _drawn(place.legacy):
            said.setdefault(place.legacy, []).append((path, place))
    for found in said.values():
        path, first = found[0]
        for other, place in found[1:]:
            if place.new != first.new and other.startswith("$"):
                yield Untied(other, place.exact, path)


def _places(
    differences: Iterable[Difference], own_values: Iterable[DifferencePlace]
) -> Iterator[tuple[str, DifferencePlace]]:
    for place in own_values:
        yield place.exact, replace(place, legacy=_nonce(place.legacy), new=_nonce(place.new))
    for item in differences:
        if item.kind == "changed" and item.counts:
            for place in item.places:
                yield item.path, place


def _nonce(value: Value) -> Value:
    """The nonce of a policy that has one; every other value as it is."""
    found = set(NONCE.findall(value)) if isinstance(value, str) else set()
    return found.pop()[len("'nonce-") : -1] if len(found) == 1 else value


def _drawn(text: str) -> bool:
    return _DRAWN.fullmatch(text) is not None and len(set(text)) >= _LEAST_SIGNS
