"""From the comparison policy of a route, which is plain data, to what compares and redacts.

The model holds rules as data, so that a table costs no compiled pattern; a shadow worker builds
these once per table and route, validation builds them to see whether they can be built.
"""

from __future__ import annotations

from figway.compare.rules import RuleSet, is_conditional
from figway.model.backend import Backend
from figway.model.codec import content_hash, to_data
from figway.model.comparison import (
    ComparisonPolicy,
    ComparisonRule,
    NoiseWord,
    NullEquals,
    RuleKind,
)
from figway.model.operations import FaultKind, OperationKind
from figway.model.table import Route, Table
from figway.redact.policy import RedactionPolicy
from figway.routing.compile import Plan

_SAME_ANSWERS = ("balance", "description", "fallback_budget", "health", "limits", "outlier")
"""Fields of a backend that say nothing about what it answers."""


def faults_of(route: Route | None) -> frozenset[FaultKind]:
    """The protocols whose faults are answers of a route."""
    if route is None or route.faults is FaultKind.NONE:
        return frozenset()
    if route.faults is not FaultKind.AUTO:
        return frozenset({route.faults})
    operation = route.match.operation
    if operation is not None and operation.kind is OperationKind.GRAPHQL:
        return frozenset({FaultKind.GRAPHQL})
    return frozenset({FaultKind.SOAP, FaultKind.JSONRPC})


def rule_set(policy: ComparisonPolicy) -> RuleSet:
    """The rules of a route, ready to compare with.

    Raises:
        RuleError: for a rule that makes no sense, or one that stands there twice.
    """
    return RuleSet((*policy.rules, *standing_rules(policy)))


def standing_rules(policy: ComparisonPolicy) -> tuple[ComparisonRule, ...]:
    """The rules that settings of a route amount to: they hold at every place of a body."""
    taken = {rule.id for rule in policy.rules}
    rules = (
        ComparisonRule(f"null_equals:{one.value}", _NULLS[one], "$..*")
        for one in dict.fromkeys(policy.null_equals)
    )
    return tuple(rule for rule in rules if rule.id not in taken)


_NULLS = {NullEquals.ABSENT: RuleKind.NULL_ABSENT, NullEquals.EMPTY: RuleKind.EMPTY_NULL}


def redaction_policy(policy: ComparisonPolicy) -> RedactionPolicy:
    """What the route adds to the built-in redaction.

    Raises:
        PolicyError: for a pattern or an allowlist that makes no sense.
    """
    return RedactionPolicy(policy.redact_names, policy.redact_patterns, policy.redact_allow or None)


def compared_headers(policy: ComparisonPolicy) -> tuple[str, ...]:
    """The headers to compare although they are not compared by default, and validators to compare
    by their values.
    """
    return policy.headers


def overruled(policy: ComparisonPolicy) -> dict[str, bool]:
    """By field or path: whether a person calls it noise."""
    return {item.field: item.word is NoiseWord.NOISE for item in policy.noise_overrules}


def evidence_window(plan: Plan) -> str:
    """Names what the comparisons of a route are evidence of: 32 hexadecimal digits.

    Another backend, another rule that people wrote, or other headers that are compared make
    another window, as old pairs say nothing about what is compared now. A stage, a weight, a
    sample and redaction do not, nor does what a backend is called or may bear; nor do `ignore`
    rules and a person's words, which are applied when counts are read
    (`figway.evidence.judgement`).
    """
    return _window(plan.route, plan.legacy, plan.new)


def window_of(table: Table, route_id: str) -> str:
    """The same for a route of a table; empty where there is no such route."""
    route = table.routes.get(route_id)
    if route is None:
        return ""
    legacy, new = table.backends.get(table.legacy_of(route)), table.backends.get(route.new)
    return _window(route, legacy, new)


def _window(route: Route | None, legacy: Backend | None, new: Backend | None) -> str:
    policy = ComparisonPolicy() if route is None else route.comparison
    return content_hash(
        {
            "since": 0 if route is None else route.evidence_since,
            "backends": [what_answers(legacy), what_answers(new)],
            "rules": to_data(rules_that_compare(policy)),
            "headers": list(policy.headers),
            **_named_faults(route),
            **({"html": list(policy.html)} if policy.html else {}),
            **({"compare": policy.compare} if policy.compare else {}),
            **({"null_equals": sorted(policy.null_equals)} if policy.null_equals else {}),
        }
    )


def what_answers(backend: Backend | None) -> dict[str, object] | None:
    """The fields of a backend on which its answers depend; None where there is none."""
    if backend is None:
        return None
    return {name: value for name, value in to_data(backend).items() if name not in _SAME_ANSWERS}


def _named_faults(route: Route | None) -> dict[str, str]:
    """The protocol of faults where it is not found out: another one makes another window."""
    if route is None or route.faults is FaultKind.AUTO:
        return {}
    return {"faults": route.faults.value}


def rules_that_compare(policy: ComparisonPolicy) -> tuple[ComparisonRule, ...]:
    """The rules that must be known when a pair is compared: all but `ignore` at a plain place."""
    return tuple(
        rule for rule in policy.rules if rule.kind is not RuleKind.IGNORE or is_conditional(rule)
    )
