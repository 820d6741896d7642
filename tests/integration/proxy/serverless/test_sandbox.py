"""One loop over many invocations: warm connections, freezes, tables, and nothing left pending."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from figway.model.table import Route, RouteMatch, Stage
from proxy.serverless.settings import SettingsError, load
from tests.support.serverless.events import make_event
from tests.support.serverless.facade import Sandbox, TableServer
from tests.support.serverless.life import GET, HOST, NEW, POST, Life, body_of, bundle
from tests.support.wire import OK, Message, Peer, RawBackend, head_first, table_of


def test_connections_live_across_invocations(
    live: Callable[..., Life], backend: RawBackend
) -> None:
    """trap 60: one connection serves many invocations; trap 57: nothing is pending after each."""
    peers: set[Peer] = set()

    def play(peer: Peer, request: Message) -> None:
        peers.add(peer)
        peer.send(OK)

    backend.play = play
    life = live(FIGWAY_LEGACY_URL=f"http://127.0.0.1:{backend.port}")
    for _ in range(20):
        assert life.invoke(GET)["statusCode"] == 200
    assert len(peers) == 1


@pytest.mark.parametrize("event", [GET, POST])
def test_a_connection_closed_between_invocations_is_noticed(
    live: Callable[..., Life], backend: RawBackend, event: dict[str, Any]
) -> None:
    """trap 60: the backend closed meanwhile; not even a write meets the dead connection."""
    life = live(FIGWAY_LEGACY_URL=f"http://127.0.0.1:{backend.port}")
    backend.play = lambda peer, request: (peer.send(OK), False)[1]
    for _ in range(5):
        assert life.invoke(event)["statusCode"] == 200
        assert backend.closed.wait(5)
        backend.closed.clear()
    assert len(backend.requests) == 5


def test_ten_minutes_in_the_ice(live: Callable[..., Life], backend: RawBackend) -> None:
    """trap 60: clocks jump, the kept connection is not trusted, and no request fails."""
    life = live(FIGWAY_LEGACY_URL=f"http://127.0.0.1:{backend.port}")
    assert life.invoke(POST)["statusCode"] == 200
    timer = life.sandbox.timer
    before = timer.generation
    ahead = 600.0
    timer._monotonic = lambda: time.monotonic() + ahead
    timer._wall = lambda: time.time() + ahead
    backend.play = lambda peer, request: peer.send(OK)
    assert life.invoke(POST)["statusCode"] == 200
    assert timer.generation == before + 1


def test_a_frozen_process_answers_after_the_thaw(backend: RawBackend) -> None:
    """trap 60: a real process stopped and continued, its backend gone and back meanwhile."""
    sandbox = Sandbox({"FIGWAY_TABLE_MAX_AGE_S": "60"}, table_of(backend.port))
    try:
        backend.play = lambda peer, request: (peer.send(OK), False)[1]
        assert sandbox.function.invoke(GET)["statusCode"] == 200
        sandbox.function.freeze()
        assert backend.closed.wait(5)
        time.sleep(0.2)
        invocation = sandbox.function.start(POST)
        sandbox.function.thaw()
        sandbox.function.finish(invocation)
        assert json.loads(invocation.result)["statusCode"] == 200
        assert not [line for line in sandbox.function.lines if line.get("failure")]
    finally:
        sandbox.stop()


def test_nothing_is_left_of_what_failed(live: Callable[..., Life], backend: RawBackend) -> None:
    """trap 57: a deadline, a broken answer, a refused connection leave no task and no timer."""
    go = threading.Event()

    @head_first
    def play(peer: Peer, request: Message) -> bool:
        if b"/hang" in request.line:
            go.wait(5)
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        return False

    backend.play = play
    life = live(FIGWAY_LEGACY_URL=f"http://127.0.0.1:{backend.port}")
    hang = make_event("http", "GET", b"/hang", [HOST])
    assert life.invoke(hang, remaining_ms=400)["statusCode"] == 504
    assert life.invoke(GET)["statusCode"] == 502
    go.set()
    backend.stop()
    assert life.invoke(GET)["statusCode"] == 502
    assert life.sandbox.runtime is not None
    assert life.sandbox.runtime.in_flight == 0


def test_a_bundled_table_serves_without_its_source(
    live: Callable[..., Life], backend: RawBackend, tmp_path: Path
) -> None:
    """trap 61: last good on a cold start while the control plane is unreachable."""
    life = live(
        FIGWAY_TABLE_FILE=bundle(tmp_path / "table.json", table_of(backend.port), 7),
        FIGWAY_TABLE_URL="http://127.0.0.1:9/table",
    )
    assert life.invoke(GET)["statusCode"] == 200
    assert life.sandbox.runtime is not None
    assert life.sandbox.runtime.table.revision == 7


def test_a_slow_source_costs_no_request_its_time(
    live: Callable[..., Life], backend: RawBackend, tables: TableServer, tmp_path: Path
) -> None:
    """trap 61: the question stays on its connection, and its answer is read later on."""
    tables.publish(table_of(backend.port))
    tables.hold.clear()
    life = live(
        FIGWAY_TABLE_FILE=bundle(tmp_path / "table.json", table_of(backend.port), 1),
        FIGWAY_TABLE_URL=tables.url,
        FIGWAY_TABLE_MAX_AGE_S="0",
    )
    answers = [life.invoke(GET) for _ in range(20)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert tables.asked == 1
    tables.publish(table_of(backend.port, backend.port))
    tables.hold.set()
    for _ in range(200):
        life.invoke(GET)
        if life.sandbox.runtime is not None and life.sandbox.runtime.table.revision == 2:
            break
        time.sleep(0.01)
    assert life.sandbox.runtime is not None
    assert life.sandbox.runtime.table.revision == 2


def test_a_flip_is_seen_without_a_cold_start(
    live: Callable[..., Life], backend: RawBackend, tables: TableServer
) -> None:
    """trap 61: revalidated beside the requests; unchanged tables are not sent again."""
    new = RawBackend(NEW)
    route = Route(id="r", match=RouteMatch(path="/a"), stage=Stage.LEGACY, new="new")
    tables.publish(table_of(backend.port, new.port, route))
    life = live(FIGWAY_TABLE_URL=tables.url, FIGWAY_TABLE_MAX_AGE_S="0")
    assert body_of(life.invoke(GET)) == "ok"
    flipped = Route(id="r", match=RouteMatch(path="/a"), stage=Stage.NEW, new="new")
    tables.publish(table_of(backend.port, new.port, flipped))
    for _ in range(100):
        if body_of(life.invoke(GET)) == "new":
            break
        time.sleep(0.01)
    assert body_of(life.invoke(GET)) == "new"
    new.stop()


def test_a_bad_table_is_refused(
    live: Callable[..., Life], backend: RawBackend, tables: TableServer
) -> None:
    """trap 53: the table in hand stays, and the refused one is not asked for again."""
    tables.publish(table_of(backend.port))
    life = live(FIGWAY_TABLE_URL=tables.url, FIGWAY_TABLE_MAX_AGE_S="0")
    tables.publish(table_of(backend.port, backend.port))
    tables.body = tables.body.replace(tables.etag.strip('"').encode(), b"0" * 32)
    for _ in range(3):
        assert life.invoke({"figway": "refresh"})["revision"] == 1
    assert life.invoke(GET)["statusCode"] == 200


def test_without_any_table_the_answer_says_so(live: Callable[..., Life]) -> None:
    """As in a container: 503 that names what is missing."""
    life = live(FIGWAY_TABLE_URL="http://127.0.0.1:9/table", FIGWAY_INIT_WAIT_MS="10")
    answer = life.invoke(GET, remaining_ms=500)
    assert answer["statusCode"] == 503
    assert "no_table" in body_of(answer)


def test_the_kill_switch_of_the_deployment(
    live: Callable[..., Life], backend: RawBackend, tmp_path: Path
) -> None:
    """FIGWAY_KILL needs no control plane."""
    new = RawBackend(NEW)
    route = Route(id="r", match=RouteMatch(path="/a"), stage=Stage.NEW, new="new")
    file = bundle(tmp_path / "table.json", table_of(backend.port, new.port, route))
    assert body_of(live(FIGWAY_TABLE_FILE=file).invoke(GET)) == "new"
    assert body_of(live(FIGWAY_TABLE_FILE=file, FIGWAY_KILL="1").invoke(GET)) == "ok"
    new.stop()


def test_settings_that_cannot_be_used_are_named() -> None:
    with pytest.raises(SettingsError, match="FIGWAY_LEGACY_URL"):
        load({})
    with pytest.raises(SettingsError, match="FIGWAY_CONTROL_KEY"):
        load({"FIGWAY_CONTROL_URL": "http://control.example"})
    with pytest.raises(SettingsError, match=r"FIGWAY_SETTLE_MS.*\nFIGWAY_KILL.*0 or 1"):
        load({"FIGWAY_LEGACY_URL": "http://a", "FIGWAY_KILL": "x", "FIGWAY_SETTLE_MS": "soon"})


@pytest.mark.parametrize(
    "variable", ["TABLE_MAX_AGE_S", "INIT_WAIT_MS", "SETTLE_MS", "SANDBOXES", "REPORT_S",
                 "LOG_SAMPLE", "MAX_HEADERS", "MAX_LINE_BYTES", "MAX_BODY_BYTES"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["inf", "nan", "-1", "1e999", "9" * 400, "soon"])
def test_numbers_that_cannot_be_are_refused(variable: str, value: str) -> None:
    """B1: with FIGWAY_TABLE_MAX_AGE_S=inf a sandbox never asked again, nor heard of the switch."""
    with pytest.raises(SettingsError, match=f"FIGWAY_{variable}: must be a"):
        load({"FIGWAY_LEGACY_URL": "http://a", f"FIGWAY_{variable}": value})


def test_a_key_that_no_header_can_hold_is_not_shown() -> None:
    given = {"FIGWAY_CONTROL_URL": "https://a", "FIGWAY_CONTROL_KEY": "fgw_a\nb"}
    with pytest.raises(SettingsError, match="FIGWAY_CONTROL_KEY: holds") as told:
        load(given)
    assert "fgw_" not in str(told.value)


def test_the_line_of_a_request_is_log_and_metric(backend: RawBackend) -> None:
    """CloudWatch's embedded metric format beside the fields of the log, in one line."""
    sandbox = Sandbox({"FIGWAY_METRICS_NAMESPACE": "Figway"}, table_of(backend.port))
    try:
        trace = "Root=1-67891233-abcdef012345678912345678;Parent=00f067aa0ba902b7;Sampled=1"
        invocation = sandbox.function.start(GET, trace=trace)
        sandbox.function.finish(invocation)
        line = next(line for line in sandbox.function.lines if "_aws" in line)
    finally:
        sandbox.stop()
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == "Figway"
    for name in [*metrics["Dimensions"][0], *(item["Name"] for item in metrics["Metrics"])]:
        assert name in line
    assert (line["Requests"], line["Errors"], line["Side"]) == (1, 0, "legacy")
    assert line["trace"] == "67891233abcdef012345678912345678"
    assert backend.last.one(b"traceparent").endswith(b"-00f067aa0ba902b7-01")
