"""How long legacy is waited for: as long as without a facade, unless somebody set a time."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from figway.model.backend import Timeouts
from figway.model.table import FallbackPolicy, Stage
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.test_fields import route
from tests.support.wire import OK, Facade, Message, Peer, RawBackend, table_of


def in_no_hurry(go: threading.Event, head: bytes = b"") -> object:
    def play(peer: Peer, request: Message) -> None:
        if head:
            peer.send(head)
        assert go.wait(10)
        peer.send(OK[len(head) :])

    return play


def shortest(facade: Facade) -> int:
    """The next time-out of anything on the facade's loop, in milliseconds from now."""
    timer = facade.runtime.timer
    return facade.call(lambda: min(entry.deadline - timer.now for entry in timer._entries))


@pytest.mark.parametrize("head", [b"", OK[:38]])
def test_what_no_route_names_has_no_deadline(
    facade_of: Open, legacy: RawBackend, head: bytes
) -> None:
    """W30: neither for the head nor between two pieces of a body."""
    go = threading.Event()
    legacy.play = in_no_hurry(go, head)  # type: ignore[assignment]
    facade = facade_of(table_of(legacy.port))
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        facade.wait_for(lambda: len(legacy.requests) == 1)
        hour = 3_600_000
        facade.wait_for(lambda: shortest(facade) > 24 * hour)
        go.set()
        assert client.answer().status == 200


def test_one_knob_gives_it_one(facade_of: Open, legacy: RawBackend) -> None:
    """W30: `unrouted_ms` is the time for a head, and between two pieces."""
    go = threading.Event()
    legacy.play = in_no_hurry(go)  # type: ignore[assignment]
    facade = facade_of(table_of(legacy.port), unrouted_ms=100)
    with facade.connect() as client:
        assert client.get().status == 504
    go.set()


def test_a_time_out_that_somebody_set_rules_alone(facade_of: Open, legacy: RawBackend) -> None:
    """W7, W30: legacy's own `head_ms`, also where it is shorter than the default."""
    go = threading.Event()
    legacy.play = in_no_hurry(go)  # type: ignore[assignment]
    table = table_of(legacy.port, timeouts=Timeouts(head_ms=100))
    facade = facade_of(table)
    with facade.connect() as client:
        assert client.get().status == 504
    go.set()


@pytest.mark.parametrize(
    "fields",
    [
        {"stage": Stage.LEGACY},
        {"stage": Stage.NEW, "fallback": FallbackPolicy(enabled=False, deadline_ms=100)},
        {"stage": Stage.RETIRED, "fallback": FallbackPolicy(deadline_ms=100)},
    ],
)
def test_without_a_second_attempt_head_ms_rules_alone(
    facade_of: Open, legacy: RawBackend, new: RawBackend, fields: dict[str, Any]
) -> None:
    """W7: the deadline over all attempts is for requests that may have two."""
    go = threading.Event()
    for raw in (legacy, new):
        raw.play = in_no_hurry(go)  # type: ignore[assignment]
    one = route(**{"fallback": FallbackPolicy(deadline_ms=100), **fields})
    table = table_of(legacy.port, new.port, one)
    backends = {
        key: replace(backend, timeouts=Timeouts(head_ms=300_000))
        for key, backend in table.backends.items()
    }
    facade = facade_of(replace(table, backends=backends))
    with facade.connect() as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        facade.wait_for(lambda: len(legacy.requests) + len(new.requests) == 1)
        facade.wait_for(lambda: shortest(facade) > 60_000)
        go.set()
        assert client.answer().status == 200
