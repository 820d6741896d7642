"""Stored examples asked anew, to see which differences are gone.

Both sides are asked afresh, as the stored answers have lost their secrets and legacy's data has
moved on. Only reads are replayed (safe methods, and those that the route says only read), and only
requests whose target and body were stored whole.
Headers that were redacted, as cookies and credentials are, are left out, unless a person gave them
for the job; the request counts as the same where legacy then answers as it did: with the stored
status, and nothing missing, added or of another type. A pair that still differs where nothing is
known of the place is looked at again before it counts, as every pair is.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from figway.compare.answer import Answer
from figway.compare.decode import MediaType, to_bytes
from figway.compare.verdict import COMPARED
from figway.evidence.noise.decide import Look
from figway.evidence.noise.marks import OF_FORM, Mark
from figway.evidence.noise.seen import Seen
from figway.evidence.occurrences import occurrences
from figway.evidence.window import signature_hash, told
from figway.message.http import Headers, is_read
from figway.model.backend import HANDED_ON
from figway.model.words import Side
from proxy.capture.message import Captured
from proxy.shadow.backend_queue import BackendQueue, now_ms
from proxy.shadow.pair import Pair
from proxy.shadow.second_looks import changes_between, mark_at_once
from proxy.shadow.sender import ask
from proxy.shadow.stored_pair import differences_data
from proxy.shadow.table import ComparedRoute, ShadowTable
from proxy.shadow.thread import CompareThread

_HIDDEN = "[redacted:"
_PART = 20
"""Replayed examples that are told of together."""
_UNSURE = frozenset({Mark.SETTLED, Mark.SLOW, Mark.UNSTEADY, Mark.YOUNG, Mark.NOT_LOOKED})
"""What a form that is learned later may account for."""
_OTHERWISE = frozenset({"missing", "added", "type", "format"})
_UNTRUE = frozenset({"content-encoding", "transfer-encoding", "content-length"})
"""Headers that do not tell of a body as it is stored."""

Given = Sequence[tuple[str, str]]
"""Headers that a person gave for a job: name, value."""


class NotReplayable(Exception):
    """An example that cannot be sent again; the text is the reason."""


class Replayer:
    """Replays examples, a few at a time, in the queues of their backends."""

    def __init__(self, table: ShadowTable, thread: CompareThread, timeout_ms: int) -> None:
        self._table = table
        self._thread = thread
        self._timeout_s = timeout_ms / 1_000

    async def replay(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The results of one job, one for each example: by what is known after the last of them."""
        given = [(str(name), str(value)) for name, value in job.get("headers", ())]
        done = [await self._one(job["route"], example, given) for example in job["examples"]]
        return [
            found if isinstance(found, dict) else _result(*found, example["id"])
            for example, found in zip(job["examples"], done, strict=True)
        ]

    async def _one(
        self, route: str, example: Mapping[str, Any], given: Given = ()
    ) -> dict[str, Any] | tuple[ComparedRoute, Pair]:
        """A pair that was asked for anew; or why it was not."""
        try:
            compared, captured, left_out = self._prepare(route, example, given)
            legacy, new = await asyncio.gather(
                self._ask(compared, captured, Side.LEGACY), self._ask(compared, captured, Side.NEW)
            )
            if left_out:
                await self._same_as_stored(compared, captured, example, legacy, left_out)
        except NotReplayable as why:
            found = {"verdict": "not_replayable", "reason": str(why), "differences": []}
            return {"example": example["id"], **found}
        comparison = await self._thread.compare(compared.comparer, captured, legacy, new)
        took = legacy.elapsed_ms + new.elapsed_ms
        pair = Pair(captured, legacy, new, comparison, now_ms(), slack_ms=took)
        if pair.comparison.verdict in COMPARED:
            mark_at_once(compared, pair)
            try:
                await self._look(compared, pair)
            except NotReplayable as why:
                pair.settle(Mark.NOT_LOOKED)
                pair.why = str(why)
        return compared, pair

    async def _look(self, compared: ComparedRoute, pair: Pair) -> None:
        """Look again at what is not known yet."""
        if not pair.open or pair.comparison.beyond:
            pair.settle(Mark.LOOKED_ONCE)
            return
        captured = pair.captured
        legacy, new = await asyncio.gather(
            self._ask(compared, captured, Side.LEGACY), self._ask(compared, captured, Side.NEW)
        )
        between = partial(changes_between, self._thread, compared, pair)
        own = await between(pair.legacy, legacy)
        again = await between(pair.new, new)
        now = await between(legacy, new)
        knowledge, now_s = compared.state.knowledge, time.time()
        since = now_s * 1_000 - captured.at_ms
        if own is not None:
            knowledge.learn(own, max(0.0, since))
        look = Look(own, again, now)
        for at in pair.open:
            pair.marks[at] = knowledge.second(pair.seen[at], look, pair.apart_ms, now_s, since)

    async def _same_as_stored(
        self,
        compared: ComparedRoute,
        captured: Captured,
        example: Mapping[str, Any],
        legacy: Answer,
        left_out: Sequence[str],
    ) -> None:
        """Raises `NotReplayable` where legacy needs what was left out to answer as it did."""
        stored = stored_answer(example["legacy"])

        def compare() -> bool:
            redacted = stored_answer(compared.comparer.redacted(legacy))
            found = compared.comparer.compare(captured, stored, redacted)
            return legacy.status == stored.status and not any(
                _otherwise(compared, seen) for seen in occurrences(found)
            )

        if not await self._thread.do(compare):
            names = ", ".join(left_out)
            raise NotReplayable(
                f"without its header {names}, which was not stored, legacy answers otherwise: "
                "give it with --header or --cookie"
            )

    def _prepare(
        self, route: str, example: Mapping[str, Any], given: Given
    ) -> tuple[ComparedRoute, Captured, list[str]]:
        try:
            compared = self._table.route(route)
            request, left_out = rebuilt(
                example["request"], given, () if compared is None else compared.plan.reads
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotReplayable(f"unreadable: {type(error).__name__}") from None
        if compared is None:
            raise NotReplayable("the route has no new backend here")
        new = compared.plan.new
        if new is not None and new.kind in HANDED_ON:
            raise NotReplayable("new makes a message or an execution of every request")
        if compared.plan.shadow.unsafe_get:
            raise NotReplayable("the route's reads are marked as unsafe")
        request.route, request.window = route, compared.window
        request.revision = self._table.revision
        return compared, request, left_out

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
            answer = await ask(queue.target, captured, cap, self._timeout_s, compared.plan)
            queue.result(answer, compared.plan.breaker.healthy_statuses)
            return answer


def _result(compared: ComparedRoute, pair: Pair, example: str) -> dict[str, Any]:
    """What a pair comes to; a form that was learned since it was looked at accounts for it too."""
    verdict: str = pair.comparison.verdict
    rated = verdict in COMPARED
    for at, seen in enumerate(pair.seen):
        if pair.marks[at] in _UNSURE:
            known = compared.state.knowledge.first(seen, pair.apart_ms, pair.slack_ms)
            if known in OF_FORM:
                pair.marks[at] = known
        if pair.marks[at] is Mark.SLOW:
            pair.marks[at] = Mark.SETTLED
    if rated:
        verdict = told(pair.entries)
    return {
        "example": example,
        "verdict": verdict,
        "reason": pair.comparison.reason or pair.why,
        "signature": signature_hash(pair.entries) if rated else "",
        "differences": differences_data(pair),
    }


def _otherwise(compared: ComparedRoute, seen: Seen) -> bool:
    """Whether legacy's answer now is of another sort than the stored one, at a place where it does
    not vary by itself. A value that was redacted is a text, whatever it was."""
    if seen.kind not in _OTHERWISE or seen.ignored_by is not None:
        return False
    if any(isinstance(value, str) and _HIDDEN in value for value in (seen.one, seen.other)):
        return False
    return compared.state.knowledge.first(seen, 0.0) not in OF_FORM


def parts(job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A job in smaller ones: its lease is short, and each answer renews it."""
    examples = job["examples"]
    for at in range(0, len(examples), _PART):
        yield {**job, "examples": examples[at : at + _PART]}


def rebuilt(
    request: Mapping[str, Any], given: Given = (), reads: tuple[str, ...] = ()
) -> tuple[Captured, list[str]]:
    """A stored request as one that can be sent, and the names of headers that were redacted and
    are left out. `given` stand in their place; `reads` are methods that only read besides the safe
    ones. Raises `NotReplayable`."""
    method, target = request["method"], request["target"]
    if not is_read(method, reads):
        raise NotReplayable("its method is not safe, and the route does not list it in reads")
    if _HIDDEN in target:
        raise NotReplayable("its target was redacted")
    if request.get("body") and _HIDDEN in request["body"]:
        raise NotReplayable("its body was redacted")
    named = {name.lower() for name, _ in given}
    headers = [(n, v) for n, v in request["headers"] if n.lower() not in named]
    left_out = sorted({n.lower() for n, v in headers if _HIDDEN in v})
    sent = [*((n, v) for n, v in headers if _HIDDEN not in v), *given]
    found = Captured()
    found.side, found.method, found.target = "legacy", method, target.encode("latin-1")
    found.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent]
    found.body = _stored_body(request, found.headers)
    found.has_body = bool(found.body) or _value(found.headers, b"content-length") == b"0"
    # A body is stored decoded, and the length is that of what is sent now.
    found.headers = [pair for pair in found.headers if pair[0].lower() not in _OF_THE_CODING]
    found.peer, found.scheme, found.trusted = "127.0.0.1", "http", False
    hosts = [value for name, value in found.headers if name.lower() == b"host"]
    found.host = hosts[0] if hosts else b""
    found.trace = os.urandom(16).hex()
    found.at_ms, found.head_us = int(time.time() * 1_000), 0
    return found, left_out


_OF_THE_CODING = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})


def _stored_body(request: Mapping[str, Any], headers: Headers) -> bytes:
    """The body as the client sent it, but for content codings. Raises `NotReplayable`."""
    text, kind = request.get("body"), request.get("body_kind")
    if kind == "base64":
        return base64.b64decode(text or "")
    if not text:
        length = _value(headers, b"content-length")
        if length.strip(b"0") or _value(headers, b"transfer-encoding"):
            raise NotReplayable("its body was too long to be stored")
        return b""
    media_type = MediaType.parse(_value(headers, b"content-type").decode("latin-1"))
    try:
        return to_bytes(text, media_type.family(text.encode()), media_type.charset)
    except UnicodeEncodeError:
        raise NotReplayable("its body cannot be written in its charset") from None


def _value(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")


def stored_answer(stored: Mapping[str, Any]) -> Answer:
    """A stored answer as the comparer takes it: its body is decoded text in UTF-8."""
    text = stored.get("body") or ""
    if stored.get("body_kind") == "base64":
        body = base64.b64decode(text)
    else:
        body = text.encode("utf-8", "backslashreplace")
    headers = tuple(
        (str(name), str(value)) for name, value in stored["headers"] if name.lower() not in _UNTRUE
    )
    return Answer(stored["status"], headers, body, failure=stored.get("failure"))
