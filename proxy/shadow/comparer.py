"""What the answers of one route are compared and redacted with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from figway.compare.answer import (
    Answer,
    BodyReader,
    Context,
    Decoder,
    OwnReader,
    values_of,
)
from figway.compare.decode import MediaType
from figway.compare.faults import says_no_fault
from figway.compare.headers.not_compared import SAYS_NOTHING
from figway.compare.limits import TOO_MUCH_WORK, Limits
from figway.compare.rules import ComparisonRule, RuleKind, RuleSet
from figway.compare.verdict import MATCH, Comparison, compare, is_same
from figway.evidence.comparing import compared_headers, redaction_policy, rule_set
from figway.model.comparison import ComparisonPolicy
from figway.model.operations import FaultKind
from figway.model.words import HtmlView
from figway.redact.redactor import Redactor
from proxy.capture.message import Captured
from proxy.shadow.pair import Pair
from proxy.shadow.readers import readers
from proxy.shadow.stored_pair import answer_to_store, pair_to_store

LIMITS = Limits()
SHORT_JSON = 4_096
"""Bytes of a JSON body that is compared in no time, where `FEW_STEPS` are enough for it."""
FEW_STEPS = replace(LIMITS, steps=400)
LEARNED = "(learned) "
"""Begins the name of what no person wrote."""
MOST_LOOSE = 64
_NONE: frozenset[bytes] = frozenset()
SHORT_HEADS = 8_192
"""Bytes of two header sections that are compared in no time."""
SHORT_BODY = 16_384
"""Bytes of a body that is searched for a fault in no time."""


@dataclass(frozen=True, slots=True)
class RouteComparer:
    """What the answers of one route are compared and redacted with: made once per table."""

    rules: RuleSet
    headers: tuple[str, ...]
    redactor: Redactor
    hosts: frozenset[str]
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    readers: Mapping[str, BodyReader] = field(default_factory=dict)
    faults: frozenset[FaultKind] = frozenset()
    html: frozenset[HtmlView] = frozenset()
    build_header: str = ""
    own: OwnReader | None = None
    loose: dict[frozenset[str], RuleSet] = field(default_factory=dict)
    """The rules with some lists in any order."""

    @classmethod
    def make(
        cls,
        policy: ComparisonPolicy,
        key: bytes,
        hosts: frozenset[str],
        decoders: Mapping[str, Decoder],
        faults: frozenset[FaultKind] = frozenset(),
        build_header: str = "",
        own: OwnReader | None = None,
    ) -> RouteComparer:
        """Raises `RuleError` and `PolicyError` for a policy that validation would refuse."""
        redactor = Redactor(key, redaction_policy(policy))
        headers = compared_headers(policy)
        html = frozenset(policy.html)
        rules = rule_set(policy)
        return cls(
            rules, headers, redactor, hosts, decoders, readers(), faults, html, build_header, own
        )

    def compare(
        self,
        captured: Captured,
        legacy: Answer,
        new: Answer,
        unordered: frozenset[str] = frozenset(),
        limits: Limits = LIMITS,
    ) -> Comparison:
        """Compare two answers to one request, or one side with itself; the lists at the paths
        `unordered` as if a rule said so, which tells of nothing.

        Takes seconds at most, and never raises.
        """
        rules = self._rules(unordered)
        scheme, host = captured.scheme, captured.host.decode("latin-1")
        context = Context(
            facade=f"{scheme}://{host}",
            backend_hosts=self.hosts,
            method=captured.method,
            path=captured.target.partition(b"?")[0].decode("latin-1"),
            headers=self.headers,
            build_header=self.build_header,
            decoders=self.decoders,
            readers=self.readers,
            own=self.own,
            faults=self.faults,
            html=self.html,
            redact=self.redactor.value,
            limits=limits,
            clock=time.monotonic,
        )
        found = compare(legacy, new, rules, context)
        return _without_order(found) if unordered else found

    def now(
        self,
        captured: Captured,
        one: Answer,
        other: Answer,
        unordered: frozenset[str] = frozenset(),
    ) -> Comparison | None:
        """What `compare` gives, where it takes less than the way to the thread and back; None for
        other answers."""
        left_out = SAYS_NOTHING if not self.headers and captured.method != "HEAD" else _NONE
        if is_same(one, other, left_out) and (not self.faults or says_no_fault(one)):
            return MATCH
        if self.at_once(one, other):
            return self.compare(captured, one, other, unordered)
        if self.own is None and _is_short_json(one) and _is_short_json(other):
            found = self.compare(captured, one, other, unordered, FEW_STEPS)
            return None if found.reason == TOO_MUCH_WORK else found
        return None

    def at_once(self, one: Answer, other: Answer) -> bool:
        """Whether comparing them takes no time: the same body under the same labels, short and
        not packed where it is searched for faults."""
        if one.body != other.body or _size(one) + _size(other) > SHORT_HEADS:
            return False
        codings = values_of(one.headers, "content-encoding")
        if self.faults and (codings or len(one.body) > SHORT_BODY):
            return False
        if codings != values_of(other.headers, "content-encoding"):
            return False
        return values_of(one.headers, "content-type") == values_of(other.headers, "content-type")

    def _rules(self, unordered: frozenset[str]) -> RuleSet:
        if not unordered:
            return self.rules
        known = self.loose.get(unordered)
        if known is None:
            if len(self.loose) >= MOST_LOOSE:
                self.loose.clear()
            named = {f"{LEARNED}{path}": path for path in sorted(unordered)}
            learned = [
                ComparisonRule(name, RuleKind.UNORDERED, path) for name, path in named.items()
            ]
            known = self.loose[unordered] = RuleSet([*self.rules.rules, *learned])
        return known

    def example(self, pair: Pair, ended: str, build: str) -> dict[str, Any]:
        """The pair without its secrets, as it is stored."""
        return pair_to_store(pair, ended, build, self.redactor, self.decoders, LIMITS)

    def redacted(self, answer: Answer) -> dict[str, Any]:
        """An answer without its secrets, as it is stored."""
        return answer_to_store(answer, self.redactor, self.decoders, LIMITS)


def _is_short_json(answer: Answer) -> bool:
    """Whether a body is short, not packed, and JSON by its label and its looks."""
    body = answer.body
    if len(body) > SHORT_JSON or body[:1] not in (b"{", b"[") or _size(answer) > SHORT_HEADS // 2:
        return False
    if values_of(answer.headers, "content-encoding"):
        return False
    types = values_of(answer.headers, "content-type")
    return bool(types) and MediaType.parse(types[-1]).family(body) == "json"


def _size(answer: Answer) -> int:
    return sum(len(name) + len(value) for name, value in answer.headers)


def _without_order(found: Comparison) -> Comparison:
    kept = tuple(
        item for item in found.differences if not (item.ignored_by or "").startswith(LEARNED)
    )
    return replace(found, differences=kept)
