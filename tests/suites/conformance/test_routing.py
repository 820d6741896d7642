"""Which side serves, seen from the wire: raw paths, stable splits, forced sides, kill switch."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from figway.message.force import sign
from figway.model.table import Capability, FallbackPolicy, Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.suites.conformance.conftest import Open
from tests.support.wire import Facade, RawBackend, table_of

SECRET = b"a secret of the tests"


def route(path: str, stage: Stage = Stage.NEW, **fields: object) -> Route:
    return Route(id=path, match=RouteMatch(path=path), stage=stage, new="new", **fields)  # type: ignore[arg-type]


@pytest.fixture
def routed(facade_of: Open, legacy: RawBackend, new: RawBackend) -> Callable[..., Facade]:
    new.play = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"

    def make(*routes: Route, **settings: object) -> Facade:
        return facade_of(table_of(legacy.port, new.port, *routes), **settings)

    return make


@pytest.mark.parametrize(
    "target",
    [
        b"/api%2Fv2/x",
        b"/%61pi/v2/x",
        b"/api/%2e%2e/v2/x",
        b"/api/../v2/x",
        b"//api/v2/x",
        b"/api//v2/x",
        b"/api\\v2/x",
        b"/api/v2;x/y",
        b"/api/v20/x",
        b"/api/v2x",
        b"/API/v2/x",
        b"/api/v2/x?a=%2F&a=1&&b",
    ],
)
def test_targets_are_forwarded_as_received(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend, target: bytes
) -> None:
    """trap 14, trap 15, trap 16: raw bytes go on, and no decoded form meets a migrated route."""
    facade = routed(route("/api/v2/{rest=**}"))
    with facade.connect() as client:
        answer = client.get(target)
    expected = new if target.startswith(b"/api/v2/") else legacy
    assert expected.last.line == b"GET %b HTTP/1.1" % target
    assert (answer.body == b"new") is (expected is new)


def test_octets_beyond_ascii_in_a_target(facade: Facade, legacy: RawBackend) -> None:
    """trap 14: not UTF-8, not even ASCII, and still legacy's to judge."""
    with facade.connect() as client:
        client.get(b"/caf\xe9?\xff")
    assert legacy.last.line == b"GET /caf\xe9?\xff HTTP/1.1"


def test_a_user_meets_one_side(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """trap 38: as the weight rises, keys move to new and none moves back."""
    facade = routed(route("/{p=**}", Stage.CANARY, weight=0))
    met: set[int] = set()
    with facade.connect() as client:
        for weight in (0, 2_500, 5_000, 10_000):
            table = table_of(legacy.port, new.port, route("/{p=**}", Stage.CANARY, weight=weight))
            facade.swap(table)
            now = {
                key
                for key in range(100)
                if client.get(b"/x", b"Cookie: figway_id=%d" % key).body == b"new"
            }
            assert met <= now
            met = now
            assert abs(len(now) - weight / 100) <= 15
    assert len(met) == 100


def test_an_identity_is_issued_where_a_split_needs_one(
    routed: Callable[..., Facade], new: RawBackend
) -> None:
    """trap 39, trap 40: a fresh identity, never the decision, and only on canary routes."""
    facade = routed(route("/split", Stage.CANARY, weight=5_000), route("/whole"))
    with facade.connect() as client:
        cookies = [client.get(b"/split").one(b"set-cookie") for _ in range(20)]
        assert client.get(b"/whole").all(b"set-cookie") == []
        assert client.get(b"/other").all(b"set-cookie") == []
        first = cookies[0].split(b";")[0]
        served = {client.get(b"/split", b"Cookie: " + first).body for _ in range(3)}
        assert client.get(b"/split", b"Cookie: " + first).all(b"set-cookie") == []
    assert len({cookie.split(b";")[0] for cookie in cookies}) == 20
    assert not any(word in cookies[0] for word in (b"new", b"legacy"))
    assert b"HttpOnly" in cookies[0]
    assert len(served) == 1
    assert len({record.bucket for record in facade.records[:20]}) > 5


def test_a_capability_moves_as_one(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """trap 41: a page, its calls and its assets share the salt, so a user meets one side."""
    new.play = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"
    routes = [
        route(path, Stage.CANARY, weight=5_000, capability="shop")
        for path in ("/page", "/api/{x}", "/assets/{rest=**}")
    ]
    plain = table_of(legacy.port, new.port, *routes)
    table = Table(
        default_backend=plain.default_backend,
        backends=plain.backends,
        routes=plain.routes,
        capabilities={"shop": Capability(id="shop")},
    )
    facade = facade_of(table)
    sides = set()
    with facade.connect() as client:
        for key in range(40):
            cookie = b"Cookie: figway_id=%d" % key
            met = {
                client.get(path, cookie).body for path in (b"/page", b"/api/1", b"/assets/a/b.js")
            }
            assert len(met) == 1
            sides |= met
    assert sides == {b"ok", b"new"}


@pytest.mark.parametrize("carrier", [b"Figway-Side: ", b"Cookie: a=1; figway_side="])
def test_only_a_signed_wish_forces_a_side(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend, carrier: bytes
) -> None:
    """trap 42: signed and in time it counts; else it is ignored; it never reaches a backend."""
    facade = routed(route("/r"), force_secret=SECRET)
    soon = int(time.time()) + 60
    good = sign(Side.LEGACY, soon, SECRET).encode()
    late = sign(Side.LEGACY, soon - 120, SECRET).encode()
    forged = sign(Side.LEGACY, soon, b"another secret").encode()
    with facade.connect() as client:
        assert client.get(b"/r", carrier + good).body == b"ok"
        for token in (late, forged, b"legacy", b"legacy.9999999999.", b"."):
            assert client.get(b"/r", carrier + token).body == b"new"
    for seen in [*legacy.requests, *new.requests]:
        assert b"figway-side" not in seen.head.lower().replace(b"_", b"-")
    assert facade.records[0].why == "forced"


def test_nobody_forces_without_a_secret(routed: Callable[..., Facade], new: RawBackend) -> None:
    """trap 42: with no key set, not even a token signed with the empty key counts."""
    facade = routed(route("/r"))
    token = sign(Side.LEGACY, int(time.time()) + 60, b"").encode()
    with facade.connect() as client:
        assert client.get(b"/r", b"Figway-Side: " + token).body == b"new"
    assert new.last.all(b"figway-side") == []


def test_the_kill_switch_sends_everything_to_legacy(
    routed: Callable[..., Facade], legacy: RawBackend
) -> None:
    """Both switches: the host's own, and the table's."""
    facade = routed(route("/r"))
    with facade.connect() as client:
        assert client.get(b"/r").body == b"new"
        facade.call(lambda: setattr(facade.runtime, "kill", True))
        assert client.get(b"/r").body == b"ok"
        facade.call(lambda: setattr(facade.runtime, "kill", False))
        assert client.get(b"/r").body == b"new"
        plain = facade.runtime.table.table
        facade.swap(
            Table(
                default_backend=plain.default_backend,
                backends=plain.backends,
                routes=plain.routes,
                kill_switch=True,
            )
        )
        assert client.get(b"/r").body == b"ok"
    assert [record.why for record in facade.records] == [
        "stage",
        "kill_switch",
        "stage",
        "kill_switch",
    ]


def test_fallback_serves_from_legacy(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """trap 44: a listed status of a read falls back; a write that new may have done does not."""
    new.play = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
    facade = routed(route("/r"))
    with facade.connect() as client:
        assert client.get(b"/r").body == b"ok"
        assert client.ask(b"POST", b"/r", body=b"order").status == 503
    assert [request.line for request in legacy.requests] == [b"GET /r HTTP/1.1"]
    first, second = facade.records
    assert (first.fallback, first.attempts, first.side) == ("status_503", 2, "legacy")
    assert (second.no_fallback, second.side) == ("unsafe_method", "new")


def test_a_write_falls_back_when_nothing_was_sent(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """trap 44: a refused connection proves that new did nothing: legacy gets it whole."""
    new.stop()
    facade = routed(route("/r"))
    body = b"o" * 200_000
    with facade.connect() as client:
        assert client.ask(b"POST", b"/r", body=body).body == b"ok"
    assert legacy.last.body == body
    assert facade.last().fallback == "connect"


def test_a_body_over_the_replay_buffer_is_not_sent_again(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """trap 44: with more body than is kept, not even an idempotent request falls back."""
    new.play = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    policy = FallbackPolicy(idempotent_methods=True, replay_buffer=1_000)
    facade = routed(route("/r", fallback=policy))
    with facade.connect() as client:
        assert client.ask(b"PUT", b"/r", body=b"x" * 1_000).status == 200
        assert legacy.last.body == b"x" * 1_000
        assert client.ask(b"PUT", b"/r", body=b"x" * 1_001).status == 503
    assert len(legacy.requests) == 1
    assert facade.last(2).no_fallback == "body_not_kept"


def test_a_removed_backend_is_closed_when_its_requests_are_done(
    routed: Callable[..., Facade], legacy: RawBackend, new: RawBackend
) -> None:
    """An unchanged backend keeps its pool across a swap; a removed one gives its sockets back."""
    facade = routed(route("/r"))
    with facade.connect() as client:
        client.get(b"/r")
        client.get(b"/")
        kept = facade.runtime._backends["legacy"]
        facade.swap(table_of(legacy.port))
        assert client.get(b"/r").body == b"ok"
        assert facade.runtime._backends["legacy"] is kept
    assert new.closed.wait(10)
    assert facade.runtime._closing == set()
