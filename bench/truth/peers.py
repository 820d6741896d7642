"""The same answers, judged by simpler rules: Diffy's published one, and a plain deep difference.

Both are given what Diffy is given: legacy's answer, legacy's answer to the same request once more,
and new's. No sockets, and no time between the askings.

Diffy's rule (github.com/opendiffy/diffy, "How does Diffy work?"): a field is a difference where
legacy and new differ more often than legacy with itself, by more than 20 % of the sum of both and
by more than 0.03 % of the requests.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from deepdiff import DeepDiff

from bench.truth.answers import Said, Side
from bench.truth.kinds import Kind
from bench.truth.noise import Answer
from bench.truth.world import numbers

RELATIVE = 0.20
ABSOLUTE = 0.0003
MOST_FALSE = 0.005
_UNTOLD = frozenset({"date", "server", "content-length", "content-encoding"})


@dataclass(frozen=True)
class Count:
    """How kinds fared under a rule."""

    found: int
    missed: int
    drowned: int
    """Kinds of real difference that cannot be told from the noise around them."""
    false: int


def judged(kinds: Iterable[Kind], requests: int, rule: Callable[..., set[str]]) -> Count:
    """Judge all kinds by a rule: what it calls different of (legacy, legacy again, new)."""
    words: Counter[str] = Counter()
    for kind in kinds:
        told = rule(kind, kind.answer, requests)
        if not kind.real:
            words["false" if told else "clean"] += 1
            continue
        base = rule(kind, kind.base, requests)
        words["found" if told - base else "drowned" if told else "missed"] += 1
    return Count(words["found"], words["missed"], words["drowned"], words["false"])


def diffy(kind: Kind, answer: Answer, requests: int) -> set[str]:
    """The fields that Diffy's rule calls different."""
    raw: Counter[str] = Counter()
    noise: Counter[str] = Counter()
    for legacy, again, new in triples(kind, answer, requests):
        fields = flat(legacy)
        raw.update(_differing(fields, flat(new)))
        noise.update(_differing(fields, flat(again)))
    return {name for name, count in raw.items() if _critical(count, noise[name], requests)}


def _critical(raw: int, noise: int, total: int) -> bool:
    apart = raw - noise
    return apart > RELATIVE * (raw + noise) and apart > ABSOLUTE * total


def plain(kind: Kind, answer: Answer, requests: int) -> set[str]:
    """The paths at which a deep difference finds something, for over 0.5 % of the requests."""
    found: Counter[str] = Counter()
    for legacy, _, new in triples(kind, answer, requests):
        told = DeepDiff(whole(legacy), whole(new), verbose_level=0, view="tree")
        paths = {node.path() for nodes in told.values() for node in nodes}
        found.update(_template(path) for path in paths)
    return {path for path, count in found.items() if kind.real or count > MOST_FALSE * requests}


def triples(kind: Kind, answer: Answer, requests: int) -> Iterable[tuple[Said, Said, Said]]:
    """Legacy's answer, legacy's once more, and new's."""
    legacy, new = (Side(name, random.Random(f"{name} {kind.name}")) for name in ("legacy", "new"))
    for number in numbers(requests, 0):
        legacy.asked = new.asked = kind.asking(number)
        yield answer(legacy, number), answer(legacy, number), answer(new, number)


def whole(said: Said) -> dict[str, Any]:
    """An answer as plain data."""
    try:
        body: Any = json.loads(said.body)
    except ValueError:
        body = said.body.decode("latin-1")
    headers = {name.lower(): value for name, value in said.headers if name.lower() not in _UNTOLD}
    return {"status": said.status, "headers": headers, "body": body}


def flat(said: Said) -> dict[str, Any]:
    """The leaves of an answer by path, elements of arrays under one name each place."""
    found: dict[str, Any] = {}
    _flatten(whole(said), "", found)
    return found


def _flatten(value: Any, path: str, into: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _flatten(item, f"{path}.{name}", into)
    elif isinstance(value, list):
        into[f"{path}.length"] = len(value)
        for item in value:
            leaves: dict[str, Any] = {}
            _flatten(item, f"{path}[]", leaves)
            for name, leaf in leaves.items():
                into.setdefault(name, []).append(leaf)
    else:
        into[path] = value


def _differing(one: dict[str, Any], other: dict[str, Any]) -> Iterable[str]:
    return [name for name in one.keys() | other.keys() if one.get(name, _NONE) != other.get(name)]


_NONE = object()


def _template(path: str) -> str:
    return "".join("#" if sign.isdigit() else sign for sign in path)
