"""Comparison plugins: own code reads bodies in a process of its own, and harms no other pair."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from figway.compare.answer import Answer, Context, PlainBody
from figway.compare.limits import CompareError
from figway.compare.rules import ComparisonRule, RuleKind
from figway.compare.verdict import Comparison, compare
from proxy.shadow.plugins import MOST_IN_A_ROW, REST_S, ComparePlugin, ComparePlugins

MODULE = "tests.support.compare_plugins"
TEXT = ((b"Content-Type", b"application/x-own"),)


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins are installed, or on PYTHONPATH."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))


@pytest.fixture
def plugins(request: pytest.FixtureRequest) -> Iterator[ComparePlugins]:
    """Those that a worker was started with."""
    names = ("pairs", "whole", "surroundings", "raises", "hangs", "exits", "crashes", "fills",
             "prints", "one", "no_json", "deep", "missing")  # fmt: skip
    made = ComparePlugins([*(f"{MODULE}:{name}" for name in names), "no.such:module"], seconds=0.5)
    yield made
    made.close()


def held(
    plugins: ComparePlugins, name: str, legacy: bytes, new: bytes, *rules: ComparisonRule
) -> Comparison:
    own = plugins.reader(name if ":" in name else f"{MODULE}:{name}")
    answers = Answer(200, TEXT, legacy), Answer(200, TEXT, new)
    return compare(*answers, rules, Context(own=own))


def test_what_it_reads_is_compared_by_the_rules_of_the_route(plugins: ComparePlugins) -> None:
    """Places, rules and redaction are those of JSON; equal bodies ask nobody."""
    assert held(plugins, "pairs", b"a=1|b=2", b"b=2|a=1").verdict == "match"
    found = held(plugins, "pairs", b"a=1|b=2", b"a=1|b=3")
    assert [item.field for item in found.differences] == ["$.b|changed"]
    rule = ComparisonRule("b", RuleKind.IGNORE, "$.b")
    assert held(plugins, "pairs", b"a=1|b=2", b"a=1|b=3", rule).verdict == "match"
    assert held(plugins, "raises", b"same", b"same").verdict == "match"


def test_it_is_told_headers_and_plain_bodies(plugins: ComparePlugins) -> None:
    own = plugins.reader(f"{MODULE}:whole")
    assert own is not None
    headers = {"content-type": ["a/b"], "x": ["1", "2"]}
    left, right = own(PlainBody(headers, b"1"), PlainBody({}, b"2"))
    assert (left, right) == ([headers, "1"], [{}, "2"])


def test_it_is_told_no_secret_and_is_loaded_nowhere_else(
    plugins: ComparePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIGWAY_REDACT_KEY", "k" * 32)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    own = plugins.reader(f"{MODULE}:surroundings")
    assert own is not None
    assert own(PlainBody({}, b"1"), PlainBody({}, b"2")) == ([], [])
    assert MODULE not in sys.modules


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("raises", "plugin_failed", "KeyError at compare_plugins.py:"),
        ("hangs", "plugin_slow", "no answer in 0.5 s"),
        ("exits", "plugin_failed", "its process ended"),
        ("crashes", "plugin_failed", ""),
        ("fills", "plugin_failed", "MemoryError"),
        ("one", "plugin_failed", "ValueError"),
        ("no_json", "plugin_failed", ""),
        ("missing", "plugin_failed", "AttributeError"),
        ("no.such:module", "plugin_failed", "ModuleNotFoundError"),
        ("not.named:here", "plugin_off", "FIGWAY_COMPARE_PLUGINS"),
    ],
)
def test_what_goes_wrong_ends_its_pair_and_no_other(
    plugins: ComparePlugins, name: str, reason: str, detail: str
) -> None:
    """The pair is not rated; the next one, of this plugin or another, is compared. What users sent
    stands in no reason."""
    own = plugins.reader(f"{MODULE}:pairs")
    assert own is not None
    own(PlainBody({}, b"a=1"), PlainBody({}, b"a=2"))  # its process has begun
    found = held(plugins, name, b"secret=1", b"secret=2")
    assert (found.verdict, found.reason) == ("compare_error", reason)
    assert detail in found.detail
    assert "secret" not in found.detail
    assert held(plugins, "pairs", b"a=1", b"a=2").verdict == "mismatch"


def test_what_it_prints_is_no_answer(plugins: ComparePlugins) -> None:
    assert held(plugins, "prints", b"1", b"2").verdict == "match"


def test_bounds_hold_for_what_it_returns(plugins: ComparePlugins) -> None:
    assert held(plugins, "deep", b"1", b"2").verdict == "mismatch"


def test_one_that_is_slow_again_and_again_rests() -> None:
    """It would hold up every other pair; after a while it is tried again."""
    now = [0.0]
    plugin = ComparePlugin(f"{MODULE}:exits", 0.5, lambda: now[0])
    sides = PlainBody({}, b"1"), PlainBody({}, b"2")
    reasons = []
    for at in (0.0,) * (MOST_IN_A_ROW + 2) + (REST_S + 1,):
        now[0] = at
        with pytest.raises(CompareError) as caught:
            plugin(*sides)
        reasons.append(caught.value.reason)
    plugin.close()
    resting = ["plugin_resting"] * 2
    assert reasons == ["plugin_failed"] * MOST_IN_A_ROW + resting + ["plugin_failed"]
