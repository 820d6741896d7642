"""A backend with several URLs, of which one is sick."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from figway.model.backend import Backend, HealthPolicy, OutlierPolicy, RetryPolicy
from figway.model.table import BreakerPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from proxy.request.runtime import FacadeSettings
from tests.support.wire import OK, Facade, Message, Peer, RawBackend

SICK = b"HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n"


def table(*ports: int, **fields: Any) -> Table:
    first, *others = (f"http://127.0.0.1:{port}" for port in ports)
    backend = Backend(id="legacy", side=Side.LEGACY, url=first, urls=tuple(others), **fields)
    return Table(default_backend="legacy", backends={"legacy": backend})


def drop(peer: Peer, request: Message) -> bool:
    """Close without an answer."""
    return False


@pytest.fixture
def pair() -> Iterator[tuple[RawBackend, RawBackend]]:
    made = RawBackend(), RawBackend()
    yield made
    for raw in made:
        raw.stop()


@pytest.fixture
def open_facade() -> Iterator[Callable[[Table], Facade]]:
    opened: list[Facade] = []

    def make(served: Table) -> Facade:
        opened.append(Facade("native", served, FacadeSettings()))
        return opened[-1]

    yield make
    for facade in opened:
        facade.stop()


def test_requests_are_shared(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    facade = open_facade(table(pair[0].port, pair[1].port))
    with facade.connect() as client:
        assert {client.get().status for _ in range(10)} == {200}
    assert [len(raw.requests) for raw in pair] == [5, 5]


def test_reads_are_tried_elsewhere_and_writes_are_not_repeated(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    """trap 44, trap 22: a write that may have been taken is never sent again."""
    sick, well = pair
    sick.play = drop
    never = OutlierPolicy(failures=1_000)
    facade = open_facade(table(sick.port, well.port, outlier=never))
    with facade.connect() as client:
        assert {client.get().status for _ in range(4)} == {200}
    assert len(well.requests) == 4
    assert len(sick.requests) == 1  # after that it comes last
    well.play = drop
    with facade.connect() as client:
        assert client.ask(b"POST", b"/", body=b"x").status == 502
    posts = [r for raw in pair for r in raw.requests if r.line.startswith(b"POST")]
    assert len(posts) == 1


def test_a_url_where_nobody_listens_costs_no_request(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    """Nothing was sent, so that even a write may go elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    facade = open_facade(table(closed, pair[0].port, outlier=OutlierPolicy(failures=2)))
    with facade.connect() as client:
        statuses = [client.ask(b"POST", b"/", body=b"x").status for _ in range(6)]
    assert statuses == [200] * 6
    assert len(pair[0].requests) == 6


def test_retries_have_a_budget(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    """trap 46: with none left the failure is the client's."""
    for raw in pair:
        raw.play = drop
    budget = RetryPolicy(percent=0, min_per_s=0)
    facade = open_facade(table(pair[0].port, pair[1].port, retry=budget))
    with facade.connect() as client:
        assert client.get().status == 502
    assert sum(len(raw.requests) for raw in pair) == 1


def test_a_member_that_answers_with_errors_is_left_out(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    sick, well = pair
    sick.play = SICK
    policy = OutlierPolicy(failures=1, eject_ms=60_000)
    facade = open_facade(table(sick.port, well.port, outlier=policy))
    with facade.connect() as client:
        statuses = [client.get().status for _ in range(8)]
    assert statuses == [500] + [200] * 7
    assert len(sick.requests) == 1


SICK_503 = SICK.replace(b"500", b"503")


@pytest.mark.parametrize(
    ("sick", "of_route", "of_backend", "asked"),
    [
        (SICK, (), (), 1),
        (SICK, (500,), (), 4),
        (SICK, (), (500,), 4),
        (SICK_503, (500,), (500,), 1),
        (drop, (500,), (500,), 1),
    ],
    ids=["plain", "by its route", "by its backend", "another status", "no answer"],
)
def test_a_status_that_is_an_answer_puts_no_member_out(
    pair: tuple[RawBackend, RawBackend],
    open_facade: Callable[[Table], Facade],
    sick: Any,
    of_route: tuple[int, ...],
    of_backend: tuple[int, ...],
    asked: int,
) -> None:
    """Line 2: a SOAP fault is HTTP 500, and its URL as well as the others; a 503 is not."""
    pair[0].play = sick
    policy = OutlierPolicy(failures=1, eject_ms=60_000, healthy_statuses=of_backend)
    plain = table(pair[0].port, pair[1].port, outlier=policy)
    route = Route(
        id="soap", match=RouteMatch(path="/ws"), stage=Stage.LEGACY,
        breaker=BreakerPolicy(healthy_statuses=of_route),
    )  # fmt: skip
    facade = open_facade(replace(plain, routes={"soap": route}))
    with facade.connect() as client:
        for _ in range(8):
            client.get(b"/ws")
    assert len(pair[0].requests) == asked


def test_a_status_of_another_route_is_no_answer(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    """What no route names goes by what the backend says of itself."""
    pair[0].play = SICK
    plain = table(pair[0].port, pair[1].port, outlier=OutlierPolicy(failures=1, eject_ms=60_000))
    route = Route(
        id="soap", match=RouteMatch(path="/ws"), stage=Stage.LEGACY,
        breaker=BreakerPolicy(healthy_statuses=(500,)),
    )  # fmt: skip
    facade = open_facade(replace(plain, routes={"soap": route}))
    with facade.connect() as client:
        statuses = [client.get(b"/other").status for _ in range(6)]
    assert statuses == [500] + [200] * 5


def test_health_checks_take_a_member_out_and_back(
    pair: tuple[RawBackend, RawBackend], open_facade: Callable[[Table], Facade]
) -> None:
    sick, well = pair

    def unhealthy(peer: Peer, request: Message) -> None:
        peer.send(SICK if request.line == b"GET /health HTTP/1.1" else OK)

    sick.play = unhealthy
    health = HealthPolicy(path="/health", interval_ms=100, unhealthy=1, healthy=1)
    facade = open_facade(table(sick.port, well.port, health=health))
    upstream: Any = facade.runtime._backends["legacy"].upstream
    facade.wait_for(lambda: not upstream.members.all[0].well)
    with facade.connect() as client:
        assert {client.get(b"/x").status for _ in range(6)} == {200}
        assert not [r for r in sick.requests if r.line == b"GET /x HTTP/1.1"]
        sick.play = OK
        facade.wait_for(lambda: bool(upstream.members.all[0].well))
        for _ in range(6):
            client.get(b"/x")
    assert len([r for r in sick.requests if r.line == b"GET /x HTTP/1.1"]) == 3
    assert {request.one(b"host") for request in sick.requests} == {
        b"shop.example",
        b"127.0.0.1:%d" % sick.port,
    }
