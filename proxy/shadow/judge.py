"""Comparing and redacting, on one thread of their own (trap 36).

A hostile body may take its bound of steps and seconds here; meanwhile the worker's sockets, timers
and pulse go on. The interpreter is told to switch threads often, so that latencies are measured to
within a millisecond while something is compared.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from figway.compare.answer import Answer, Context, Decoder, RawHeader
from figway.compare.limits import Limits
from figway.compare.rules import RuleSet
from figway.compare.verdict import Comparison, compare
from figway.evidence.comparing import compared_headers, redaction_policy, rule_set
from figway.model.table import ComparisonPolicy
from figway.redact.bodies import redact_body
from figway.redact.redactor import Redactor
from proxy.capture.message import Captured

SWITCH_S = 0.0005
LONGEST_BODY = 262_144
"""Characters of a redacted body that an example keeps; a longer one is left out."""
PER_SIGNATURE = 5
"""Examples of one (route, signature) in one window and hour."""
_HOUR_MS = 3_600_000
_MOST_SIGNATURES = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kit:
    """What the answers of one route are compared and redacted with: made once per table."""

    rules: RuleSet
    headers: tuple[str, ...]
    redactor: Redactor
    hosts: frozenset[str]
    decoders: Mapping[str, Decoder] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        policy: ComparisonPolicy,
        key: bytes,
        hosts: frozenset[str],
        decoders: Mapping[str, Decoder],
    ) -> Kit:
        """Raises `RuleError` and `PolicyError` for a policy that validation would refuse."""
        redactor = Redactor(key, redaction_policy(policy))
        return cls(rule_set(policy), compared_headers(policy), redactor, hosts, decoders)

    def compare(
        self, captured: Captured, legacy: Answer, new: Answer, noise: frozenset[str]
    ) -> Comparison:
        """Compare two answers to one request. Takes seconds at most, and never raises."""
        scheme, host = captured.scheme, captured.host.decode("latin-1")
        context = Context(
            facade=f"{scheme}://{host}",
            backend_hosts=self.hosts,
            method=captured.method,
            path=captured.target.partition(b"?")[0].decode("latin-1"),
            headers=self.headers,
            decoders=self.decoders,
            noise=noise,
            redact=self.redactor.value,
            limits=LIMITS,
            clock=time.monotonic,
        )
        return compare(legacy, new, self.rules, context)

    def example(
        self, captured: Captured, legacy: Answer, new: Answer, comparison: Comparison
    ) -> dict[str, Any]:
        """The pair without its secrets, as it is stored (trap 35)."""
        redactor = self.redactor
        return {
            "id": str(uuid.uuid4()),
            "at_ms": captured.at_ms,
            "verdict": comparison.verdict,
            "signature": comparison.signature,
            "reason": comparison.reason[:80],
            "served": captured.side,
            "revision": captured.revision,
            "request": {
                "method": captured.method,
                "target": redactor.url(captured.target.decode("latin-1")),
                "headers": redactor.headers(captured.headers),
                **self._body(tuple(captured.headers), captured.body),
            },
            "legacy": self._answer(legacy),
            "new": self._answer(new),
            "differences": [item.to_dict() for item in comparison.differences],
        }

    def _answer(self, answer: Answer) -> dict[str, Any]:
        return {
            "status": answer.status,
            "headers": self.redactor.headers(answer.headers),
            **self._body(answer.headers, answer.body),
            "elapsed_ms": round(answer.elapsed_ms, 3),
            "failure": answer.failure,
        }

    def _body(self, headers: tuple[RawHeader, ...], body: bytes) -> dict[str, Any]:
        text = redact_body(headers, body, self.redactor, self.decoders, LIMITS)
        if not text or len(text) > LONGEST_BODY:
            return {"body": None, "body_kind": "none"}
        return {"body": text, "body_kind": "text"}


LIMITS = Limits()


class Quota:
    """Which pairs are kept as examples: a few a signature, window and hour (trap 34)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()

    def take(self, captured: Captured, comparison: Comparison) -> bool:
        """Take a place for this pair, if there is one."""
        named = comparison.signature or comparison.reason
        key = (captured.route, captured.window, comparison.verdict, named)
        hour = captured.at_ms // _HOUR_MS
        when, number = self._kept.pop(key, (hour, 0))
        if when != hour:
            number = 0
        self._kept[key] = (hour, min(number + 1, PER_SIGNATURE))
        if len(self._kept) > _MOST_SIGNATURES:
            self._kept.popitem(last=False)
        return number < PER_SIGNATURE


class Bench:
    """The thread. `waiting` is how many pieces of work are in line."""

    def __init__(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._threads = ThreadPoolExecutor(1, "compare")
        self.waiting = 0

    async def do(self, work: Callable[[], T]) -> T:
        """Run a piece of work."""
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """End after the work at hand."""
        self._threads.shutdown(wait=False, cancel_futures=True)
