"""Several requests at once through the pipeline, in any order of events, on upstreams driven by
hand. What `test_exchange_crowd` holds for the rules, this holds for who obeys them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from figway.model.backend import FallbackBudgetPolicy, RetryPolicy
from figway.model.operations import OperationKind, OperationMatch
from figway.model.table import BreakerPolicy, FallbackPolicy
from figway.model.words import Side
from figway.routing.compile import compile_table
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.loop.deadlines import NEVER
from proxy.request.runtime import Runtime
from proxy.upstreams.fake import FakeAttempt, FakeUpstream
from tests.support.flow import ROUTE, Client, Stand, table
from tests.support.thorough import examples

GRANTED = 3

METHODS = st.sampled_from(["GET", "POST", "POST", "PUT", "PATCH"])
STEPS = st.one_of(
    st.tuples(st.just("come"), METHODS, st.booleans()),
    st.tuples(st.just("body"), st.integers(0, 5)),
    st.tuples(st.just("head"), st.integers(0, 5), st.sampled_from([200, 200, 404, 500, 503])),
    st.tuples(
        st.just("fail"),
        st.integers(0, 5),
        st.sampled_from([*FailureKind, FailureKind.STALE]),
        st.sampled_from(list(Sent)),
    ),
    st.tuples(st.just("piece"), st.integers(0, 5)),
    st.tuples(st.just("finish"), st.integers(0, 5)),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("expire"), st.integers(0, 5)),
)


class Crowd:
    """A stand whose upstreams do nothing by themselves."""

    def __init__(self, *, keyed: bool, members: bool, peeked: bool) -> None:
        self.keyed = keyed
        self.peeked = peeked
        self.stand = Stand()
        route = replace(
            ROUTE,
            fallback=FallbackPolicy(idempotency_key=keyed),
            breaker=BreakerPolicy(min_calls=4, open_ms=60_000, max_open_ms=60_000),
        )
        if peeked:
            operation = OperationMatch(kind=OperationKind.FORM, field="a", names=("b",))
            route = replace(route, match=replace(route.match, operation=operation))
        served = table(route)
        budget = FallbackBudgetPolicy(percent=0, min_per_s=GRANTED)
        legacy = replace(served.backends["legacy"], fallback_budget=budget)
        new = served.backends["new"]
        if members:
            retry = RetryPolicy(percent=0, min_per_s=GRANTED)
            new = replace(new, urls=("http://other",), retry=retry)
        served = replace(served, backends={"legacy": legacy, "new": new})
        self.runtime: Runtime = self.stand.runtime
        self.runtime.swap(compile_table(served))
        for fakes in self.stand.fakes.values():
            for fake in fakes:
                fake.default = None
        self.clients: list[Client] = []
        self.gone: set[int] = set()
        self.headed: set[int] = set()
        self.unsent: set[int] = set()

    def fakes(self, side: Side) -> list[FakeUpstream]:
        return self.stand.fakes[side.value]

    def attempts(self) -> list[tuple[Side, FakeAttempt]]:
        return [
            (side, attempt)
            for side in (Side.NEW, Side.LEGACY)
            for fake in self.fakes(side)
            for attempt in fake.attempts
        ]

    def step(self, step: tuple[Any, ...]) -> None:
        """One event. What no longer fits is let out; what comes from an aborted attempt is not."""
        kind, which, *more = step
        if kind == "come":
            self.come(which, more[0])
            return
        if kind in ("body", "leave", "expire"):
            open_ = [n for n, c in enumerate(self.clients) if n not in self.gone and not ended(c)]
            if open_:
                self.client(kind, open_[which % len(open_)])
            return
        live = [found for found in self.attempts() if not found[1].done or found[1].aborted]
        if not live:
            return
        side, attempt = live[which % len(live)]
        name = side.value.encode()
        headed = id(attempt) in self.headed
        if kind == "head" and not headed:
            self.headed.add(id(attempt))
            attempt.head(more[0], [(b"Transfer-Encoding", b"chunked")])
        elif kind == "fail":
            sent = Sent.SOME if headed or attempt.pieces else more[1]
            if sent is Sent.NOTHING and not attempt.done:
                self.unsent.add(id(attempt))
            attempt.fail(more[0], sent)
        elif kind == "piece" and headed:
            attempt.piece(name)
        elif kind == "finish" and headed:
            attempt.finish()

    def come(self, method: str, body: bool) -> None:
        number = len(self.clients)
        lines = [f"{method} /r HTTP/1.1", "Host: a", f"X-Number: {number}"]
        lines += [f"Idempotency-Key: {number}"] if self.keyed else []
        lines += ["Content-Type: application/x-www-form-urlencoded"]
        lines += ["Content-Length: 3"] if body else []
        self.clients.append(self.stand.begin("\r\n".join([*lines, "", ""]).encode()))

    def client(self, kind: str, number: int) -> None:
        flow = self.clients[number].flow
        if kind == "leave":
            self.gone.add(number)
            flow.client_gone()
        elif kind == "expire":
            if flow.deadline != NEVER:  # the sweep calls nobody else
                flow.expired(self.runtime.timer.now)
        elif flow._body is not None and not flow._body.complete:
            flow.body(b"a=" if number % 3 else b"a=c")
            if number % 3:
                flow.body(b"b")
            flow.body_end()

    def end(self) -> None:
        """Whatever is under way ends."""
        for number, client in enumerate(self.clients):
            if number not in self.gone and not ended(client):
                self.client("body", number)
        for _ in range(6):
            for _, attempt in self.attempts():
                if not attempt.done:
                    attempt.fail(FailureKind.RESET)


def ended(client: Client) -> bool:
    return "end" in client.calls or "abort" in client.calls


def number_of(attempt: FakeAttempt) -> int:
    """Which request it carries."""
    request = attempt.request
    fields = b"\r\n".join(b"%b: %b" % pair for pair in request.headers or [])
    text = fields if request.section is None else bytes(request.section)
    return int(text.partition(b"X-Number: ")[2].split(b"\r\n")[0])


def check(crowd: Crowd) -> None:
    """What must hold when all is over."""
    stand = crowd.stand
    assert not stand.faults
    assert stand.runtime.in_flight == 0
    assert len(stand.records) == len(crowd.clients)
    for number, client in enumerate(crowd.clients):
        answers = client.calls.count("respond")
        endings = client.calls.count("end") + client.calls.count("abort")
        if number in crowd.gone:
            assert answers <= 1
            assert endings == 0
        else:
            assert (answers, endings) == (1, 1), client.calls
    # A backend may have taken what was not provably unsent.
    taken = Counter(number_of(a) for _, a in crowd.attempts() if id(a) not in crowd.unsent)
    asked_legacy = {number_of(a) for side, a in crowd.attempts() if side is Side.LEGACY}
    for number, client in enumerate(crowd.clients):
        if client.flow._head.method != "GET" and not crowd.keyed:
            assert taken[number] <= 1, "a write was sent twice"
        if number in asked_legacy:
            assert b"new" not in client.content, "new's answer was relayed after a fallback"
    fell = [record for record in stand.records if record.fallback]
    assert {record.side for record in fell} <= {Side.LEGACY}
    if crowd.peeked:
        for record in stand.records:
            assert record.route == "-" or record.operation == "form b"
    assert len(fell) <= 2 * GRANTED  # the run may meet the turn of a second


@settings(max_examples=examples(750), deadline=None)
@given(
    steps=st.lists(STEPS, max_size=45),
    keyed=st.booleans(),
    members=st.booleans(),
    peeked=st.booleans(),
)
async def test_any_order_of_events(
    steps: list[tuple[Any, ...]], keyed: bool, members: bool, peeked: bool
) -> None:
    """trap 44, trap 45, trap 46: no write twice, one answer, nothing of new after a fallback; also
    where the body decides the route."""
    crowd = Crowd(keyed=keyed, members=members, peeked=peeked)
    try:
        for step in steps:
            crowd.step(step)
        crowd.end()
        check(crowd)
    finally:
        crowd.stand.close()
