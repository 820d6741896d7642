"""One request on its way through the facade: from the door to a backend, and back.

A door makes a `Flow` for each request head and tells it what the client does; the flow asks the
table, drives `figway.serving.exchange`, and is itself the sink of each attempt. Whatever happens,
it ends with exactly one answer to the client and one record. It knows nothing of how either end
writes bytes. See `proxy.request.client` for what a door offers, and `proxy.upstreams.port` for
the other end.
"""

from __future__ import annotations

from time import monotonic_ns, time
from typing import Final

from figway.message.force import COOKIE as FORCE_COOKIE
from figway.message.force import HEADER as FORCE_HEADER
from figway.message.force import verify
from figway.message.headers import HOP_HEADER, Arrival, hops
from figway.message.http import SAFE_METHODS, Headers
from figway.message.problem import Problem
from figway.model.table import Side
from figway.routing.decide import Decision, Why, cookie_value, decide
from figway.serving.exchange import Action, Do, Exchange, FailureKind, Sent
from proxy.loop.deadlines import NEVER
from proxy.loop.record import RequestRecord
from proxy.request.client import NOBODY, ClientPort, problem_answer
from proxy.request.forwarding import outbound, relayed
from proxy.request.outgoing import edited
from proxy.request.runtime import CaptureTap, Lane, Runtime, Target, fresh_id, side_of
from proxy.upstreams.port import Failure, Sending
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead

HOLD: Final = 65_536
"""Body bytes that are kept at least until a backend takes them, whatever the replay buffer."""


_UNDECIDED: Final = Decision(Side.LEGACY, Why.NO_ROUTE)
_NEW: Final = Side.NEW
_TRY: Final = Do.TRY
_RELAY: Final = Do.RELAY
_LOOP: Final = Problem(508, "loop", "The request went through too many facades")
_TOO_LARGE: Final = Problem(413, "body_too_large", "The request body is too large")
_BROKEN: Final = Problem(500, "internal", "The facade failed")


class Flow:
    """One request: `ResponseSink` of each attempt, `HasDeadline` over all of them."""

    __slots__ = (
        "_arrival",
        "_body_done",
        "_body_size",
        "_client",
        "_decision",
        "_done",
        "_exchange",
        "_gone",
        "_handed",
        "_head",
        "_head_ns",
        "_hop",
        "_kept",
        "_kept_size",
        "_lane",
        "_paused",
        "_problem",
        "_relaying",
        "_response_size",
        "_revision",
        "_runtime",
        "_sending",
        "_started",
        "_status",
        "_tap",
        "_target",
        "_traceparent",
        "_tunnel",
        "_whole",
        "deadline",
        "hold",
    )

    _exchange: Exchange
    _lane: Lane

    def __init__(
        self, runtime: Runtime, head: RequestHead, client: ClientPort, arrival: Arrival
    ) -> None:
        self._runtime = runtime
        self._head = head
        self._client = client
        self._arrival = arrival
        self._decision: Decision = _UNDECIDED
        self._traceparent = b""
        self._target: Target | None = None
        self._sending: Sending | None = None
        self._tap: CaptureTap | None = None
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._handed = 0
        self._whole = True
        self._body_size = 0
        self._body_done = not head.has_body
        self._paused = False
        self._relaying = False
        self._tunnel = False
        self._gone = False
        self._done = False
        self._problem = ""
        self._status = 0
        self._response_size = 0
        self._head_ns = 0
        self.deadline = NEVER
        self.hold = HOLD  # a door that has the whole body anyway may keep more
        runtime.in_flight += 1

    # -- what the door tells -----------------------------------------------------------------

    def begin(self) -> None:
        """The head is in. The answer may be complete when this returns."""
        self._started = started = monotonic_ns()
        now = started // 1_000_000
        runtime, head = self._runtime, self._head
        try:
            compiled = runtime.table
            self._revision = compiled.revision
            plan = compiled.match(head)
            self._lane = lane = runtime.lane(plan)
            get = head.acted_on.get  # the names below are all in it
            self._traceparent = get(b"traceparent") or runtime.trace_parents.fresh()
            self._hop = hops(get(HOP_HEADER)) + 1
            self._decision = decision = decide(
                plan,
                head,
                kill=runtime.killed,
                forced=self._forced() if runtime.settings.force_secret else None,
                fresh_id=fresh_id,
            )
            side = decision.side
            self._exchange = exchange = Exchange(
                plan.fallback,
                side,
                head.method,
                now,
                breaker=lane.breaker if side is _NEW else None,
                budget=lane.budget,
                keyed=get(b"idempotency-key") is not None,
                retired=lane.retired,
            )
            if self._hop > runtime.settings.max_hops:
                self._answer(_LOOP)
                return
            guard = lane.guard
            if guard is not None and (refusal := guard.refuses(head, started)) is not None:
                self._answer(refusal)
                return
            limit = lane.max_body
            if limit and head.content_length is not None and head.content_length > limit:
                self._answer(_TOO_LARGE)
                return
            if runtime.capture is not None and lane.captured:
                self._tap = runtime.capture.begin(plan, decision, head, self._arrival)
            self.deadline = exchange.deadline_at
            runtime.timer.add(self)
            self._act(exchange.start(now))
        except Exception as error:
            if self._decision is _UNDECIDED:
                self._stand_in(now)
            self._broke("begin", error)

    def body(self, data: bytes) -> None:
        """A piece of the request's body, or of the tunnel."""
        if self._done:
            return
        self._body_size += len(data)
        if self._tap is not None and not self._tunnel:
            self._tap.request_body(data)
        sending = self._sending
        if self._relaying:
            # No further attempt: what the backend still takes is passed on, and nothing is kept.
            if sending is None:
                return
            if not self._paused and not self._kept:
                sending.write(data)
            else:
                self._kept.append(data)
            return
        limit = self._lane.max_body
        if limit and self._body_size > limit:
            self.refuse(_TOO_LARGE)
            return
        self._kept.append(data)
        self._kept_size += len(data)
        self._hand_over()

    def body_end(self) -> None:
        """The request's body, or the client's half of the tunnel, is complete."""
        self._body_done = True
        if not self._relaying and not self._done:
            # A slow upload is the client's own time: the deadline counts from the whole request.
            self.deadline = self._runtime.timer.now + self._lane.plan.fallback.deadline_ms
            self._exchange.deadline_at = self.deadline
        if self._sending is not None and not self._done and self._handed == len(self._kept):
            self._sending.end()

    def client_gone(self) -> None:
        """The client went away. Reads are cancelled; a write that is whole is left to finish."""
        if self._done:
            return
        self._gone = True
        self._client = NOBODY
        finishing = self._body_done and not self._relaying and not self._tunnel
        if finishing and self._head.method not in SAFE_METHODS:
            if self._sending is not None:
                self._sending.resume()
            return
        self._exchange.client_gone()
        self._give_up()
        self._finish()

    def client_paused(self) -> None:
        """The client takes no more of the answer for now."""
        if self._sending is not None:
            self._sending.pause()

    def client_resumed(self) -> None:
        """The client takes more."""
        if self._sending is not None:
            self._sending.resume()

    def bound(self, deadline: int) -> None:
        """The door has less time than the route: a response head by `deadline` (sweep's clock)."""
        if not self._done and not self._relaying and deadline < self.deadline:
            self.deadline = self._exchange.deadline_at = deadline

    def refuse(self, problem: Problem) -> None:
        """Something is wrong with the rest of the request: answer so, if that can still be done."""
        if self._done:
            return
        self._exchange.client_gone()
        self._give_up()
        if self._relaying:
            self._problem = problem.code
            self._abort()
        else:
            self._answer(problem)

    # -- what the upstream tells -------------------------------------------------------------

    def response_informational(self, head: ResponseHead) -> None:
        """1xx: relayed, but for 100, which the facade has given itself."""
        if head.status != 100:
            self._client.inform(head)

    def response_head(self, head: ResponseHead) -> None:
        """The final head of an attempt."""
        self._head_ns = now_ns = monotonic_ns()
        if self._kept_size:
            self._forfeit()
        try:
            action = self._exchange.response_head(head.status, now_ns // 1_000_000)
            if action.do is _RELAY:
                self._relay(head)
            else:
                self._give_up()
                self._act(action)
        except Exception as error:
            self._broke("response head", error)

    def response_body(self, data: bytes) -> None:
        """A piece of the answer."""
        self._response_size += len(data)
        if self._tap is not None:
            self._tap.response_body(data)
        self._client.body(data)

    def response_end(self, trailers: Headers) -> None:
        """The answer is whole, or the backend closed the tunnel."""
        sending, self._sending = self._sending, None
        if self._tunnel and sending is not None:
            sending.abort()
        self._exchange.finished()
        self._finish()
        self._client.end(trailers)

    def response_failed(self, failure: Failure) -> None:
        """An attempt failed, before its head or after."""
        self._sending = None
        now = monotonic_ns() // 1_000_000
        try:
            if self._relaying:
                self._exchange.body_failed(failure.kind, now)
                self._abort()
            elif self._gone:
                self._exchange.failure = failure.kind
                self._exchange.client_gone()
                self._finish()
            else:
                if failure.sent is not Sent.NOTHING:
                    self._forfeit()
                self._act(self._exchange.failed(failure.kind, failure.sent, now, failure.detail))
        except Exception as error:
            self._broke("failure", error)

    def request_paused(self) -> None:
        """The backend takes no more body for now."""
        self._paused = True
        self._client.pause_body()

    def request_resumed(self) -> None:
        """The backend takes body again."""
        self._paused = False
        self._hand_over()
        if not self._paused:
            self._client.resume_body()

    # -- what the sweep tells ----------------------------------------------------------------

    def expired(self, now: int) -> None:
        """The deadline passed without a response head, or with nobody left to relay to."""
        if not self._body_done:
            self.deadline = now + self._lane.plan.fallback.deadline_ms
            return
        self._runtime.timer.discard(self)
        self._give_up()
        try:
            if self._gone:
                self._exchange.failure = FailureKind.DEADLINE
                self._exchange.client_gone()
                self._finish()
            else:
                self._act(self._exchange.deadline(now))
        except Exception as error:
            self._broke("deadline", error)

    # -- doing what the exchange says --------------------------------------------------------

    def _act(self, action: Action) -> None:
        if action.do is _TRY and action.side is not None:
            self._try(side_of(self._lane, action.side))
        elif action.do is Do.ANSWER and action.problem is not None:
            self._answer(action.problem)

    def _try(self, target: Target) -> None:
        head = self._head
        if self._target is not target:
            self._release()
            self._target = target
            target.in_flight += 1
            self._exchange.retry = retry = target.retry
            if retry is not None:
                retry.own_request(self._runtime.timer.now)
        request = outbound(head, self._arrival, target, self._hop, self._traceparent)
        was_paused, self._paused = self._paused, False
        self._handed = 0
        if target.credentials is not None or self._lane.edits_requests:
            request = edited(request, head.target, self._lane.plan.policy_plan, target)
        self._sending = target.upstream.send(request, self)
        if self._kept or (self._body_done and head.has_body):
            self._hand_over()
        if was_paused and not self._paused:
            self._client.resume_body()

    def _hand_over(self) -> None:
        """Give the backend what it has not had yet, as far as it takes it."""
        sending, kept = self._sending, self._kept
        if sending is None:
            return
        while self._handed < len(kept) and not self._paused:
            self._handed += 1
            sending.write(kept[self._handed - 1])
        if self._paused or self._handed < len(kept):
            return
        if self._body_done:
            sending.end()
        if self._relaying or not self._whole:
            kept.clear()
            self._handed = 0
        elif self._kept_size > max(self.hold, self._lane.plan.fallback.replay_buffer):
            self._whole = False
            self._exchange.body_not_kept()
            kept.clear()
            self._handed = 0

    def _forfeit(self) -> None:
        """The backend has seen something of a body that is over the replay buffer."""
        if self._kept_size > self._lane.plan.fallback.replay_buffer:
            self._exchange.body_not_kept()

    def _relay(self, head: ResponseHead) -> None:
        self._relaying = True
        self._status = head.status
        runtime = self._runtime
        if not self._gone:
            runtime.timer.discard(self)
            self.deadline = NEVER
        del self._kept[: self._handed]
        self._handed = 0
        if self._tap is not None:
            self._tap.response_head(head)
        if head.status == 101:
            self._tunnel = True
            self._client.respond(head)
        else:
            issue = self._decision.issue
            lane, target = self._lane, self._target
            self._client.respond(
                relayed(head, self._head, self._arrival, runtime, lane, target, issue)
            )

    def _answer(self, problem: Problem) -> None:
        """Give the facade's own answer, and be done."""
        self._problem = problem.code
        self._status = problem.status
        self._head_ns = monotonic_ns()
        self._relaying = True
        head, body = problem_answer(problem, self.trace_id)
        client = self._client
        self._finish()
        client.respond(head)
        if self._head.method != "HEAD":
            client.body(body)
        client.end([])

    def _abort(self) -> None:
        client = self._client
        self._finish()
        client.abort()

    def _give_up(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.abort()

    def _broke(self, where: str, error: Exception) -> None:
        """A fault of ours: say so, and let neither end hang."""
        self._runtime.report(where, error)
        self._give_up()
        if self._done:
            return
        if self._relaying:
            self._abort()
        else:
            self._answer(_BROKEN)

    def _stand_in(self, now: int) -> None:
        """Something failed before a side was chosen: what the record needs nevertheless."""
        plan = self._runtime.table.default
        self._lane = lane = self._runtime.lane(plan)
        self._exchange = Exchange(
            plan.fallback, Side.LEGACY, self._head.method, now, breaker=None, budget=lane.budget
        )

    def _forced(self) -> Side | None:
        head = self._head
        token = head.get(FORCE_HEADER) or cookie_value(head.get(b"cookie"), FORCE_COOKIE)
        if not token:
            return None
        return verify(token, int(time()), self._runtime.settings.force_secret)

    # -- the end -----------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """The trace that this request belongs to."""
        return self._traceparent[3:35].decode("latin-1")

    def _release(self) -> None:
        target = self._target
        if target is not None:
            target.in_flight -= 1
            if target.retired and not target.in_flight:
                self._runtime.released(target)

    def _finish(self) -> None:
        """Leave the one record. Called once, whatever happened."""
        if self._done:
            return
        self._done = True
        runtime = self._runtime
        runtime.in_flight -= 1
        if self.deadline != NEVER:
            runtime.timer.discard(self)
        self._release()
        record = self._record()
        if self._tap is not None:
            self._tap.finished(record)
        runtime.recorder.record(record)

    def _record(self) -> RequestRecord:
        record, head = RequestRecord(), self._head
        decision, exchange = self._decision, self._exchange
        ended, started = monotonic_ns(), self._started
        record.started_ms = int(time() * 1_000) - (ended - started) // 1_000_000
        record.method = head.method
        record.target = head.target
        record.host = head.host
        record.client = head.client
        record.trace_id = self.trace_id
        record.revision = self._revision
        record.route = self._lane.plan.route_id
        record.why = decision.why
        record.bucket = decision.bucket
        record.key_source = decision.key_source
        record.side = exchange.side
        record.backend = "" if self._target is None else self._target.backend.id
        record.status = self._status
        record.attempts = exchange.attempts
        record.fallback = exchange.fallback
        record.no_fallback = exchange.no_fallback or ""
        record.failure = exchange.failure or ""
        record.problem = self._problem
        record.request_bytes = self._body_size
        record.response_bytes = self._response_size
        record.total_us = (ended - started) // 1_000
        record.head_us = (self._head_ns - started) // 1_000 if self._head_ns else 0
        record.client_gone = self._gone
        record.upgrade = self._tunnel
        return record
