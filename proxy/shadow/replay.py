"""Stored examples asked anew, to see which differences are gone.

Both sides are asked afresh, as the stored answers have lost their secrets and legacy's data has
moved on. Only safe methods are replayed, and only requests that were stored whole: one that lost
something to redaction would be another request.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from figway.compare.verdict import RATED
from figway.evidence.marks import COUNTING, Mark
from figway.evidence.occurrences import occurrences
from figway.evidence.window import signature_hash
from figway.message.http import SAFE_METHODS
from figway.model.table import Side
from proxy.capture.message import Captured
from proxy.shadow.backend_queue import BackendQueue, now_ms
from proxy.shadow.comparer import differences_data
from proxy.shadow.pair import Pair
from proxy.shadow.sender import ask
from proxy.shadow.table import ComparedRoute, ShadowTable
from proxy.shadow.thread import CompareThread

_HIDDEN = "[redacted:"
_PART = 20
"""Replayed examples that are told of together."""


class NotReplayable(Exception):
    """An example that cannot be sent again; the text is the reason."""


class Replayer:
    """Replays examples, a few at a time, in the queues of their backends."""

    def __init__(self, table: ShadowTable, thread: CompareThread, timeout_ms: int) -> None:
        self._table = table
        self._thread = thread
        self._timeout_s = timeout_ms / 1_000

    async def replay(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The results of one job, one for each example."""
        return [await self._one(job["route"], example) for example in job["examples"]]

    async def _one(self, route: str, example: Mapping[str, Any]) -> dict[str, Any]:
        try:
            compared, captured = self._prepare(route, example)
            legacy, new = await asyncio.gather(
                self._ask(compared, captured, Side.LEGACY), self._ask(compared, captured, Side.NEW)
            )
        except NotReplayable as why:
            found = {"verdict": "not_replayable", "reason": str(why), "differences": []}
            return {"example": example["id"], **found}
        work = partial(compared.comparer.compare, captured, legacy, new)
        pair = Pair(captured, legacy, new, await self._thread.do(work), now_ms())
        verdict = pair.comparison.verdict
        if verdict in RATED:
            verdict = "mismatch" if _differs(compared, pair) else "match"
        return {
            "example": example["id"],
            "verdict": verdict,
            "reason": pair.comparison.reason,
            "signature": signature_hash(pair.entries) if verdict in RATED else "",
            "differences": differences_data(pair),
        }

    def _prepare(self, route: str, example: Mapping[str, Any]) -> tuple[ComparedRoute, Captured]:
        try:
            compared = self._table.route(route)
            request = rebuilt(example["request"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotReplayable(f"unreadable: {type(error).__name__}") from None
        if compared is None:
            raise NotReplayable("the route has no new backend here")
        if compared.plan.shadow.unsafe_get:
            raise NotReplayable("the route's reads are marked as unsafe")
        request.route, request.window = route, compared.window
        request.revision = self._table.revision
        return compared, request

    async def _ask(self, compared: ComparedRoute, captured: Captured, side: Side) -> Any:
        try:
            queue: BackendQueue = self._table.queue(compared, side)
        except (ValueError, OSError) as error:
            raise NotReplayable(f"{side.value} cannot be asked: {type(error).__name__}") from None
        if not queue.limiter.room(now_ms()):
            raise NotReplayable(f"{side.value} is left alone: {queue.limiter.why}")
        async with queue.turn() as granted:
            if not granted:
                raise NotReplayable(f"{side.value} is busy")
            cap = compared.plan.shadow.body_limit
            policy_plan = compared.plan.policy_plan
            answer = await ask(queue.target, captured, cap, self._timeout_s, policy_plan)
            queue.result(answer)
            return answer


def _differs(compared: ComparedRoute, pair: Pair) -> bool:
    """Whether a difference counts that no rule, word or form covers; without a second look."""
    own = compared.build_paths
    pair.seen = [seen for seen in occurrences(pair.comparison) if seen.path not in own]
    for seen in pair.seen:
        covered = seen.field in compared.words or seen.path in compared.words
        mark = Mark.COVERED if covered else compared.state.knowledge.first(seen, 0.0)
        pair.marks.append(mark or Mark.LOOKED_ONCE)
    return pair.comparison.beyond > 0 or any(mark in COUNTING for mark in pair.marks)


def parts(job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A job in smaller ones: its lease is short, and each answer renews it."""
    examples = job["examples"]
    for at in range(0, len(examples), _PART):
        yield {**job, "examples": examples[at : at + _PART]}


def rebuilt(request: Mapping[str, Any]) -> Captured:
    """A stored request as one that can be sent. Raises `NotReplayable`."""
    method, target, headers = request["method"], request["target"], request["headers"]
    if method not in SAFE_METHODS:
        raise NotReplayable("its method is not safe")
    if _HIDDEN in target:
        raise NotReplayable("its target was redacted")
    hidden = [name for name, value in headers if _HIDDEN in value]
    if hidden:
        raise NotReplayable(f"its header {hidden[0].lower()} was redacted")
    if request.get("body") and _HIDDEN in request["body"]:
        raise NotReplayable("its body was redacted")
    found = Captured()
    found.side, found.method, found.target = "legacy", method, target.encode("latin-1")
    found.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    body = request.get("body") if request.get("body_kind") == "text" else None
    found.has_body, found.body = bool(body), (body or "").encode()
    found.peer, found.scheme, found.trusted = "127.0.0.1", "http", False
    hosts = [value for name, value in found.headers if name.lower() == b"host"]
    found.host = hosts[0] if hosts else b""
    found.trace = os.urandom(16).hex()
    found.at_ms, found.head_us = int(time.time() * 1_000), 0
    return found
