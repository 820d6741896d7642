"""One request on its way through the facade: from the door to a backend, and back.

A door makes a `Flow` for each request head and tells it what the client does; the flow asks the
table, drives the exchange (`figway.serving.attempts`), and is itself the sink of each attempt. Its
phases, and what ends them:

    DECIDING         a side is chosen -> TRYING; a refusal -> DONE; only the body tells -> PEEKING
    PEEKING          enough of the body, or all of it -> as DECIDING; the client leaves -> DONE
    TRYING           a head to relay -> RELAYING or TUNNEL; an answer of the facade's own -> DONE;
                     the client leaves -> FINISHING_ALONE (a whole write) or DONE
    RELAYING         the end of the answer, or its failure, or the client leaves -> DONE
    TUNNEL           either half ends, or the client leaves -> DONE
    FINISHING_ALONE  the end of the answer that nobody takes, a failure, the deadline -> DONE

Whatever happens, it ends with exactly one answer to the client and one record. It knows nothing of
how either end writes bytes. See `proxy.request.client` for what a door offers, and
`proxy.upstreams.port` for the other end.
"""

from __future__ import annotations

from enum import IntEnum
from time import monotonic_ns, time
from typing import Final

from figway.message.headers import Arrival, forward_response
from figway.message.http import Headers, is_read
from figway.message.problem import Problem
from figway.operation.operation import BodyNeeded
from figway.routing.compile import Plan
from figway.serving.attempts.exchange import Action, Do, Exchange
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER
from proxy.loop.record import RequestRecord
from proxy.request.body_limit import TOO_LARGE, is_over
from proxy.request.capture_port import CaptureTap
from proxy.request.choice import Choice, choose, stand_in
from proxy.request.client import NOBODY, ClientPort, problem_answer
from proxy.request.forwarding import outbound, relayed
from proxy.request.live import LiveBackend, LiveRoute, side_of
from proxy.request.peek import LIMIT, Peeked, choose_read
from proxy.request.replay_body import ReplayBody
from proxy.request.runtime import Runtime
from proxy.upstreams.port import Failure, Sending
from proxy.wire.client_head import RequestHead
from proxy.wire.message import ResponseHead

HOLD: Final = 65_536
"""Body bytes that are kept at least until a backend takes them, whatever the replay buffer."""


class Phase(IntEnum):
    """Where a request stands; see the head of this module."""

    DECIDING = 0
    TRYING = 1
    RELAYING = 2
    TUNNEL = 3
    FINISHING_ALONE = 4
    DONE = 5
    PEEKING = 6


_TRY: Final = Do.TRY
_RELAY: Final = Do.RELAY
_TRYING: Final = Phase.TRYING
_RELAYING: Final = Phase.RELAYING
_TUNNEL: Final = Phase.TUNNEL
_FINISHING_ALONE: Final = Phase.FINISHING_ALONE
_DONE: Final = Phase.DONE
_PEEKING: Final = Phase.PEEKING
_BROKEN: Final = Problem(500, "internal", "The facade failed")


class Flow:
    """One request: `ResponseSink` of each attempt, `HasDeadline` over all of them."""

    __slots__ = (
        "_arrival",
        "_body",
        "_body_size",
        "_choice",
        "_client",
        "_continues",
        "_exchange",
        "_head",
        "_head_ns",
        "_live",
        "_peeked",
        "_phase",
        "_plan",
        "_problem",
        "_response_size",
        "_route",
        "_runtime",
        "_sending",
        "_started",
        "_status",
        "_tap",
        "_wanted",
        "deadline",
        "hold",
    )

    _choice: Choice
    _exchange: Exchange
    _route: LiveRoute
    _plan: Plan
    _wanted: BodyNeeded

    def __init__(
        self, runtime: Runtime, head: RequestHead, client: ClientPort, arrival: Arrival
    ) -> None:
        self._runtime = runtime
        self._head = head
        self._client = client
        self._arrival = arrival
        self._phase = Phase.DECIDING
        self._live: LiveBackend | None = None
        self._peeked: Peeked | None = None
        self._sending: Sending | None = None
        self._tap: CaptureTap | None = None
        self._body: ReplayBody | None = ReplayBody() if head.has_body else None
        self._body_size = 0
        self._continues = False
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
        try:
            self._take(choose(self._runtime, self._head, now))
        except BodyNeeded as needed:
            self._peek(needed, now)
            return
        except Exception as error:
            self._take(stand_in(self._runtime, self._head, now))
            self._broke("choice", error)
            return
        try:
            refusal = self._choice.refusal(self._runtime, self._head, self._client, started)
            if refusal is None:
                self._start(now)
            else:
                self._answer(refusal)
        except Exception as error:
            self._broke("begin", error)

    def body(self, data: bytes) -> None:
        """A piece of the request's body, or of the tunnel."""
        phase = self._phase
        if phase is _DONE:
            return
        self._body_size += len(data)
        if self._tap is not None and phase is not _TUNNEL:
            self._tap.request_body(data)
        body = self._replay_body()
        limit = self._route.max_body
        if limit and is_over(limit, self._body_size) and (phase is _TRYING or phase is _RELAYING):
            self.refuse(TOO_LARGE)
            return
        if phase is not _TRYING:
            if self._sending is not None:
                body.pass_on(data, self._sending)
            elif phase is _PEEKING:
                body.add(data)
                if body.size > LIMIT:
                    self._read(body, complete=False)
            return
        body.add(data)
        self._hand_over(body)

    def body_end(self) -> None:
        """The request's body, or the client's half of the tunnel, is complete."""
        if self._phase is _TRYING:
            if self.deadline != NEVER:
                # A slow upload is the client's own time: the deadline counts from its end.
                self.deadline = self._runtime.timer.now + self._plan.fallback.deadline_ms
                self._exchange.deadline_at = self.deadline
        elif self._phase is _PEEKING:
            body = self._replay_body()
            body.end(None)
            self._read(body, complete=True)
            return
        if self._phase is not _DONE:
            self._replay_body().end(self._sending)

    def client_gone(self) -> None:
        """The client went away. Reads are cancelled; a write that is whole is left to finish."""
        if self._phase is _DONE or self._phase is _FINISHING_ALONE:
            return
        self._client = NOBODY
        whole = self._body is None or self._body.complete
        writes = not is_read(self._head.method, self._plan.reads)
        if whole and self._phase is _TRYING and writes:
            self._phase = _FINISHING_ALONE
            if self.deadline == NEVER:
                self.deadline = self._runtime.timer.now + self._plan.fallback.deadline_ms
                self._runtime.timer.add(self)
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
        if self._phase is _TRYING and deadline < self.deadline:
            if self.deadline == NEVER:
                self._runtime.timer.add(self)
            self.deadline = self._exchange.deadline_at = deadline

    @property
    def progress(self) -> int:
        """Grows with each piece of the answer."""
        return self._status + self._response_size

    @property
    def awaits_continue(self) -> bool:
        """Whether the backend is to say if the client may go on with its body (100)."""
        return self._continues and self._phase is _TRYING

    def refuse(self, problem: Problem) -> None:
        """Something is wrong with the rest of the request: answer so, if that can still be done."""
        if self._phase is _DONE:
            return
        self._exchange.client_gone()
        self._give_up()
        if self._phase is _TRYING or self._phase is _PEEKING:
            self._answer(problem)
        else:
            self._problem = problem.code
            self._abort()

    # -- what the upstream tells -------------------------------------------------------------

    def response_informational(self, head: ResponseHead) -> None:
        """1xx: relayed, but for a 100 that the facade has given itself."""
        if head.status != 100 or self._continues:
            if not head.plain:
                head = ResponseHead(head.status, head.reason, forward_response(head.headers))
            self._client.inform(head)

    def response_head(self, head: ResponseHead) -> None:
        """The final head of an attempt."""
        self._head_ns = now_ns = monotonic_ns()
        if self._body is not None:
            self._forfeit(self._body)
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
        if self._phase is _TUNNEL and sending is not None:
            sending.abort()
        self._exchange.finished()
        self._finish()
        self._client.end(trailers)

    def response_failed(self, failure: Failure) -> None:
        """An attempt failed, before its head or after."""
        self._sending = None
        now = monotonic_ns() // 1_000_000
        try:
            if self._phase is _TRYING:
                if failure.sent is not Sent.NOTHING and self._body is not None:
                    self._forfeit(self._body)
                self._act(self._exchange.failed(failure.kind, failure.sent, now, failure.detail))
            elif self._phase is _FINISHING_ALONE:
                self._end_alone(failure.kind, now)
            else:
                self._exchange.body_failed(failure.kind, now)
                self._abort()
        except Exception as error:
            self._broke("failure", error)

    def request_paused(self) -> None:
        """The backend takes no more body for now."""
        self._replay_body().paused = True
        self._client.pause_body()

    def request_resumed(self) -> None:
        """The backend takes body again."""
        body = self._replay_body()
        body.paused = False
        self._hand_over(body)
        if not body.paused:
            self._client.resume_body()

    # -- what the sweep tells ----------------------------------------------------------------

    def expired(self, now: int) -> None:
        """The deadline passed without a response head, or with nobody left to relay to."""
        if self._body is not None and not self._body.complete:
            self.deadline = now + self._plan.fallback.deadline_ms
            return
        self._runtime.timer.discard(self)
        self._give_up()
        try:
            if self._phase is _FINISHING_ALONE:
                self._end_alone(FailureKind.DEADLINE, now)
            else:
                self._act(self._exchange.deadline(now))
        except Exception as error:
            self._broke("deadline", error)

    # -- the start ---------------------------------------------------------------------------

    def _take(self, choice: Choice) -> None:
        self._choice = choice
        self._plan = choice.plan
        self._route = choice.route
        self._exchange = choice.exchange

    def _peek(self, needed: BodyNeeded, now: int) -> None:
        """Only the body tells which route it is: wait for it."""
        self._take(stand_in(self._runtime, self._head, now))
        self._wanted = needed
        self._phase = _PEEKING
        if self._body is None:
            self._read(None, complete=True)

    def _read(self, body: ReplayBody | None, *, complete: bool) -> None:
        """Enough of the body is there: go on as if the head had arrived now."""
        started = monotonic_ns()
        self._phase = Phase.DECIDING
        try:
            choice, self._peeked = choose_read(
                self._runtime,
                self._wanted,
                self._head,
                b"" if body is None else body.gathered(),
                started // 1_000_000,
                complete=complete,
            )
        except Exception as error:
            self._broke("operation", error)
            return
        self._take(choice)
        if body is not None and is_over(self._route.max_body, body.size):
            self._answer(TOO_LARGE)
            return
        try:
            refusal = choice.refusal(self._runtime, self._head, self._client, started)
            if refusal is None:
                self._start(started // 1_000_000)
            else:
                self._answer(refusal)
        except Exception as error:
            self._broke("begin", error)
            return
        if self._phase is not _DONE:
            self._tap = self._peeked.watched(self._plan.route, self._tap)

    def _start(self, now: int) -> None:
        runtime = self._runtime
        self._phase = _TRYING
        if runtime.capture is not None and self._route.captured and not self._is_personal():
            decision = self._choice.decision
            self._tap = runtime.capture.begin(self._plan, decision, self._head, self._arrival)
            if self._tap is not None and self._peeked is not None and self._body is not None:
                self._tap.request_body(self._body.gathered())
        self.deadline = self._exchange.deadline_at
        if self.deadline != NEVER:
            runtime.timer.add(self)
        elif self._head.expects and self._peeked is None:
            self._continues = True  # no second attempt, so the backend itself may refuse the body
        self._act(self._exchange.start(now))

    def _is_personal(self) -> bool:
        """Whether a login stands behind this request: a copy of it would be somebody else's."""
        owner = self._choice.owner
        return self._choice.login or (owner is not None and owner.logged_in)

    # -- doing what the exchange says --------------------------------------------------------

    def _act(self, action: Action) -> None:
        if action.do is _TRY and action.side is not None:
            self._try(side_of(self._route, action.side))
        elif action.do is Do.ANSWER and action.problem is not None:
            self._answer(action.problem)

    def _try(self, live: LiveBackend) -> None:
        head, body = self._head, self._body
        if self._live is not live:
            self._release()
            self._live = live
            live.in_flight += 1
            self._exchange.hands_on = live.hands_on
            self._exchange.retry = retry = live.retry
            if retry is not None:
                retry.own_request(self._runtime.timer.now)
        request = outbound(head, self._arrival, live, self._choice)
        if self._client is not NOBODY:
            request.owner = self._choice.owner
        if live.retry is not None:  # several URLs, which are judged by their answers
            request.healthy = self._plan.breaker.healthy_statuses
        if self._continues:
            request.add(b"Expect", b"100-continue")
        was_paused = body is not None and body.rewind()
        self._sending = live.upstream.send(request, self)
        if body is not None:
            self._hand_over(body)
            if was_paused and not body.paused:
                self._client.resume_body()

    def _replay_body(self) -> ReplayBody:
        """The request's body; one that is complete where the request has none."""
        body = self._body
        if body is None:
            body = self._body = ReplayBody(complete=True)
        return body

    def _hand_over(self, body: ReplayBody) -> None:
        """Give the backend what it has not had yet, as far as it takes it."""
        sending = self._sending
        if sending is None:
            return
        room = max(self.hold, self._plan.fallback.replay_buffer)
        if body.hand_to(sending, room):
            self._exchange.body_not_kept()

    def _forfeit(self, body: ReplayBody) -> None:
        """The backend has seen something of a body: beyond the replay buffer, no other one may."""
        if body.size > self._plan.fallback.replay_buffer:
            self._exchange.body_not_kept()

    def _relay(self, head: ResponseHead) -> None:
        self._status = head.status
        if self._phase is _TRYING:
            self._phase = _RELAYING
            if self.deadline != NEVER:
                self._runtime.timer.discard(self)
                self.deadline = NEVER
        if self._body is not None:
            self._body.no_more_attempts()
        if self._tap is not None:
            self._tap.response_head(head)
        if head.status == 101:
            self._open_tunnel(head)
        else:
            issue = self._choice.decision.issue
            self._client.respond(
                relayed(
                    head, self._head, self._arrival, self._runtime, self._route, self._live, issue
                )
            )

    def _open_tunnel(self, head: ResponseHead) -> None:
        self._phase = _TUNNEL
        self._body = ReplayBody()
        self._body.no_more_attempts()
        self._client.respond(head)

    def _answer(self, problem: Problem) -> None:
        """Give the facade's own answer, and be done."""
        self._problem = problem.code
        self._status = problem.status
        self._head_ns = monotonic_ns()
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

    def _end_alone(self, kind: FailureKind, now: int) -> None:
        """A write failed whose client is gone."""
        if self._exchange.body_failed(kind, now).do is not Do.ABORT:
            self._exchange.failure = kind
            self._exchange.client_gone()
        self._finish()

    def _give_up(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.abort()

    def _broke(self, where: str, error: Exception) -> None:
        """A fault of ours: say so, and let neither end hang."""
        self._runtime.report(where, error)
        self._give_up()
        if self._phase is _DONE:
            return
        if self._status:
            self._abort()
        else:
            self._answer(_BROKEN)

    # -- the end -----------------------------------------------------------------------------

    @property
    def trace_id(self) -> str:
        """The trace that this request belongs to."""
        return self._choice.traceparent[3:35].decode("latin-1")

    def _release(self) -> None:
        live = self._live
        if live is not None:
            live.in_flight -= 1
            if live.retired and not live.in_flight:
                self._runtime.released(live)

    def _finish(self) -> None:
        """Leave the one record. Called once, whatever happened."""
        if self._phase is _DONE:
            return
        self._phase = _DONE
        runtime = self._runtime
        runtime.in_flight -= 1
        if self.deadline != NEVER:
            runtime.timer.discard(self)
        self._release()
        record = self._record()
        if self._peeked is not None:
            record.operation, record.unread = self._peeked.operation, self._peeked.unread
            self._peeked.count(runtime.operations, record)
        if record.failure:
            record.detail = self._exchange.detail[:300]
        if self._tap is not None:
            self._tap.finished(record)
        runtime.recorder.record(record)

    def _record(self) -> RequestRecord:
        head, choice, exchange = self._head, self._choice, self._exchange
        decision = choice.decision
        ended, started = monotonic_ns(), self._started
        return RequestRecord(  # in its order: names cost, where it is not compiled
            int(time() * 1_000) - (ended - started) // 1_000_000,
            head.method,
            head.target,
            head.host,
            head.client,
            self.trace_id,
            choice.revision,
            self._plan.route_id,
            decision.why,
            decision.bucket,
            decision.key_source,
            exchange.side,
            "" if self._live is None else self._live.backend.id,
            self._status,
            exchange.attempts,
            exchange.fallback,
            exchange.no_fallback or "",
            exchange.failure or "",
            self._problem,
            self._body_size,
            self._response_size,
            (self._head_ns - started) // 1_000 if self._head_ns else 0,
            (ended - started) // 1_000,
            self._client is NOBODY,
            self._status == 101,
        )
