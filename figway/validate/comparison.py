"""What must hold of the way in which a route's answers are compared and redacted."""

from __future__ import annotations

from figway.compare.rules import MOST_RULES, RuleError, check_rule
from figway.evidence.comparing import redaction_policy
from figway.model.comparison import PLAIN_COMPARISON, ComparisonPolicy
from figway.redact.policy import PolicyError
from figway.validate.findings import Findings
from figway.validate.plugins import check_name
from figway.validate.ranges import TOKEN, check_ranges, check_text
from figway.validate.sizes import MAX_LIST


def check(policy: ComparisonPolicy, path: str, findings: Findings) -> None:
    """Check the comparison policy of one route."""
    if policy is PLAIN_COMPARISON or policy == PLAIN_COMPARISON:
        return
    check_ranges(policy, path, findings)
    _rules(policy, f"{path}.rules", findings)
    _headers(policy.headers, f"{path}.headers", findings)
    check_name(policy.compare, f"{path}.compare", findings)
    _overrules(policy, f"{path}.noise_overrules", findings)
    try:
        redaction_policy(policy)
    except PolicyError as error:
        hint = "write RE2 patterns, names that are not secret, and at most 200 of a kind"
        findings.error("redaction_invalid", path, str(error), hint)
    for name in ("redact_names", "redact_patterns", "redact_allow"):
        for index, text in enumerate(getattr(policy, name)):
            check_text(text, f"{path}.{name}[{index}]", findings)


def _rules(policy: ComparisonPolicy, path: str, findings: Findings) -> None:
    if len(policy.rules) > MOST_RULES:  # reported as such
        return
    seen: set[str] = set()
    for index, spec in enumerate(policy.rules):
        place = f"{path}[{index}]"
        if spec.id in seen:
            message = f"the rule {spec.id[:80]!r} stands here twice"
            findings.error("rule_duplicate", f"{place}.id", message, "give one another id")
        seen.add(spec.id)
        check_text(spec.id, f"{place}.id", findings)
        check_text(spec.target, f"{place}.target", findings)
        check_text(spec.note, f"{place}.note", findings, lines=True)
        try:
            check_rule(spec)
        except RuleError as error:
            hint = "see the reference of comparison rules for the kind's parameters"
            findings.error("rule_invalid", place, str(error), hint)


def _headers(headers: tuple[str, ...], path: str, findings: Findings) -> None:
    for index, name in enumerate(headers):
        if TOKEN(name) is None or name != name.lower() or name in headers[:index]:
            message = f"{name[:80]!r} is no header name in lower case, or stands here twice"
            hint = "write names such as cache-control, each once"
            findings.error("compared_header_invalid", f"{path}[{index}]", message, hint)


def _overrules(policy: ComparisonPolicy, path: str, findings: Findings) -> None:
    fields = [item.field for item in policy.noise_overrules]
    if len(fields) > MAX_LIST:  # reported as such
        return
    for index, field in enumerate(fields):
        check_text(field, f"{path}[{index}].field", findings)
        if not field or field in fields[:index]:
            message = f"{field[:80]!r} is empty, or stands here twice"
            hint = "name each field once, as the comparisons show it"
            findings.error("overrule_invalid", f"{path}[{index}].field", message, hint)
