"""What the answers of one route are compared and redacted with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from figway.compare.answer import Answer, BodyReader, Context, Decoder, RawHeader
from figway.compare.digest import body_digest
from figway.compare.limits import Limits
from figway.compare.rules import ComparisonRule, RuleKind, RuleSet
from figway.compare.verdict import COMPARED, Comparison, compare
from figway.evidence.comparing import compared_headers, redaction_policy, rule_set
from figway.evidence.window import NO_DIFFERENCE, signature_hash
from figway.model.comparison import ComparisonPolicy
from figway.model.operations import FaultKind
from figway.model.words import HtmlView
from figway.redact.bodies import redact_body
from figway.redact.redactor import Redactor
from proxy.capture.message import Captured
from proxy.shadow.pair import Pair
from proxy.shadow.readers import readers

LONGEST_BODY = 262_144
"""Characters of a redacted body that an example keeps; a longer one is left out."""
LIMITS = Limits()
LEARNED = "(learned) "
"""Begins the name of what no person wrote."""
MOST_LOOSE = 64


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
    ) -> RouteComparer:
        """Raises `RuleError` and `PolicyError` for a policy that validation would refuse."""
        redactor = Redactor(key, redaction_policy(policy))
        headers = compared_headers(policy)
        html = frozenset(policy.html)
        rules = rule_set(policy)
        return cls(rules, headers, redactor, hosts, decoders, readers(), faults, html, build_header)

    def compare(
        self,
        captured: Captured,
        legacy: Answer,
        new: Answer,
        unordered: frozenset[str] = frozenset(),
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
            faults=self.faults,
            html=self.html,
            redact=self.redactor.value,
            limits=LIMITS,
            clock=time.monotonic,
        )
        found = compare(legacy, new, rules, context)
        return _without_order(found) if unordered else found

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
        captured, comparison, redactor = pair.captured, pair.comparison, self.redactor
        entries = pair.entries if comparison.verdict in COMPARED else NO_DIFFERENCE
        return {
            "id": str(uuid.uuid4()),
            "at_ms": captured.at_ms,
            "verdict": ended,
            "signature": signature_hash(entries),
            "marks": [list(entry) for entry in entries],
            "build": build,
            "reason": comparison.reason[:80],
            "served": captured.side,
            "revision": captured.revision,
            "request": {
                "method": captured.method,
                "target": redactor.url(captured.target.decode("latin-1")),
                "headers": redactor.headers(captured.headers),
                **self._body(tuple(captured.headers), captured.body),
            },
            "legacy": self.redacted(pair.legacy),
            "new": self.redacted(pair.new),
            "differences": differences_data(pair),
        }

    def redacted(self, answer: Answer) -> dict[str, Any]:
        digest = body_digest(answer.headers, answer.body, self.decoders)
        return {
            "status": answer.status,
            "headers": self.redactor.headers(answer.headers),
            **self._body(answer.headers, answer.body),
            **({"digest": digest} if digest else {}),
            "elapsed_ms": round(answer.elapsed_ms, 3),
            "failure": answer.failure,
        }

    def _body(self, headers: tuple[RawHeader, ...], body: bytes) -> dict[str, Any]:
        text = redact_body(headers, body, self.redactor, self.decoders, LIMITS)
        if not text or len(text) > LONGEST_BODY:
            return {"body": None, "body_kind": "none"}
        return {"body": text, "body_kind": "text"}


def _without_order(found: Comparison) -> Comparison:
    kept = tuple(
        item for item in found.differences if not (item.ignored_by or "").startswith(LEARNED)
    )
    return replace(found, differences=kept)


def differences_data(pair: Pair) -> list[dict[str, Any]]:
    """The differences of a pair as they are told, noise marked as such."""
    excused = pair.excused
    return [
        {**item.to_dict(), "noise": item.ignored_by is None and item.field in excused}
        for item in pair.comparison.differences
    ]
