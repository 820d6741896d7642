"""One name means one thing in all three planes, and names are the glossary's words.

Both lists of exceptions hold what there was when the rule came. They only get shorter: a name that
is mended leaves its list in the same change.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANES = ("figway", "proxy", "control_plane")
GLOSSARY = ROOT / "docs" / "concepts" / "glossary.md"

SHARED = {
    "Answer", "Child", "Credentials", "Door", "EventKind", "Exit", "Findings",
    "Format", "Look", "Pairs", "PatternError", "Place", "Reading", "Reason",
    "RequestHead", "RouteRow", "Row", "Settings", "SettingsError", "Step", "TableState",
    "TaskKeeper",
}  # fmt: skip
"""Public classes of two modules."""

UNPLAIN = {"Candidate", "FlipTarget", "RuleSet"}
"""Names with a word that the glossary rules out."""

OTHERWISE = {
    "endpoint": "a path of the admin API; the glossary rules it out for a route",
    "feature": "what a product has; ruled out for a capability",
    "group": "several of a kind; ruled out for a capability",
    "mode": "how something works; ruled out for a stage",
    "node": "of a tree; ruled out for an instance",
    "phase": "of a machine of states; ruled out for a stage",
    "rule": "of a comparison or a claim; ruled out for a route",
    "service": "the layer between an endpoint and a store; ruled out for a capability",
    "stable": "that does not change; ruled out for legacy",
    "state": "of a breaker, a member, a table; ruled out for a stage",
    "switch": "the kill switch; ruled out for a flip",
    "upstream": "wire-level code says it, as the glossary allows",
    "version": "of a release or a protocol; ruled out for a revision",
}
"""Words that the glossary rules out for one meaning and that have another in code."""


def words(name: str) -> list[str]:
    """`FlipTarget` and `flip_target` are flip and target; `RuleSet` is ruleset too."""
    parts = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
    return [*parts, *(word.removesuffix("s") for word in parts), "".join(parts)]


def ruled_out() -> set[str]:
    """The last column of the glossary's table, less what has another meaning in code."""
    found: set[str] = set()
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("word", "---"):
            for synonym in re.split(r"[,;]", cells[2]):
                word = synonym.strip().split(" ")[0].lower()
                found |= {word} if word else set()
    assert {"gateway", "target", "failover"} <= found, "the glossary's table is not read"
    return found - OTHERWISE.keys()


@cache
def modules() -> tuple[Path, ...]:
    return tuple(file for plane in PLANES for file in sorted((ROOT / plane).rglob("*.py")))


def public_classes() -> Iterator[tuple[str, Path]]:
    for module in modules():
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, module.relative_to(ROOT)


def test_no_two_public_classes_share_a_name() -> None:
    """Whoever reads a name in one plane has not met another thing by it elsewhere."""
    where: dict[str, list[str]] = defaultdict(list)
    for name, module in public_classes():
        where[name].append(str(module))
    shared = {name: places for name, places in where.items() if len(places) > 1}
    added = {name: places for name, places in shared.items() if name not in SHARED}
    assert not added, f"give one of them a name of its own: {added}"
    mended = SHARED - shared.keys()
    assert not mended, f"these are shared no more: take them from SHARED: {sorted(mended)}"


def test_names_are_the_words_of_the_glossary() -> None:
    """Of classes, modules and folders."""
    forbidden = ruled_out()
    names = dict(public_classes())
    for module in modules():
        relative = module.relative_to(ROOT)
        names |= {part.removesuffix(".py"): relative for part in relative.parts}
    bad = {name for name in names if forbidden.intersection(words(name))}
    added = {name: str(names[name]) for name in bad - UNPLAIN}
    assert not added, f"say it in the glossary's words: {added}"
    assert not UNPLAIN - bad, f"plain by now: take them from UNPLAIN: {sorted(UNPLAIN - bad)}"


@pytest.mark.parametrize(
    ("name", "word"),
    [("FlipTarget", "target"), ("edge_policies", "edge"), ("targets", "target"),
     ("RuleSet", "ruleset"), ("HTTPGateway", "gateway")],
)  # fmt: skip
def test_a_name_is_read_word_by_word(name: str, word: str) -> None:
    assert word in words(name)


def test_a_word_within_a_word_is_none() -> None:
    assert "edge" not in words("Knowledge")
