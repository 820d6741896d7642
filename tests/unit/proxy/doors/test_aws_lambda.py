"""The Lambda door in one process: what is kept of a request, limits, the same decisions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

import pytest

from figway.model.table import Condition, Route, RouteMatch, Stage, Table
from proxy.doors.asgi import AsgiDoor
from proxy.doors.aws_lambda_answer import MAX_ALB_PAYLOAD, MAX_PAYLOAD, BodyMeter, build_answer
from proxy.doors.aws_lambda_event import EventKind, OtherHttp, UnknownEvent, kind_of, read_event
from proxy.upstreams.port import ResponseSink
from proxy.wire.client_head import BadRequest
from tests.support.serverless.door import TABLE, Setting
from tests.support.serverless.events import KINDS, make_event, read_answer

HOST = (b"host", b"shop.example")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_fields_keep_their_order(kind: str) -> None:
    """trap 59, trap 2: every value arrives, in the order of its name, where the event holds it."""
    sent = [HOST, (b"x-many", b"one"), (b"x-many", b"two"), (b"cookie", b"a=1; b=2")]
    head = read_event(make_event(kind, "GET", b"/", sent)).head
    many = [value for name, value in head.headers if name == b"x-many"]
    expected = {"http": [b"one,two"], "url": [b"one,two"], "alb": [b"two"]}
    assert many == expected.get(kind, [b"one", b"two"])
    assert head.get(b"cookie") == b"a=1; b=2"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [bytes(range(256)) * 40, "naïve ☃".encode(), b"", b"\0"])
def test_bodies_go_through_byte_for_byte(kind: str, body: bytes) -> None:
    """trap 59: binary and text, both ways, whatever the content type says."""
    for content_type in (b"text/plain; charset=iso-8859-1", b"image/png"):
        if content_type.startswith(b"text") and body[:1] == b"\0" and len(body) > 1:
            continue
        setting = Setting()
        setting.legacy.pieces = [body] if body else []
        setting.legacy.headers = [(b"Content-Type", content_type)]
        event = make_event(
            kind,
            "POST",
            b"/",
            [HOST, (b"content-type", b"image/png"), (b"content-length", b"%d" % len(body))],
            body,
        )
        _, _, got = read_answer(run(setting.ask(event)))
        assert setting.legacy.bodies == [body]
        assert got == body


@pytest.mark.parametrize("kind", KINDS)
def test_every_set_cookie_arrives(kind: str) -> None:
    """trap 2, trap 59: never folded, in any shape of answer."""
    setting = Setting()
    cookies = [b"a=1, x; Path=/", b"b=2; Partitioned", b"c=3"]
    setting.legacy.headers = [(b"Set-Cookie", value) for value in cookies]
    answer = run(setting.ask(make_event(kind, "GET", b"/", [HOST])))
    _, fields, _ = read_answer(answer)
    got = [value.encode() for name, value in fields if name.lower() == "set-cookie"]
    assert got == cookies


@pytest.mark.parametrize(
    ("kind", "limit"), [("http", MAX_PAYLOAD), ("alb", MAX_ALB_PAYLOAD), ("url", MAX_PAYLOAD)]
)
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("byte", [b"\xff", b"a", b"\x01"])
def test_an_answer_over_the_limit_is_413(
    kind: str, limit: int, announced: bool, byte: bytes
) -> None:
    """trap 58: said in our own words, with a record that names it, before the platform fails."""
    setting = Setting()
    size = limit + 1
    setting.legacy.pieces = [byte * 100_000] * (size // 100_000 + 1)
    if announced:
        length = sum(map(len, setting.legacy.pieces))
        setting.legacy.headers = [(b"Content-Length", b"%d" % length)]
    answer = run(setting.ask(make_event(kind, "GET", b"/", [HOST])))
    assert answer["statusCode"] == 413
    assert "answer_too_large" in answer["body"]
    assert setting.records[0].problem == "answer_too_large"
    assert setting.runtime.in_flight == 0


def test_what_fits_as_text_or_as_base64_goes() -> None:
    """trap 58: base64 costs a third, escapes up to six bytes for one; whichever fits is taken."""
    text = b"a" * (MAX_PAYLOAD - 10_000)
    answer = build_answer(EventKind.URL, 200, b"", [], text, keep_length=False)
    assert (len(answer["body"]), answer["isBase64Encoded"]) == (len(text), False)
    control = b"\x01" * 2_000_000
    answer = build_answer(EventKind.URL, 200, b"", [], control, keep_length=False)
    assert answer["isBase64Encoded"]
    meter = BodyMeter(1_000)
    assert meter.fits(b"\xff" * 700)
    assert not meter.fits(b"\xff" * 100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_over_the_limit_is_413(kind: str) -> None:
    """trap 58: nothing of it is forwarded."""
    setting = Setting()
    body = b"x" * (MAX_PAYLOAD + 1)
    event = make_event(kind, "POST", b"/", [HOST, (b"content-type", b"text/plain")], body)
    assert run(setting.ask(event))["statusCode"] == 413
    assert setting.legacy.requests == []
    assert setting.records[0].problem == "body_too_large"


def test_the_remaining_time_bounds_the_deadline() -> None:
    """A silent backend, and one that never ends its answer: 504 of our own, in time."""
    for name in ("silent", "stuck"):
        setting = Setting()
        setattr(setting.legacy, name, True)
        before = setting.timer.entries
        answer = run(setting.ask(make_event("http", "GET", b"/", [HOST]), remaining_ms=350))
        assert answer["statusCode"] in (502, 504), name
        assert setting.records[0].problem == "deadline"
        assert setting.runtime.in_flight == 0
        assert setting.timer.entries == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_route_names_has_the_time_of_the_invocation(kind: str) -> None:
    """W30: no deadline of the facade's own, neither for the head nor between two pieces."""
    setting = Setting()
    setting.legacy.silent = True

    async def main() -> list[int]:
        event = make_event(kind, "GET", b"/", [HOST])
        asked = asyncio.create_task(setting.ask(event, remaining_ms=900_000))
        for _ in range(10):
            await asyncio.sleep(0)
        timer = setting.timer
        times = [entry.deadline - timer.now for entry in timer._entries]
        asked.cancel()
        return times

    assert min(run(main())) > 890_000
    [request] = setting.legacy.requests
    assert (request.head_ms, request.idle_ms) == (0, 0)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    """trap 45: nothing has left yet, so the client is told instead of shown half of it."""

    async def main() -> dict[str, Any]:
        setting.timer.start()
        work = asyncio.get_running_loop().create_task(
            setting.door.answer(make_event("url", "GET", b"/", [HOST]), 5_000)
        )
        await asyncio.sleep(0.01)
        setting.timer.stop()
        from figway.serving.attempts.failures import FailureKind, Sent
        from proxy.upstreams.port import Failure

        sinks[0].response_failed(Failure(FailureKind.RESET, Sent.SOME))
        return await work

    setting = Setting()
    setting.legacy.stuck = True
    sinks: list[ResponseSink] = []
    send = setting.legacy.send
    setting.legacy.send = lambda request, sink: (sinks.append(sink), send(request, sink))[1]  # type: ignore[method-assign]
    answer = run(main())
    assert answer["statusCode"] == 502
    assert "answer_broken_off" in answer["body"]
    assert setting.records[0].failure == "reset"


@pytest.mark.parametrize(
    ("kind", "path", "forwarded"),
    [
        ("http", "/a b", b"/a%20b"),
        ("http", "/café", b"/caf%C3%A9"),
        ("http", "/100%", b"/100%25"),
        ("http", "/a#b", b"/a%23b"),
        ("url", "/a%20b%2F", b"/a%20b%2F"),
        ("url", "/100%", b"/100%"),
        ("rest", "/a%2Fb", b"/a%2Fb"),
        ("alb", "/%zz", b"/%zz"),
    ],
)
def test_paths_are_forwarded_as_the_event_has_them(kind: str, path: str, forwarded: bytes) -> None:
    """trap 14, trap 59: raw where it is raw; what HTTP APIs decoded is made a target again."""
    event = make_event(kind, "GET", b"/", [HOST])
    event["rawPath" if kind in ("http", "url") else "path"] = path
    assert read_event(event).head.target == forwarded


def test_stage_and_base_path_are_taken_off() -> None:
    """Whole segments only: /prod is no prefix of /production."""
    event = make_event("http", "GET", b"/", [HOST])
    event["requestContext"]["stage"] = "prod"
    for given, target in (("/prod/a", b"/a"), ("/prod", b"/"), ("/production", b"/production")):
        event["rawPath"] = given
        assert read_event(event).head.target == target
    event = make_event("rest", "GET", b"/shop/a?b=1", [HOST])
    assert read_event(event, base_path="/shop").head.target == b"/a?b=1"
    assert read_event(event, base_path="/sho").head.target == b"/shop/a?b=1"


def test_the_platforms_word_on_the_client() -> None:
    """trap 7: what a client claims in X-Forwarded-For is not its address."""
    sent = [HOST, (b"x-forwarded-for", b"9.9.9.9")]
    for kind in KINDS:
        incoming = read_event(make_event(kind, "GET", b"/", sent, peer="203.0.113.7"))
        assert incoming.peer == incoming.head.client == "203.0.113.7"
        assert incoming.head.get(b"x-forwarded-for") == b"9.9.9.9"
        assert incoming.head.get(b"x-forwarded-port") is None


def test_a_platforms_trace_is_continued() -> None:
    """X-Ray's root becomes the W3C trace id; a client's own traceparent wins."""
    event = make_event("alb", "GET", b"/", [HOST])
    head = read_event(event).head
    assert head.get(b"traceparent") == b"00-67891233abcdef012345678912345678-abcdef0123456789-00"
    traced = "Root=1-67891233-abcdef012345678912345678;Parent=00f067aa0ba902b7;Sampled=1"
    head = read_event(event, trace=traced).head
    assert head.get(b"traceparent") == b"00-67891233abcdef012345678912345678-00f067aa0ba902b7-01"
    given = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = make_event("alb", "GET", b"/", [HOST, (b"traceparent", given)])
    assert read_event(event, trace=traced).head.get(b"traceparent") == given


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"host": "shop.example", "x-a": "1\r\nx-b: 2"}},
        {"headers": {"host": "a/b"}},
        {"headers": {"host": "shop.example", "bad name": "1"}},
        {"body": "%%%", "isBase64Encoded": True},
    ],
)
def test_what_no_request_may_hold_is_400(change: dict[str, Any]) -> None:
    """trap 17: an event is no more trusted than a client's bytes."""
    setting = Setting()
    event = make_event("url", "POST", b"/", [HOST]) | change
    assert run(setting.ask(event))["statusCode"] == 400
    assert setting.legacy.requests == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", [b"NTLM", b"Negotiate", b"negotiate"])
def test_a_login_of_a_connection_is_refused_loudly(kind: str, scheme: bytes) -> None:
    """W26: events come from anybody, so no connection can be one client's alone."""
    setting = Setting()
    login = (b"authorization", scheme + b" TlRMTVNTUAABAAAA")
    answer = run(setting.ask(make_event(kind, "GET", b"/", [HOST, login])))
    assert answer["statusCode"] == 501
    assert setting.legacy.requests == []
    basic = (b"authorization", b"Basic eDp5")
    assert run(setting.ask(make_event(kind, "GET", b"/", [HOST, basic])))["statusCode"] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_addresses_in_another_spelling_are_one_client(kind: str) -> None:
    """W16: the platform may write a mapped address."""
    for peer in ("203.0.113.7", "::ffff:203.0.113.7", "::FFFF:CB00:7107"):
        assert read_event(make_event(kind, "GET", b"/", [HOST], peer=peer)).peer == "203.0.113.7"


def test_other_events_are_named() -> None:
    others: tuple[dict[str, Any], ...] = (
        {},
        {"Records": []},
        {"source": "aws.events"},
        {"requestContext": {}},
    )
    for event in others:
        with pytest.raises(UnknownEvent):
            read_event(event)


# -- the same decision at every door ----------------------------------------------------------

ROUTES = [
    Route(id="whole", match=RouteMatch(path="/whole/{id}"), stage=Stage.NEW, new="new"),
    Route(
        id="split",
        match=RouteMatch(path="/s/{rest=**}"),
        stage=Stage.CANARY,
        weight=3_000,
        new="new",
    ),
    Route(
        id="cond",
        match=RouteMatch(
            path="/c/{x}", methods=("GET",), query=(Condition(name="beta", value="1"),)
        ),
        stage=Stage.NEW,
        new="new",
    ),
    Route(
        id="host",
        match=RouteMatch(path="/{p}", hosts=("api.example",)),
        stage=Stage.RETIRED,
        new="new",
    ),
]
_PATHS = [b"/whole/%d", b"/s/%d/x", b"/c/%d", b"/%d", b"/other/%d", b"/wholeness/%d", b"/whole/%d/"]


def scope_of(method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """The request as an ASGI server has read it."""
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }


def receiver() -> Callable[[], Awaitable[dict[str, Any]]]:
    """An empty body, and then a client that stays."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


async def send(message: MutableMapping[str, Any]) -> None:
    """Not of interest: the record says what was decided."""


async def test_the_same_decision_as_the_other_doors_for_10_000_requests() -> None:
    """One table, 10 000 generated requests, each as an event and at the ASGI door."""
    table = Table(
        default_backend="legacy",
        backends=TABLE.backends,
        routes={route.id: route for route in ROUTES},
    )
    rng = random.Random(6)
    sides: set[tuple[str, str]] = set()
    setting = Setting(table)
    setting.timer.start()
    asgi = AsgiDoor(setting.runtime)
    for number in range(10_000):
        path = rng.choice(_PATHS) % rng.randrange(1_000)
        query = rng.choice([b"", b"beta=1", b"beta=0", b"a=1"])
        target = path + (b"?" + query if query else b"")
        method = rng.choice(["GET", "GET", "POST", "HEAD", "DELETE"])
        host = rng.choice([b"shop.example", b"api.example"])
        headers = [(b"host", host), (b"cookie", b"figway_id=%d" % rng.randrange(5_000))]
        kind = KINDS[number % len(KINDS)]
        await setting.door.answer(make_event(kind, method, target, headers), 5_000)
        await asgi(scope_of(method, target, headers), receiver(), send)
        theirs, ours = setting.records.pop(), setting.records.pop()
        for name in ("route", "side", "why", "bucket", "key_source", "backend", "status"):
            assert getattr(ours, name) == getattr(theirs, name), (kind, method, target, name)
        sides.add((ours.route, ours.side))
    setting.timer.stop()
    assert {("split", "new"), ("split", "legacy"), ("whole", "new"), ("host", "new")} <= sides
    assert {("-", "legacy"), ("cond", "new")} <= sides


LATTICE = [
    {"raw_path": "/x", "method": "GET", "headers": {"host": "a"}, "query_string_parameters": {}},
    {
        "version": "2.0",
        "path": "/x",
        "method": "GET",
        "headers": {"host": ["a"]},
        "requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice:x"},
    },
    {"httpMethod": "GET", "path": "/x", "headers": {}},
]


@pytest.mark.parametrize("event", LATTICE)
def test_an_http_event_of_another_service_is_no_refresh(event: dict[str, Any]) -> None:
    """W25: whoever sends HTTP waits for an HTTP answer."""
    with pytest.raises(OtherHttp):
        kind_of(event)


@pytest.mark.parametrize(
    "event",
    [
        {"cookies": ["a=1\r\nX-Evil: 1"]},
        {"cookies": ["a=1", "b=\n2"]},
        {"headers": {"host": "a", "x-a": "1\r\n2"}},
    ],
)
def test_line_ends_in_an_event_are_refused(event: dict[str, Any]) -> None:
    """W25: no field of an event ends a line."""
    whole = {
        "version": "2.0",
        "rawPath": "/",
        "headers": {"host": "a"},
        "requestContext": {"http": {"method": "GET", "sourceIp": "203.0.113.7"}},
        **event,
    }
    with pytest.raises(BadRequest):
        read_event(whole)


@pytest.mark.parametrize("source", ["6.6.6.6\r\nX-Evil: 1", "nonsense", ""])
def test_an_address_that_is_none_is_not_written(source: str) -> None:
    """W25, W13: what is no address is not known."""
    incoming = read_event(
        {
            "version": "2.0",
            "rawPath": "/",
            "headers": {"host": "a"},
            "requestContext": {"http": {"method": "GET", "sourceIp": source}},
        }
    )
    assert incoming.peer == ""


@pytest.mark.parametrize("kind", ["alb", "alb-multi"])
def test_a_client_that_is_not_known_is_called_unknown(kind: str) -> None:
    """W13: a load balancer's own health check has no client; no field is written empty."""
    event = make_event(kind, "GET", b"/", [HOST])
    for fields in (event.get("headers"), event.get("multiValueHeaders")):
        if fields:
            fields.pop("x-forwarded-for", None)
    setting = Setting()
    assert run(setting.ask(event))["statusCode"] == 200
    sent = dict(setting.legacy.requests[0].headers)
    assert sent[b"Forwarded"].startswith(b"for=unknown;")
    assert b"X-Forwarded-For" not in sent
    assert all(sent.values())


MAPS = ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", [7, ["a"], {"a": {"b": 1}}, {"a": [["b"]]}, True])
def test_an_event_out_of_form_is_400(kind: str, odd: object) -> None:
    """W25: whoever sends HTTP gets an HTTP answer, and a record is left."""
    for name in (*MAPS, "body", "cookies"):
        event = make_event(kind, "GET", b"/a?x=1", [HOST])
        read = name in event or name in ("body", "cookies")
        if not read or (name in ("body", "cookies") and isinstance(odd, int)):
            continue
        event[name] = odd
        setting = Setting()
        status = run(setting.ask(event))["statusCode"]
        single = name in ("headers", "queryStringParameters")
        if (single and f"multiValue{name[:1].upper()}{name[1:]}" in event) or (
            name == "cookies" and (kind not in ("http", "url") or odd == ["a"])
        ):
            continue  # the other map is the one that is read
        assert status == 400, name
        assert setting.records[0].problem == "bad_event"
        assert not setting.legacy.requests


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_event_has_none_of_is_null(kind: str) -> None:
    """W25: a platform writes null for what is not there, and a test console leaves numbers."""
    for name in (*MAPS, "body", "cookies"):
        event = make_event(kind, "GET", b"/a", [HOST])
        if name in event:
            event[name] = None
            assert run(Setting().ask(event))["statusCode"] == 200, name
    event = make_event(kind, "GET", b"/a", [HOST, (b"x-n", b"1")])
    for fields in (event.get("headers"), event.get("multiValueHeaders")):
        if fields:
            fields["x-n"] = [5, None] if isinstance(fields["x-n"], list) else 5
    setting = Setting()
    assert run(setting.ask(event))["statusCode"] == 200
    assert dict(setting.legacy.requests[0].headers)[b"x-n"] in (b"5", b"")


def test_half_a_character_is_no_fault() -> None:
    """W25: JSON can hold what UTF-8 cannot."""
    for name in MAPS[2:]:
        event = make_event("rest", "GET", b"/a?b=1", [HOST])
        value = "\ud800"
        event[name] = {value: [value]} if name.startswith("multi") else {value: value}
        assert run(Setting().ask(event))["statusCode"] == 200
