"""No policy is passed by another spelling, method or preflight, and no identity goes astray."""

from __future__ import annotations

from dataclasses import replace

import pytest

from figway.model.policies import (
    BodyPolicy,
    HeaderEdits,
    HeaderField,
    JwtPolicy,
    Maintenance,
    RateKey,
    RateLimit,
    RoutePolicies,
)
from figway.model.table import Capability, Route, RouteMatch, SameSite, Stage
from tests.suites.conformance.conftest import Open
from tests.suites.conformance.test_fields import route
from tests.support.wire import Facade, RawBackend, table_of

DOWN = RoutePolicies(maintenance=Maintenance())


def guarded(
    facade_of: Open, legacy: RawBackend, *routes: Route, new: int = 0, **table: object
) -> Facade:
    return facade_of(replace(table_of(legacy.port, new, *routes), **table))  # type: ignore[arg-type]


SPELLINGS = [
    b"/api/%70rivate/x",
    b"/api/private/.",
    b"//api/private/x",
    b"/API/private/x",
    b"/api/Private/x",
    b"/api/x/../private/x",
    b"/api/x/..%2fprivate/x",
    b"/api//private//x",
    b"/api/./private/x",
    b"/api\\private\\x",
    b"/api/%2570rivate/x",
    b"/api;v=1/private;a/x",
    b"/api%2Fprivate/x",
    b"/api/private%00/x",
    b"/api/private./x",
    b"/api/private%20/x",
    b"/api/%u0070rivate/x",
    b"/api%c0%afprivate/x",
    b"/%2e/api/private/x",
    b"/api/%EF%BD%90rivate/x",
    b"/api/%70rivate/x/%252e%252e/%252e%252e/%252e%252e/public",
    b"/api/%70rivate/x/..;/..;/..;/public",
    b"/api/%70rivate/x\\..\\..\\..\\public",
    b"/public%00/../api/private/x",
    b"/api/%70rivate/..",
    b"/api/%70rivate/x%2f..%2f..%2f..%2fpublic",
    b"/api/%70rivate//..//x",
    b"//host/api/private/x",
    b"/\\host/api/private/x",
    b"/index.php/api/private/x",
    b"/api/private\xa0/x",
    b"/api/private:$I30:$INDEX_ALLOCATION/x",
    b"/api/pr%C4%B1vate/x",
    b"/api/private.json",
]


@pytest.mark.parametrize("target", SPELLINGS)
def test_another_spelling_passes_no_policy(
    facade_of: Open, legacy: RawBackend, target: bytes
) -> None:
    """W18: 400 where another reading of the path could meet a guarded route."""
    private = route("/api/private/{rest=**}", stage=Stage.LEGACY, new="", policies=DOWN)
    facade = guarded(facade_of, legacy, private)
    with facade.connect() as client:
        answer = client.get(target)
        assert answer.status in (400, 503)
        assert client.get(b"/api/public/%70x").status == 200
        assert client.get(b"/API/Public/../x").status == 200
    assert len(legacy.requests) == 2


@pytest.mark.parametrize("target", [b"/Old", b"/old/", b"/%6Fld", b"/old;x=1", b"//old"])
def test_another_spelling_brings_no_retired_route_back(
    facade_of: Open, legacy: RawBackend, new: RawBackend, target: bytes
) -> None:
    """W18: legacy is never called for a retired route."""
    facade = guarded(facade_of, legacy, route("/old", stage=Stage.RETIRED), new=new.port)
    with facade.connect() as client:
        assert client.get(target).status == 400
        assert client.get(b"/old").status == 200
    assert (len(legacy.requests), len(new.requests)) == (0, 1)


@pytest.mark.parametrize(
    "policies",
    [
        RoutePolicies(rate_limits=(RateLimit(requests=9),)),
        RoutePolicies(body=BodyPolicy(max_bytes=9)),
        RoutePolicies(jwt=JwtPolicy(issuer="https://issuer.example", audiences=("a",))),
    ],
)
def test_every_policy_that_refuses_guards(
    facade_of: Open, legacy: RawBackend, policies: RoutePolicies
) -> None:
    """W18: not only maintenance."""
    facade = guarded(
        facade_of, legacy, route("/a/b", stage=Stage.LEGACY, new="", policies=policies)
    )
    with facade.connect() as client:
        assert client.get(b"/A/b").status == 400
    assert legacy.requests == []


def test_a_table_may_forward_other_spellings(facade_of: Open, legacy: RawBackend) -> None:
    """W18: the way out is one setting of the table."""
    private = route("/a/b", stage=Stage.LEGACY, new="", policies=DOWN)
    facade = guarded(facade_of, legacy, private, refuse_other_spellings=False)
    with facade.connect() as client:
        assert client.get(b"/A/b").status == 200
    assert legacy.last.line == b"GET /A/b HTTP/1.1"


def test_a_policy_that_only_edits_guards_nothing(facade_of: Open, legacy: RawBackend) -> None:
    """W18: what refuses nothing is no reason to refuse."""
    edits = RoutePolicies(request_headers=HeaderEdits(set=(HeaderField(name="X-A", value="1"),)))
    facade = guarded(facade_of, legacy, route("/a/b", stage=Stage.LEGACY, new="", policies=edits))
    with facade.connect() as client:
        assert client.get(b"/A/b").status == 200


def test_a_more_specific_route_takes_its_own_spelling(
    facade_of: Open, legacy: RawBackend, new: RawBackend
) -> None:
    """W18: a path that a route takes as it stands is that route's, whatever lies broader."""
    broad = replace(route("/api/{rest=**}", stage=Stage.LEGACY, new="", policies=DOWN), id="broad")
    open_ = replace(route("/api/Public/{x}"), id="open")
    facade = guarded(facade_of, legacy, broad, open_, new=new.port)
    with facade.connect() as client:
        assert client.get(b"/api/Public/x").status == 200
        assert client.get(b"/api/Other/x").status == 503
        assert client.get(b"/API/other/x").status == 400
    assert len(new.requests) == 1


@pytest.mark.parametrize(
    "fields",
    [
        (b"X-HTTP-Method-Override: POST",),
        (b"X-Method-Override: post",),
        (b"X-HTTP-Method: POST",),
        (b"X-HTTP-Method-Override: GET", b"X-Method-Override: POST"),
        (b"X_HTTP_Method_Override: POST",),
        (b"X-HTTP-Method-Override: GET", b"X-HTTP-Method-Override: POST"),
    ],
)
def test_another_method_passes_no_policy(
    facade_of: Open, legacy: RawBackend, fields: tuple[bytes, ...]
) -> None:
    """W18: a method that legacy may take from a field is judged as that method."""
    match = RouteMatch(path="/a", methods=("POST",))
    private = Route(id="r", match=match, stage=Stage.LEGACY, policies=DOWN)
    facade = guarded(facade_of, legacy, private)
    with facade.connect() as client:
        assert client.get(b"/a", *fields).status == 400
        assert client.get(b"/a?_method=POST").status == 400
        assert client.get(b"/a?x=1&%5Fmethod=GET&_method=P%4FST").status == 400
        assert client.get(b"/a").status == 200
    assert len(legacy.requests) == 1


PREFLIGHT = (b"Origin: https://a.example", b"Access-Control-Request-Method: GET")


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ((), b"{}"),
        ((b"X-HTTP-Method-Override: DELETE",), b""),
        ((b"Cookie: session=1",), b""),
        ((b"Authorization: Basic eDp5",), b""),
        ((b"x-method-override: DELETE",), b""),
        ((b"X_HTTP_Method_Override: DELETE",), b""),
        ((b"Connection: Upgrade", b"Upgrade: tcp"), b""),
    ],
)
def test_a_preflight_that_is_none_needs_a_token(
    facade_of: Open, legacy: RawBackend, fields: tuple[bytes, ...], body: bytes
) -> None:
    """W24: a preflight has neither body nor credentials nor another method."""
    policies = RoutePolicies(jwt=JwtPolicy(issuer="https://issuer.example", audiences=("a",)))
    private = route(stage=Stage.LEGACY, new="", policies=policies)
    facade = guarded(facade_of, legacy, private)
    with facade.connect() as client:
        assert client.ask(b"OPTIONS", b"/x", *PREFLIGHT).status == 200
        assert client.ask(b"OPTIONS", b"/x", *PREFLIGHT, *fields, body=body).status in (400, 401)
    assert len(legacy.requests) == 1


CLAIMS = b"Authorization: Bearer e30.eyJzdWIiOiJ2aWN0aW0ifQ.x"


@pytest.mark.parametrize("with_jwt", [True, False])
def test_a_claim_counts_when_it_is_verified(
    facade_of: Open, legacy: RawBackend, with_jwt: bool
) -> None:
    """W21: an unsigned token spends its sender's requests, not those of whom it names."""
    from tests.suites.conformance.test_fields import TRUSTED

    limit = RateLimit(requests=1, window_s=60, key=RateKey.JWT_CLAIM, key_name="sub")
    jwt = JwtPolicy(issuer="https://issuer.example", audiences=("a",)) if with_jwt else None
    policies = RoutePolicies(rate_limits=(limit,), jwt=jwt)
    private = route(stage=Stage.LEGACY, new="", policies=policies)
    facade = facade_of(table_of(legacy.port, 0, private), trusted_proxies=TRUSTED)
    with facade.connect() as client:
        attacker, victim = b"X-Forwarded-For: 203.0.113.1", b"X-Forwarded-For: 203.0.113.2"
        for _ in range(3):
            client.get(b"/x", CLAIMS, attacker)
        assert client.get(b"/x", CLAIMS, attacker).status == 429
        assert client.get(b"/x", CLAIMS, victim).status != 429


# -- identities ----------------------------------------------------------------------------------


def canary(facade_of: Open, legacy: RawBackend, new: RawBackend, **capability: object) -> Facade:
    one = route(stage=Stage.CANARY, weight=5_000, capability="c")
    table = table_of(legacy.port, new.port, one)
    made = Capability(id="c", **capability)  # type: ignore[arg-type]
    return facade_of(replace(table, capabilities={"c": made}))


@pytest.mark.parametrize(
    ("method", "fields", "issued"),
    [
        (b"POST", (b"Sec-Fetch-Site: cross-site",), False),
        (b"POST", (b"Origin: https://pay.example",), False),
        (b"POST", (b"Origin: null",), False),
        (b"POST", (b"Referer: https://pay.example/done",), False),
        (b"PUT", (b"Sec-Fetch-Site: cross-site", b"Origin: https://shop.example"), False),
        (b"POST", (b"Sec-Fetch-Site: same-origin", b"Origin: https://shop.example"), True),
        (b"POST", (b"Origin: https://shop.example",), True),
        (b"POST", (), True),
        (b"GET", (b"Sec-Fetch-Site: cross-site",), True),
    ],
)
def test_no_identity_for_an_unsafe_request_from_another_site(
    facade_of: Open,
    legacy: RawBackend,
    new: RawBackend,
    method: bytes,
    fields: tuple[bytes, ...],
    issued: bool,
) -> None:
    """W5: the cookie stayed behind; it must not be overwritten."""
    facade = canary(facade_of, legacy, new)
    with facade.connect() as client:
        answer = client.ask(method, b"/x", *fields)
    assert bool(answer.all(b"set-cookie")) == issued


def test_the_cookie_of_a_capability(facade_of: Open, legacy: RawBackend, new: RawBackend) -> None:
    """W5: SameSite, Domain and Max-Age are the capability's."""
    facade = canary(
        facade_of, legacy, new,
        cookie_same_site=SameSite.NONE, cookie_domain="shop.example", cookie_max_age_s=60,
    )  # fmt: skip
    with facade.connect() as client:
        cookie = client.get(b"/x").one(b"set-cookie")
    assert cookie.partition(b";")[2] == (
        b" Path=/; Max-Age=60; Domain=shop.example; HttpOnly; SameSite=None; Secure"
    )


@pytest.mark.parametrize(
    ("head", "issued"),
    [
        (b"200 OK\r\nCache-Control: public, immutable", False),
        (b"200 OK\r\nCache-Control: max-age=60", False),
        (b"200 OK\r\nCache-Control: s-maxage=60, max-age=0", False),
        (b"200 OK\r\nCDN-Cache-Control: max-age=60", False),
        (b"200 OK\r\nExpires: Fri, 01 Jan 2100 00:00:00 GMT", False),
        (b"301 Moved Permanently\r\nLocation: /y", False),
        (b"304 Not Modified\r\nETag: x", False),
        (b"200 OK\r\nCache-Control: private, max-age=60", True),
        (b"200 OK\r\nCache-Control: no-store", True),
        (b"200 OK\r\nExpires: 0", True),
        (b"200 OK\r\nX-A: 1", True),
    ],
)
def test_no_identity_where_others_keep_the_answer(
    facade_of: Open, legacy: RawBackend, new: RawBackend, head: bytes, issued: bool
) -> None:
    """W6: the next answer will do."""
    for raw in (legacy, new):
        raw.play = b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n"
    facade = canary(facade_of, legacy, new)
    with facade.connect() as client:
        assert bool(client.get(b"/x").all(b"set-cookie")) == issued
