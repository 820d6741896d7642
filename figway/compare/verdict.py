"""`compare()`: two answers in, a verdict with its reasons out.

| verdict         | when                                                                 | rated |
|-----------------|----------------------------------------------------------------------|-------|
| `match`         | no difference counts (there may be ignored ones and noise)           | yes   |
| `mismatch`      | at least one difference counts; 404 against 200 is one               | yes   |
| `stale`         | a mismatch that a retry of both sides did not show again (`settle`)  | no    |
| `legacy_failed` | legacy did not answer, or with a 5xx; so `new_failed`, `both_failed` | no    |
| `skipped`       | a body is longer than the capture keeps                              | no    |
| `compare_error` | an answer cannot be compared within the limits; the reason says why  | no    |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from figway.compare.answer import Answer, Context, header_values
from figway.compare.canonical_form import parse_form
from figway.compare.canonical_html import parse_html
from figway.compare.canonical_json import NotThisFormat, Value, check_depth, parse_json, surely_same
from figway.compare.canonical_text import describe_binary, parse_text
from figway.compare.canonical_xml import parse_xml
from figway.compare.decode import MediaType, content_codings, to_text, undo_codings
from figway.compare.differences import Difference, Findings, signature
from figway.compare.head import HeadComparison, Headers
from figway.compare.limits import Budget, CompareError
from figway.compare.rules import ComparisonRule, RuleSet
from figway.compare.walk import Walk

Verdict = Literal[
    "match",
    "mismatch",
    "stale",
    "legacy_failed",
    "new_failed",
    "both_failed",
    "skipped",
    "compare_error",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
RATED: frozenset[Verdict] = frozenset({"match", "mismatch"})
"""The verdicts that enter the match rate (trap 33)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair's verdict and what it rests on."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    """Grouped; those that count first."""
    reason: str = ""
    """For skipped, failed and compare_error: why, as a short stable name."""
    detail: str = ""
    signature: str = ""
    """Equal for pairs that differ in the same fields; empty unless a difference counts."""
    beyond: int = 0
    """Counting differences past the limit on groups, which are not listed."""

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for reports and the store."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "detail": self.detail,
            "signature": self.signature,
            "beyond": self.beyond,
            "differences": [difference.to_dict() for difference in self.differences],
        }


def compare(
    legacy: Answer,
    new: Answer,
    rules: RuleSet | Iterable[ComparisonRule] = (),
    context: Context | None = None,
) -> Comparison:
    """Compare two answers to one request. Never raises for what an answer holds (trap 36).

    Pass a `RuleSet` built once, rather than rules, where many pairs are compared.
    """
    context = context or Context()
    ended = _not_compared(legacy, new, context)
    if ended is not None:
        return ended
    if not isinstance(rules, RuleSet):
        rules = RuleSet(rules)
    try:
        return _compare(legacy, new, rules, context)
    except CompareError as error:
        return Comparison("compare_error", reason=error.reason, detail=str(error))
    except RecursionError:
        return Comparison("compare_error", reason="too_deep")
    except Exception as error:
        # The last resort against a hostile body: the worker goes on to the next pair.
        return Comparison("compare_error", reason="internal", detail=type(error).__name__)


def settle(first: Comparison, retry: Comparison) -> Comparison:
    """The final verdict on a mismatch after both sides were asked once more (trap 32).

    If the retry agrees, the data had moved on between the two: `stale`. If it differs again, only
    differences of the retry stand. A retry that could not be compared proves nothing.
    """
    if first.verdict != "mismatch":
        return first
    if retry.verdict == "match":
        return replace(first, verdict="stale", reason="retry_matched")
    return retry if retry.verdict == "mismatch" else first


def failure_of(answer: Answer, context: Context) -> str:
    """How this side failed: a transport failure's name, a status such as `503`, or empty."""
    if answer.failure is not None:
        return answer.failure or "failed"
    if context.server_errors_fail and 500 <= answer.status <= 599:
        return str(answer.status)
    return ""


def _not_compared(legacy: Answer, new: Answer, context: Context) -> Comparison | None:
    left, right = failure_of(legacy, context), failure_of(new, context)
    if left and right:
        return Comparison("both_failed", reason=f"{left}/{right}")
    if left or right:
        return Comparison("legacy_failed" if left else "new_failed", reason=left or right)
    if legacy.truncated or new.truncated:
        return Comparison("skipped", reason="body_over_cap")
    return None


def _compare(legacy: Answer, new: Answer, rules: RuleSet, context: Context) -> Comparison:
    budget = Budget(context.limits, context.clock)
    findings = Findings(context, budget)
    head = HeadComparison(findings, rules, context)
    if head.status(legacy, new):
        left, right = header_values(legacy.headers), header_values(new.headers)
        if left != right:
            head.headers(left, right)
        if _has_body(legacy, context):
            bodies = _Bodies(findings, budget, rules, context)
            bodies.compare(legacy.body, left, new.body, right, head)
    differences = findings.all()
    mismatch = findings.beyond > 0 or any(difference.counts for difference in differences)
    return Comparison(
        "mismatch" if mismatch else "match",
        differences,
        signature=signature(differences),
        beyond=findings.beyond,
    )


def _has_body(answer: Answer, context: Context) -> bool:
    return context.method.upper() != "HEAD" and answer.status not in (204, 304)


class _Bodies:
    """The comparison of two bodies: the cheap ways first."""

    def __init__(
        self, findings: Findings, budget: Budget, rules: RuleSet, context: Context
    ) -> None:
        self._findings = findings
        self._budget = budget
        self._rules = rules
        self._context = context

    def compare(
        self,
        legacy: bytes,
        legacy_headers: Headers,
        new: bytes,
        new_headers: Headers,
        head: HeadComparison,
    ) -> None:
        """Report what differs, at the paths of the bodies' canonical form."""
        same_labels = all(
            legacy_headers.get(name) == new_headers.get(name)
            for name in ("content-type", "content-encoding")
        )
        if same_labels and legacy == new:
            return
        left_type, left = self._plain(legacy, legacy_headers)
        right_type, right = self._plain(new, new_headers)
        family, other = left_type.family(left), right_type.family(right)
        if left_type.charset == right_type.charset and left == right:
            return
        if family != other:
            # Two formats share no paths: as text if they are, else by hash.
            family = "binary" if "binary" in (family, other) else "text"
        if family == "binary":
            self._binary(left, right)
            return
        texts = (
            to_text(left, family, left_type.charset),
            to_text(right, family, right_type.charset),
        )
        if texts[0] == texts[1]:
            return
        if self._texts(family, *texts):
            head.charset(left_type.charset, right_type.charset)

    def _plain(self, body: bytes, headers: Headers) -> tuple[MediaType, bytes]:
        media_type = MediaType.parse(headers.get("content-type", [""])[-1])
        codings = content_codings(headers.get("content-encoding", []))
        return media_type, undo_codings(body, codings, self._context.decoders, self._context.limits)

    def _binary(self, legacy: bytes, new: bytes) -> None:
        if legacy != new:
            self._walk(describe_binary(legacy), describe_binary(new))

    def _texts(self, family: str, legacy: str, new: str) -> bool:
        """Whether the two differ."""
        self._budget.spend((len(legacy) + len(new)) // 64)
        left, right = self._tree(family, legacy), self._tree(family, new)
        broken = [isinstance(tree, NotThisFormat) for tree in (left, right)]
        if any(broken) and not all(broken):
            words = [
                str(tree) if bad else family
                for tree, bad in zip((left, right), broken, strict=True)
            ]
            self._findings.add("format", words[0], words[1], path="$", exact="$", name="")
            return True
        if all(broken):
            left, right = parse_text(legacy), parse_text(new)
        if surely_same(left, right):
            return False
        before = self._findings.total
        self._walk(left, right, nested_twice=family in ("xml", "html"))
        return self._findings.total > before

    def _tree(self, family: str, text: str) -> Value | NotThisFormat:
        depth = self._context.limits.depth
        try:
            if family == "json":
                return parse_json(text)
            if family == "form":
                return parse_form(text)
            if family == "xml":
                return parse_xml(text, self._budget, depth)
        except NotThisFormat as error:
            return error
        return parse_html(text, self._budget, depth) if family == "html" else parse_text(text)

    def _walk(self, legacy: Value, new: Value, *, nested_twice: bool = False) -> None:
        # An element is two levels of a tree: an object, and the array under its label.
        most = self._context.limits.depth * (1 + nested_twice) + 2
        check_depth(legacy, most)
        check_depth(new, most)
        Walk(self._findings, self._budget).values(legacy, new, self._rules.body)
