"""A worker's state across swaps, and the flow's seams, on scripted upstreams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from figway.message.headers import Arrival
from figway.model.table import BreakerPolicy, Route, Stage
from figway.routing.compile import Plan, compile_table
from figway.routing.decide import Decision
from figway.serving.attempts.breaker import BreakerState
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER
from proxy.loop.record import RequestRecord
from proxy.request.ids import TraceParents
from proxy.upstreams.fake import Answer, Fail
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead
from tests.support.flow import ROUTE, Stand, table


@asynccontextmanager
async def standing(*routes: Route, **settings: Any) -> AsyncIterator[Stand]:
    """A stand that must have nothing under way and no deadline set at its end."""
    stand = Stand(*routes, **settings)
    try:
        yield stand
        assert stand.runtime.in_flight == 0
        assert all(entry.deadline == NEVER for entry in stand.runtime.timer._entries)
    finally:
        stand.close()


async def test_a_swap_keeps_what_is_unchanged_and_retires_the_rest() -> None:
    async with standing(ROUTE) as stand:
        legacy, before = stand.fakes["legacy"][0], stand.fakes["new"][0]
        before.default = None
        waiting = stand.begin()
        stand.runtime.swap(compile_table(table(ROUTE, new="http://newer")))
        assert (legacy.retired, before.retired) == (False, True)
        assert stand.spawned == []  # a request is still under way there
        assert len(stand.fakes["new"]) == 2
        before.attempts[0].head(200)
        before.attempts[0].finish()
        await asyncio.sleep(0)
        assert waiting.status == 200
        (closing,) = stand.spawned
        await closing
        assert before.closed
        await stand.ask()
        assert len(stand.fakes["new"][1].attempts) == 1


async def test_a_backend_that_cannot_be_opened_is_left_out_alone() -> None:
    """B1, trap 53: the table is served, and its routes by legacy, until it can be opened."""
    async with standing(ROUTE) as stand:
        changed = compile_table(table(ROUTE, new="http://unusable"))
        stand.runtime.swap(changed)
        assert stand.runtime.table is changed
        assert (await stand.ask()).status == 200
        assert len(stand.fakes["legacy"][0].attempts) == 1
        assert stand.records[-1].fallback == "quarantine"
        (row,) = stand.runtime.quarantine.rows()
        assert (row["id"], row["side"]) == ("new", "new")
        stand.runtime.swap(compile_table(table(ROUTE)))
        assert not stand.runtime.quarantine.rows()
        await stand.ask()
        assert len(stand.fakes["new"][1].attempts) == 1


async def test_a_breaker_survives_swaps_and_takes_new_policies() -> None:
    async with standing(replace(ROUTE, breaker=BreakerPolicy(min_calls=2))) as stand:
        stand.fakes["new"][0].default = Fail(FailureKind.RESET)
        for _ in range(2):
            await stand.ask()
        ((route, backend, breaker),) = stand.runtime.breakers()
        assert (route, backend, breaker.state) == ("r", "new", BreakerState.OPEN)
        assert stand.changes[0][:4] == ("r", "new", BreakerState.CLOSED, BreakerState.OPEN)
        policy = BreakerPolicy(min_calls=7)
        stand.runtime.swap(compile_table(table(replace(ROUTE, breaker=policy))))
        await stand.ask()
        assert stand.runtime.breakers() == [("r", "new", breaker)]
        assert breaker.policy is policy
        assert stand.records[-1].fallback == "breaker_open"
        stand.runtime.swap(compile_table(table()))
        assert stand.runtime.breakers() == []


async def test_a_backends_path_is_put_before_the_target() -> None:
    async with standing() as stand:
        await stand.ask(b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n")
        await stand.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        targets = [attempt.request.target for attempt in stand.fakes["legacy"][0].attempts]
        assert targets == [b"/base/x?y", b"*"]


class Capture:
    """Implements `Capture` and `CaptureTap`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def begin(self, plan: Plan, decision: Decision, head: RequestHead, arrival: Arrival) -> Capture:
        self.seen.append((plan.route_id, decision.side.value, head.path))
        return self

    def request_body(self, data: bytes) -> None:
        self.seen.append(data)

    def response_head(self, head: ResponseHead) -> None:
        self.seen.append(head.status)

    def response_body(self, data: bytes) -> None:
        self.seen.append(data)

    def finished(self, record: RequestRecord) -> None:
        self.seen.append(record.total_us >= 0)


async def test_a_tap_follows_the_request_that_a_stage_wants_copied() -> None:
    async with standing(replace(ROUTE, stage=Stage.SHADOW)) as stand:
        capture = stand.runtime.capture = Capture()
        stand.fakes["legacy"][0].default = Answer(201, body=[b"one", b"two"])
        client = stand.begin(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        client.flow.body(b"body")
        client.flow.body_end()
        for _ in range(20):
            await asyncio.sleep(0)
        expected = [("r", "legacy", b"/r"), b"body", 201, b"one", b"two", True]
        assert capture.seen == expected
        await stand.ask(b"GET /unrouted HTTP/1.1\r\nHost: a\r\n\r\n")
        assert capture.seen == expected


async def test_a_fault_of_ours_is_answered_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Habit 9: whatever throws, the client gets one answer and the record is left."""
    async with standing() as stand:

        def broken(*_: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(stand.fakes["legacy"][0], "send", broken)
        client = await stand.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (client.status, client.calls) == (500, ["respond", "end"])
        assert [str(error) for error in stand.faults] == ["boom"]
        assert stand.records[0].problem == "internal"
        monkeypatch.setattr("proxy.request.choice.decide", broken)
        assert (await stand.ask()).status == 500
        assert len(stand.records) == 2


async def test_a_deadline_waits_for_a_slow_upload() -> None:
    """trap 49: the time of the client's own sending is not the backend's."""
    async with standing() as stand:
        stand.fakes["legacy"][0].default = None
        client = stand.begin(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        later = client.flow.deadline + 1
        client.flow.expired(later)
        assert client.calls == []
        client.flow.body(b"body")
        client.flow.body_end()
        client.flow.expired(client.flow.deadline)
        assert client.status == 504
        assert stand.fakes["legacy"][0].attempts[0].aborted


async def test_a_body_is_handed_over_again_to_the_second_attempt() -> None:
    async with standing(ROUTE) as stand:
        new, legacy = stand.fakes["new"][0], stand.fakes["legacy"][0]
        new.default = legacy.default = None
        client = stand.begin(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        client.flow.body(b"abc")
        new.attempts[0].sink.request_paused()
        client.flow.body(b"def")
        client.flow.body_end()
        assert new.attempts[0].body == b"abc"
        new.attempts[0].fail(FailureKind.CONNECT, Sent.NOTHING)
        for _ in range(5):
            await asyncio.sleep(0)
        assert client.calls == ["pause", "resume"]
        assert legacy.attempts[0].body == b"abcdef"
        assert legacy.attempts[0].ended
        legacy.attempts[0].head(200)
        legacy.attempts[0].finish()
        await asyncio.sleep(0)
        assert stand.records[0].attempts == 2


async def test_the_identity_cookie_is_secure_where_users_speak_https() -> None:
    async with standing(replace(ROUTE, stage=Stage.CANARY, weight=1), secure=True) as stand:
        client = await stand.ask()
        ((name, value),) = client.headers
        assert name == b"set-cookie"
        assert value.endswith(b"; Secure")


def test_trace_parents_are_unique() -> None:
    parents = TraceParents()
    assert len({parents.fresh() for _ in range(1_000)}) == 1_000
