"""Asking a side: for the first time, or once more within what its load and its budget allow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from figway.compare.answer import Answer
from figway.evidence.may_ask_legacy import Refusal, why_not_repeated
from figway.message.http import Headers
from figway.model.words import Side
from proxy.capture.message import Captured
from proxy.shadow.backend_queue import BackendQueue, now_ms
from proxy.shadow.sender import Ask, Told, ask, send_copy
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import ComparedRoute, ShadowTable

SKIP_BODY = 262_144
OURS = frozenset({"saturated", "throttled"})
"""Failures of an asking that our own limits made, or the platform's on our load: not rated."""


@dataclass(frozen=True, slots=True)
class _First:
    """A first question under way; `due` is when it has taken too long."""

    ask: Ask
    queue: BackendQueue
    due: int


class Asking:
    """Sends copies to both sides."""

    def __init__(self, table: ShadowTable, settings: ShadowSettings) -> None:
        self._table = table
        self._settings = settings
        self._under_way: dict[Captured, _First] = {}
        """What was asked for the first time, the oldest first."""

    def refusal(self, compared: ComparedRoute, captured: Captured, legacy: Answer) -> Refusal:
        """Why legacy may not be asked again for this request; empty if it may."""
        if not self._settings.legacy_percent:
            return "never"
        return why_not_repeated(
            compared.plan.shadow.legacy_reads,
            captured.method,
            captured.target,
            captured.headers,
            legacy.status,
            raw_headers(legacy),
            legacy.elapsed_ms,
            compared.plan.reads,
        )

    def first(
        self, compared: ComparedRoute, queue: BackendQueue, captured: Captured, told: Told
    ) -> None:
        """Ask in the turn that the queue gave; `told` hears of the answer once the turn is given
        back. Raises what keeps a copy from being made, and keeps the turn then."""
        plan = compared.plan

        def work(answer: Answer) -> None:
            if self._under_way.pop(captured, None) is None:
                return  # it was given up meanwhile
            queue.result(answer, plan.breaker.healthy_statuses)
            queue.leave()
            told(answer)

        def answered(answer: Answer) -> None:
            # All that the loop has read comes first: our work is not to be timed as theirs.
            asyncio.get_running_loop().call_soon(work, answer)

        ask = send_copy(queue.target, captured, plan.shadow.body_limit, answered, plan)
        self._under_way[captured] = _First(ask, queue, now_ms() + self._settings.timeout_ms)

    def tick(self, now: int) -> None:
        """End what takes too long; called about ten times a second."""
        for asked in list(self._under_way.values()):
            if asked.due > now:
                return
            asked.ask.expired()

    def give_up(self) -> list[Captured]:
        """Give up what was asked for the first time and is not answered: these captures."""
        under_way, self._under_way = self._under_way, {}
        for asked in under_way.values():
            asked.ask.give_up()
            asked.queue.leave()
        return list(under_way)

    async def again(
        self,
        compared: ComparedRoute,
        captured: Captured,
        side: Side,
        conditions: Sequence[tuple[bytes, bytes]] = (),
    ) -> Answer | None:
        """Ask a side once more; None where its load, or ours, forbids it.

        `conditions` are headers with its own validators: what it sends again, or says to be as
        it was. For legacy, `refusal` and the route's `ExtraReads` have been asked before.
        """
        queue = self._table.queue(compared, side)
        if not queue.limiter.room(now_ms()):
            return None
        async with queue.turn() as granted:
            if not granted:
                return None
            answer = await self._ask(queue, captured, conditions)
            queue.result(answer, self._healthy(captured))
            return None if answer.failure in OURS else answer

    def _healthy(self, captured: Captured) -> tuple[int, ...]:
        compared = self._table.route(captured.route)
        return () if compared is None else compared.plan.breaker.healthy_statuses

    async def _ask(
        self,
        queue: BackendQueue,
        captured: Captured,
        conditions: Sequence[tuple[bytes, bytes]] = (),
    ) -> Answer:
        compared = self._table.route(captured.route)
        plan = None if compared is None else compared.plan
        cap = SKIP_BODY if plan is None else plan.shadow.body_limit
        timeout_s = self._settings.timeout_ms / 1e3
        return await ask(queue.target, captured, cap, timeout_s, plan, conditions)


def raw_headers(answer: Answer) -> Headers:
    """The header section of an answer as bytes."""
    return [(_raw(name), _raw(value)) for name, value in answer.headers]


def _raw(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")
