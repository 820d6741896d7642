"""`compare()`: two answers in, a verdict with its reasons out.

| verdict         | when                                                                  |
|-----------------|-----------------------------------------------------------------------|
| `match`         | no difference counts (there may be ignored ones and noise)            |
| `mismatch`      | at least one difference counts; 404 against 200 is one                |
| `legacy_failed` | legacy did not answer, or with a 5xx, or its body is not packed as    |
|                 | its label says; so `new_failed`, `both_failed`                        |
|                 | (a fault is an answer, unless one side alone blames itself: `faults`) |
| `skipped`       | a body is longer than the capture keeps                               |
| `compare_error` | an answer cannot be compared within the limits; the reason says why   |

It is the verdict on two answers alone. What a mismatch is after a second look, and which pairs are
rated, is said in `figway.evidence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from figway.compare.answer import Answer, Context, header_values
from figway.compare.bodies import BodyComparison
from figway.compare.decode import content_codings, undo_codings
from figway.compare.differences import Difference, DifferencePlace, Findings, signature
from figway.compare.event_window import in_common
from figway.compare.faults import Fault, fault_of, says_no_fault
from figway.compare.head import HeadComparison, media_type
from figway.compare.limits import Budget, CompareError
from figway.compare.rules import ComparisonRule, RuleSet
from figway.compare.tied import TIED, untied

Verdict = Literal[
    "match",
    "mismatch",
    "legacy_failed",
    "new_failed",
    "both_failed",
    "skipped",
    "compare_error",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
BROKEN = "broken_coding"
COMPARED: frozenset[Verdict] = frozenset({"match", "mismatch"})
"""The verdicts on two answers that were held against each other."""


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
    faults: tuple[Fault | None, Fault | None] = field(default=(None, None), repr=False)
    """The faults that the two answers are: legacy's, new's."""
    own_values: tuple[DifferencePlace, ...] = field(default=(), compare=False, repr=False)
    """Values that each side makes for itself, where they differ: compared by presence and form only
    (ETag, Last-Modified, tokens in cookies, nonces). Neither redacted nor in `to_dict`.
    """

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
    """Compare two answers to one request. Never raises for what an answer holds.

    Pass a `RuleSet` built once, rather than rules, where many pairs are compared.
    """
    context = context or Context()
    faults = _faults(legacy, new, context)
    found = _compared(legacy, new, rules, context, faults)
    return replace(found, faults=faults) if any(faults) else found


MATCH = Comparison("match")
"""Of two answers without a difference, of which neither is a fault."""


def is_same(one: Answer, other: Answer, left_out: Set[bytes] = frozenset()) -> bool:
    """Whether two answers are whole and the same to the last byte but for fields named in
    `left_out` (in lower case): nothing that is compared can tell them apart, so that they match.
    Statuses from 500 are left to `compare`.
    """
    return (
        one.body == other.body
        and one.status == other.status < 500
        and one.failure is None
        and other.failure is None
        and not (one.truncated or other.truncated or one.cut or other.cut)
        and (one.headers == other.headers or _differ_only_in(left_out, one, other))
    )


def _differ_only_in(left_out: Set[bytes], one: Answer, other: Answer) -> bool:
    """Whether two header sections are the same, line by line, but for values of some fields."""
    if not left_out or len(one.headers) != len(other.headers):
        return False
    for here, there in zip(one.headers, other.headers, strict=True):
        if here != there and (here[0] != there[0] or here[0].lower() not in left_out):
            return False
    return True


def _compared(
    legacy: Answer,
    new: Answer,
    rules: RuleSet | Iterable[ComparisonRule],
    context: Context,
    faults: Faults,
) -> Comparison:
    ended = _not_compared(legacy, new, context, faults)
    if ended is not None:
        return ended
    if not isinstance(rules, RuleSet):
        rules = RuleSet(rules)
    try:
        return _compare(*in_common(legacy, new), rules, context)
    except CompareError as error:
        if error.reason == BROKEN and (unreadable := _unreadable(legacy, new, context)):
            return unreadable
        return Comparison("compare_error", reason=error.reason, detail=str(error))
    except RecursionError:
        return Comparison("compare_error", reason="too_deep")
    except Exception as error:
        # The last resort against a hostile body: the worker goes on to the next pair.
        return Comparison("compare_error", reason="internal", detail=type(error).__name__)


Faults = tuple[Fault | None, Fault | None]


def _faults(legacy: Answer, new: Answer, context: Context) -> Faults:
    if not context.faults or (says_no_fault(legacy) and says_no_fault(new)):
        return None, None
    kinds, decoders, limits = context.faults, context.decoders, context.limits
    return fault_of(legacy, kinds, decoders, limits), fault_of(new, kinds, decoders, limits)


def failure_of(
    answer: Answer, context: Context, fault: Fault | None = None, others: Fault | None = None
) -> str:
    """How this side failed: a transport failure's name, a status such as `503`, or empty.

    A fault is an answer; one that a side blames on itself is a failure unless the other side does
    the same (`others`).
    """
    if answer.failure is not None:
        return answer.failure or "failed"
    if fault is not None:
        alone = others is None or not others.server
        return f"fault {fault.code}".strip() if fault.server and alone else ""
    if context.server_errors_fail and 500 <= answer.status <= 599:
        return str(answer.status)
    return ""


def _not_compared(
    legacy: Answer, new: Answer, context: Context, faults: Faults
) -> Comparison | None:
    left = failure_of(legacy, context, faults[0], faults[1])
    right = failure_of(new, context, faults[1], faults[0])
    if left and right:
        return Comparison("both_failed", reason=f"{left}/{right}")
    if left or right:
        return Comparison("legacy_failed" if left else "new_failed", reason=left or right)
    if legacy.truncated or new.truncated:
        left_early = legacy.cut or new.cut
        return Comparison("skipped", reason="event_stream" if left_early else "body_over_cap")
    return None


def _compare(legacy: Answer, new: Answer, rules: RuleSet, context: Context) -> Comparison:
    budget = Budget(context.limits, context.clock)
    findings = Findings(context, budget)
    head = HeadComparison(findings, rules, context)
    if head.status(legacy, new):
        left, right = header_values(legacy.headers), header_values(new.headers)
        if left != right:
            head.headers(left, right, legacy.status)
        if _has_body(legacy, context):
            bodies = BodyComparison(findings, budget, rules, context)
            part = legacy.status == new.status == 206
            bodies.compare(legacy.body, left, new.body, right, head, part=part)
        elif left != right:
            head.charset(*((media_type(side), b"") for side in (left, right)))
    if not findings.total:
        return Comparison("match", own_values=tuple(findings.own_values))
    differences = _untied(findings)
    mismatch = findings.beyond > 0 or any(difference.counts for difference in differences)
    return Comparison(
        "mismatch" if mismatch else "match",
        differences,
        signature=signature(differences),
        beyond=findings.beyond,
        own_values=tuple(findings.own_values),
    )


def _untied(findings: Findings) -> tuple[Difference, ...]:
    """All that was found, and the values that only legacy repeats at another place."""
    differences = findings.all()
    apart = list(untied(differences, findings.own_values))
    for found in apart:
        path, exact = (f"{at}['{TIED}']" for at in (found.path, found.exact))
        findings.add("missing", found.other, None, path=path, exact=exact, name=TIED)
    return findings.all() if apart else differences


def _unreadable(legacy: Answer, new: Answer, context: Context) -> Comparison | None:
    """A body that is not packed as its label says fails its side: no client can read it."""
    left, right = _broken(legacy, context), _broken(new, context)
    if left and right:
        return Comparison("both_failed", reason=f"{BROKEN}/{BROKEN}")
    if left or right:
        return Comparison("legacy_failed" if left else "new_failed", reason=BROKEN)
    return None


def _broken(answer: Answer, context: Context) -> bool:
    codings = content_codings(header_values(answer.headers).get("content-encoding", []))
    try:
        undo_codings(answer.body, codings, context.decoders, context.limits)
    except CompareError as error:
        return error.reason == BROKEN
    return False


def _has_body(answer: Answer, context: Context) -> bool:
    return context.method.upper() != "HEAD" and answer.status not in (204, 304)
