"""Header fields that repeat, are spelled otherwise, or speak for a proxy in front."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network

import pytest

from figway.model.policies import HeaderEdits, HeaderField, RateKey, RateLimit, RoutePolicies
from figway.model.table import (
    Capability,
    Condition,
    ConditionKind,
    KeySource,
    Route,
    RouteMatch,
    Stage,
    StickyKey,
)
from tests.suites.conformance.conftest import Open
from tests.support.wire import Facade, RawBackend, table_of

TRUSTED = (ip_network("127.0.0.0/8"),)
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\n\r\n"


def route(path: str = "/{rest=**}", **fields: object) -> Route:
    match = RouteMatch(path=path, **fields.pop("match", {}))  # type: ignore[arg-type]
    return Route(id="r", match=match, **{"stage": Stage.NEW, "new": "new", **fields})  # type: ignore[arg-type]


def test_the_identity_stands_in_any_cookie_line(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """W1: all Cookie lines are one list: the same side each time, and nothing new is issued."""
    canary = route(stage=Stage.CANARY, weight=5_000)
    facade = facade_of(table_of(legacy.port, new.port, canary))
    seen = set()
    with facade.connect() as client:
        for _ in range(6):
            answer = client.get(b"/x", b"Cookie: theme=dark", b"Cookie: figway_id=anna")
            assert not answer.all(b"set-cookie")
        for record in (facade.last(n) for n in range(1, 7)):
            seen.add((record.side, record.bucket, record.key_source))
    assert len(seen) == 1
    assert seen.pop()[2] == "cookie"


@pytest.mark.parametrize(
    ("match", "lines"),
    [
        (
            {"cookies": (Condition(name="beta", value="1"),)},
            (b"Cookie: a=1", b"Cookie: beta=1"),
        ),
        (
            {"cookies": (Condition(name="beta", value="1"),)},
            (b"Cookie: a=1", b"X-Between: 1", b"Cookie: b=2; beta=1"),
        ),
        (
            {"headers": (Condition(name="X-Flags", kind=ConditionKind.CONTAINS, value="beta"),)},
            (b"X-Flags: dark", b"X-Flags: beta"),
        ),
        (
            {"headers": (Condition(name="Accept", kind=ConditionKind.CONTAINS, value="v2"),)},
            (b"Accept: text/html", b"Accept: application/v2+json"),
        ),
    ],
)
def test_conditions_see_every_line(
    facade_of: Open,
    legacy: RawBackend,
    new: RawBackend,
    match: dict[str, object],
    lines: tuple[bytes, ...],
) -> None:
    """W1: a condition looks at the whole list, whichever line holds what it asks for."""
    facade = facade_of(table_of(legacy.port, new.port, route(match=match)))
    with facade.connect() as client:
        client.get(b"/x", *lines)
    assert (len(legacy.requests), len(new.requests)) == (0, 1)


def test_forwarded_for_of_several_lines_is_read_from_the_right(
    facade_of: Open, legacy: RawBackend
) -> None:
    """W2: what the client forged stands to the left of what the trusted proxy appended."""
    facade = facade_of(trusted_proxies=TRUSTED)
    with facade.connect() as client:
        client.get(b"/", b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-For: 203.0.113.9")
    assert facade.last().client == "203.0.113.9"
    with facade.connect() as client:
        client.get(
            b"/", b"X-Forwarded-For: 6.6.6.6", b"A: b", b"x-forwarded-for: 203.0.113.8, 127.0.0.9"
        )
    assert facade.last(2).client == "203.0.113.8"


STRANGERS = (
    b"X-Forwarded-Prefix: /evil",
    b"X_Forwarded_For: 6.6.6.6",
    b"X-Forwarded_Proto: https",
    b"x.forwarded.host: evil",
    b"X-Forwarded-Server: evil",
    b"X-Forwarded-Port: 1",
    b"X-Forwarded-Ssl: on",
    b"X-Forwarded: for=6.6.6.6",
    b"Proxy: http://e:1",
    b"PROXY: http://e:1",
)


@pytest.mark.parametrize("line", STRANGERS)
def test_a_stranger_says_nothing_of_a_proxy(
    facade: Facade, legacy: RawBackend, line: bytes
) -> None:
    """W3: the name space goes whole, in every spelling that CGI folds onto it."""
    with facade.connect() as client:
        client.get(b"/", line, b"X-Kept: 1")
    value = line.partition(b": ")[2]
    assert legacy.last.one(b"x-kept") == b"1"
    folded = [
        (re.sub(rb"[^a-z0-9]", b"-", name.lower()), said) for name, said in legacy.last.headers
    ]
    assert (re.sub(rb"[^a-z0-9]", b"-", line.partition(b":")[0].lower()), value) not in folded
    assert not [name for name, _ in legacy.last.headers if name.lower() == b"proxy"]


def test_what_a_policy_sets_cannot_be_said_in_another_spelling(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """W3: a field that a route sets or removes goes in every spelling that CGI folds onto it."""
    edits = HeaderEdits(set=(HeaderField(name="X-User", value="a"),), remove=("X-Role",))
    policies = RoutePolicies(request_headers=edits)
    facade = facade_of(table_of(legacy.port, new.port, route(policies=policies)))
    with facade.connect() as client:
        client.get(b"/x", b"X_User: evil", b"x-user: evil", b"X_ROLE: admin", b"X-Other: 1")
    assert [pair for pair in new.last.headers if b"user" in pair[0].lower()] == [(b"X-User", b"a")]
    assert not [pair for pair in new.last.headers if b"role" in pair[0].lower()]


def test_a_trusted_proxys_own_fields_pass_and_misspelt_ones_do_not(
    facade_of: Open, legacy: RawBackend
) -> None:
    """W3: a proxy in front may say X-Forwarded-Prefix; nobody says it with an underscore."""
    facade = facade_of(trusted_proxies=TRUSTED)
    with facade.connect() as client:
        client.get(
            b"/", b"X-Forwarded-Prefix: /shop", b"X_Forwarded_Prefix: /evil", b"Proxy: x",
            b"x.forwarded-prefix: /evil", b"X-Forwarded.For: 6.6.6.6", b"x-forwarded+host: evil",
        )  # fmt: skip
    said = b"\n".join(value for _, value in legacy.last.headers)
    assert not [evil for evil in (b"evil", b"6.6.6.6") if evil in said]
    assert legacy.last.all(b"x-forwarded-prefix") == [b"/shop"]
    assert not legacy.last.all(b"x_forwarded_prefix") + legacy.last.all(b"proxy")


@pytest.mark.parametrize("value", [b"https,http", b"HTTPS", b" https , http", b"Https"])
def test_the_first_scheme_in_any_case(facade_of: Open, legacy: RawBackend, value: bytes) -> None:
    """W11: a list of schemes begins with the one that the client spoke."""
    facade = facade_of(trusted_proxies=TRUSTED)
    legacy.play = REDIRECT % legacy.port
    with facade.connect() as client:
        answer = client.get(b"/", b"X-Forwarded-Proto:" + value, b"X-Forwarded-Host: a.example, b")
    assert answer.one(b"location") == b"https://a.example/x"


def test_a_scheme_in_two_lines(facade_of: Open, legacy: RawBackend) -> None:
    """W11, W1: two lines are one list, and the first element of it counts."""
    facade = facade_of(trusted_proxies=TRUSTED)
    legacy.play = REDIRECT % legacy.port
    with facade.connect() as client:
        answer = client.get(b"/", b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http")
    assert answer.one(b"location").startswith(b"https://")


@pytest.mark.parametrize(
    ("forwarded", "client", "scheme", "host"),
    [
        (
            b'for=203.0.113.9;host="shop.example";proto=https',
            "203.0.113.9",
            b"https",
            b"shop.example",
        ),
        (b'For="[2001:db8::9]:4711";Proto=HTTPS;Host=a', "2001:db8::9", b"https", b"a"),
        (b"for=6.6.6.6, for=203.0.113.9;proto=https", "203.0.113.9", b"http", b""),
        (b'for=203.0.113.9;proto=https;by="_a\\"b,c"', "203.0.113.9", b"https", b""),
        (b"for=unknown;proto=https", "127.0.0.1", b"https", b""),
        (b"for=_hidden;proto=https", "127.0.0.1", b"https", b""),
    ],
)
def test_forwarded_alone_is_understood(
    facade_of: Open, legacy: RawBackend, forwarded: bytes, client: str, scheme: bytes, host: bytes
) -> None:
    """W12: a proxy that speaks RFC 7239 alone is believed, and the X- fields say the same."""
    facade = facade_of(trusted_proxies=TRUSTED)
    with facade.connect() as connection:
        connection.get(b"/", b"Forwarded: " + forwarded)
    if client != "127.0.0.1":
        assert facade.last().client == client
    assert legacy.last.one(b"x-forwarded-proto") == scheme
    assert legacy.last.one(b"forwarded").startswith(forwarded + b", ")
    if host:
        assert legacy.last.one(b"x-forwarded-host") == host
    if client != "127.0.0.1":
        assert client.encode() in legacy.last.one(b"x-forwarded-for")


def test_x_fields_alone_make_forwarded(facade_of: Open, legacy: RawBackend) -> None:
    """W12: the other way round: Forwarded does not contradict the X- fields."""
    facade = facade_of(trusted_proxies=TRUSTED)
    with facade.connect() as client:
        client.get(
            b"/", b"X-Forwarded-For: 203.0.113.9, 2001:db8::1", b"X-Forwarded-Proto: https",
            b"X-Forwarded-Host: shop.example",
        )  # fmt: skip
    elements = legacy.last.one(b"forwarded").split(b", ")
    assert elements[0] == b'for=203.0.113.9;host="shop.example";proto=https'
    assert elements[1] == b'for="[2001:db8::1]"'
    assert len(elements) == 3


def test_a_host_that_is_not_known_is_left_out(facade: Facade, legacy: RawBackend) -> None:
    """W13: HTTP/1.0 without Host: no empty field is written."""
    with facade.connect() as client:
        client.send(b"GET /old HTTP/1.0\r\n\r\n")
        client.rest()
    assert legacy.last.all(b"x-forwarded-host") == []
    assert b"host=" not in legacy.last.one(b"forwarded")
    assert all(value for _, value in legacy.last.headers)


@pytest.mark.parametrize(
    "peers",
    [
        (b"::ffff:203.0.113.7", b"203.0.113.7", b"::FFFF:cb00:7107"),
        tuple(b"2001:db8:1:2::%d" % number for number in range(3)),
        (b"2001:db8:1:2::1", b"2001:DB8:1:2:0:0:0:1", b"[2001:db8:1:2::1]:99"),
    ],
)
def test_one_client_in_several_spellings(
    facade_of: Open, legacy: RawBackend, new: RawBackend, peers: tuple[bytes, ...]
) -> None:
    """W16: a mapped address is the IPv4 address; a /64 is one client to limits and buckets."""
    limit = RateLimit(name="l", requests=2, window_s=60, key=RateKey.CLIENT_ADDRESS)
    policies = RoutePolicies(rate_limits=(limit,))
    facade = facade_of(
        table_of(legacy.port, new.port, route(policies=policies)), trusted_proxies=TRUSTED
    )
    with facade.connect() as client:
        statuses = [client.get(b"/x", b"X-Forwarded-For: " + peer).status for peer in peers]
    assert statuses == [200, 200, 429]


def test_a_64_is_one_bucket(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """W16: addresses of one /64 meet one side where the address is the key."""
    sticky = (StickyKey(source=KeySource.CLIENT_ADDRESS),)
    table = table_of(legacy.port, new.port, route(stage=Stage.CANARY, weight=5_000, capability="c"))
    table = replace(
        table, capabilities={"c": Capability(id="c", sticky=sticky, issue_cookie=False)}
    )
    facade = facade_of(table, trusted_proxies=TRUSTED)
    with facade.connect() as client:
        for number in range(8):
            client.get(b"/x", b"X-Forwarded-For: 2001:db8::%x" % number)
    assert len({facade.last(number + 1).bucket for number in range(8)}) == 1


@pytest.mark.parametrize(
    "name", [b"Authorization", b"Cookie", b"X-Tenant", b"Content-Type", b"If-Range"]
)
def test_connection_takes_nothing_that_decides(
    facade_of: Open, legacy: RawBackend, new: RawBackend, name: bytes
) -> None:
    """W17: what a route judged is what its backend gets, whatever Connection names."""
    tenant = Condition(name="X-Tenant", kind=ConditionKind.PRESENT)
    facade = facade_of(table_of(legacy.port, new.port, route(match={"headers": (tenant,)})))
    with facade.connect() as client:
        answer = client.get(
            b"/x", b"Connection: keep-alive, X-Odd, " + name, b"X-Odd: 1", b"X-Tenant: t",
            *([] if name == b"X-Tenant" else [name + b": v"]),
        )  # fmt: skip
    assert answer.status == 400 or new.last.one(name) == (b"t" if name == b"X-Tenant" else b"v")
    assert answer.status == 400 or not new.last.all(b"x-odd")


@pytest.mark.parametrize("field", [b"X-Forwarded-Proto: https, http", b"Forwarded: proto=https"])
def test_a_tls_proxy_that_nobody_named_is_told_of_once(facade: Facade, field: bytes) -> None:
    """W34: an endless redirect has a reason that somebody can read."""
    told: list[str] = []
    facade.runtime.unbelieved = told.append
    for _ in range(2):
        with facade.connect() as client:
            assert client.get(b"/", field).status == 200
            assert client.get(b"/", field).status == 200
    assert told == ["127.0.0.1"]


def test_a_proxy_that_is_trusted_or_speaks_http_is_not_told_of(facade_of: Open) -> None:
    """W34: what is believed, and what changes nothing, is no reason to speak."""
    told: list[str] = []
    for settings, proto in ({"trusted_proxies": TRUSTED}, b"https"), ({}, b"http"):
        facade = facade_of(**settings)
        facade.runtime.unbelieved = told.append
        with facade.connect() as client:
            assert client.get(b"/", b"X-Forwarded-Proto: " + proto).status == 200
    assert told == []


@pytest.mark.parametrize(
    "first", [b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"]
)
def test_the_proxy_protocol_is_refused(facade: Facade, first: bytes) -> None:
    """W34: by its name."""
    with facade.connect() as client:
        client.send(first + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.answer()
    assert answer.status == 400
    assert b"PROXY protocol" in answer.body
