"""What is added to and taken from a header section on its way, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from figway.message.headers import (
    HOP_BY_HOP,
    MAX_HOPS,
    Arrival,
    connection_options,
    forward_request,
    forward_response,
    forward_section,
    hops,
    host_for,
)
from figway.message.http import Headers
from figway.message.sticky_cookie import issue_cookie
from figway.model.backend import HostPolicy
from proxy.wire.client_head import BadRequest, parse
from tests.support.tables import LEGACY

ARRIVAL = Arrival(peer="203.0.113.7", scheme="https", host=b"shop.example")
ADDED = {
    b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded",
    b"traceparent", b"figway-hop",
}  # fmt: skip
ATTRIBUTES = b"; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
TRACE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"


def sent(headers: Headers, arrival: Arrival = ARRIVAL, upgrade: bytes = b"") -> Headers:
    return forward_request(
        headers, arrival, LEGACY, authority=b"10.0.0.1:8000", hop=1, traceparent=TRACE,
        upgrade=upgrade,
    )  # fmt: skip


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


plain_names = st.from_regex(rb"X-[A-Za-z]{1,8}", fullmatch=True)
plain_values = st.binary(max_size=12)


@given(st.lists(st.tuples(plain_names, plain_values), max_size=12))
def test_everything_else_keeps_bytes_order_case_and_repetition(headers: Headers) -> None:
    """trap 2, trap 4"""
    kept = [pair for pair in sent(headers) if pair[0].lower() not in ADDED]
    assert kept == headers
    assert forward_response(headers) == headers


def test_hop_by_hop_fields_go_both_ways_with_what_connection_names() -> None:
    """trap 6"""
    headers = [(name.title(), b"x") for name in sorted(HOP_BY_HOP - {b"connection"})]
    headers += [(b"Connection", b"close, X-Secret"), (b"connection", b"x-other")]
    headers += [(b"X-Secret", b"1"), (b"X-OTHER", b"2"), (b"X-Kept", b"3")]
    for found in (sent(headers), forward_response(headers)):
        names = {name.lower() for name, _ in found}
        assert not names & (HOP_BY_HOP | {b"x-secret", b"x-other"})
        assert (b"X-Kept", b"3") in found


def test_connection_cannot_name_the_host_away() -> None:
    assert values(sent([(b"Connection", b"host")]), b"host") == [b"shop.example"]


def test_content_length_is_left_to_the_wire_on_the_way_in_and_kept_on_the_way_out() -> None:
    headers = [(b"Content-Length", b"5")]
    assert values(sent(headers), b"content-length") == []
    assert forward_response([*headers, (b"Connection", b"content-length")]) == headers


def test_forwarding_fields_of_strangers_are_replaced_and_those_of_friends_extended() -> None:
    """trap 7"""
    claimed = [
        (b"X-Forwarded-For", b"6.6.6.6"),
        (b"X-Forwarded-Proto", b"gopher"),
        (b"X-Forwarded-Host", b"evil.example"),
        (b"Forwarded", b"for=6.6.6.6"),
    ]
    found = sent(claimed)
    assert values(found, b"x-forwarded-for") == [b"203.0.113.7"]
    assert values(found, b"x-forwarded-proto") == [b"https"]
    assert values(found, b"x-forwarded-host") == [b"shop.example"]
    assert values(found, b"forwarded") == [b'for=203.0.113.7;host="shop.example";proto=https']
    friend = sent(claimed, replace(ARRIVAL, trusted=True))
    assert values(friend, b"x-forwarded-for") == [b"6.6.6.6, 203.0.113.7"]
    assert values(friend, b"x-forwarded-proto") == [b"gopher"]
    assert values(friend, b"forwarded")[0].startswith(b"for=6.6.6.6, for=203.0.113.7;")


def test_an_ipv6_peer_is_quoted_in_forwarded() -> None:
    found = sent([], replace(ARRIVAL, peer="2001:db8::1"))
    assert values(found, b"forwarded")[0].startswith(b'for="[2001:db8::1]";')
    assert values(found, b"x-forwarded-for") == [b"2001:db8::1"]


def test_a_trace_that_came_goes_on_and_another_begins_where_none_came() -> None:
    theirs = b"00-" + b"c" * 32 + b"-" + b"d" * 16 + b"-00"
    assert values(sent([(b"traceparent", theirs)]), b"traceparent") == [theirs]
    assert values(sent([]), b"traceparent") == [TRACE]


def test_a_testers_token_never_reaches_a_backend() -> None:
    """trap 42"""
    found = sent(
        [
            (b"Figway-Side", b"new.1.x"),
            (b"Cookie", b"a=1; figway_side=new.1.x; b=2"),
            (b"Cookie", b"figway_side=new.1.x"),
        ]
    )
    assert values(found, b"figway-side") == []
    assert values(found, b"cookie") == [b"a=1; b=2"]


def test_host_follows_the_policy_of_the_backend() -> None:
    """trap 7"""
    own = b"10.0.0.1:8000"
    assert host_for(LEGACY, b"shop.example", own) == b"shop.example"
    assert host_for(LEGACY, b"", own) == own
    assert host_for(replace(LEGACY, host_policy=HostPolicy.BACKEND), b"shop.example", own) == own
    literal = replace(LEGACY, host_policy=HostPolicy.LITERAL, host="www.internal")
    assert host_for(literal, b"shop.example", own) == b"www.internal"


def test_an_upgrade_is_asked_for_anew() -> None:
    headers = [(b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket")]
    found = sent(headers, upgrade=b"websocket")
    assert values(found, b"connection") == [b"Upgrade"]
    assert values(found, b"upgrade") == [b"websocket"]
    assert not values(sent(headers), b"upgrade")


def test_hops_are_counted_and_nonsense_counts_as_none() -> None:
    """trap 23"""
    assert [hops(value) for value in (None, b"", b"3", b"-1", b"x", b"9999", b"1 1")] == [
        0, 0, 3, 0, 0, 0, 0,
    ]  # fmt: skip


def test_connection_options_are_names_in_lower_case() -> None:
    assert connection_options(b"close, X-A ,, x-b") == [b"x-a", b"x-b"]
    assert connection_options(b"keep-alive") is None


def test_the_identity_is_a_cookie_for_scripts_to_leave_alone() -> None:
    name, value = issue_cookie(b"figway_id", b"abc", ATTRIBUTES, secure=True)
    assert name == b"set-cookie"
    assert value == (b"figway_id=abc; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure")
    assert b"Secure" not in issue_cookie(b"figway_id", b"abc", ATTRIBUTES, secure=False)[1]


# -- the twins: a section as bytes, and field by field --------------------------------------

NAMES = st.sampled_from(
    [b"Cookie", b"Host", b"X-A", b"x-b", b"Traceparent", b"Connection", b"X-Forwarded-For",
     b"x-forwarded-proto", b"Forwarded", b"Expect", b"TE", b"Figway-Hop", b"Figway-Side",
     b"Keep-Alive", b"Upgrade", b"Content-Length", b"Authorization", b"X-Forwarded-Prefix",
     b"Proxy", b"X_Forwarded_For"],
)  # fmt: skip
VALUES = st.sampled_from(
    [b"a", b"keep-alive", b"close", b"close, x-a", b"a=1; b=2", b"figway_side=x; a=1", b"1", TRACE]
)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=8, unique_by=lambda pair: pair[0].lower()),
    st.booleans(),
    st.sampled_from(list(HostPolicy)),
    st.sampled_from([b"", b"shop.example"]),
    st.sampled_from([1, MAX_HOPS, MAX_HOPS + 1]),
    st.booleans(),
)
def test_the_section_as_bytes_is_the_section_field_by_field(
    fields: Headers, trusted: bool, policy: HostPolicy, host: bytes, hop: int, proxied: bool
) -> None:
    """`forward_section` is `forward_request` in bytes, wherever it says anything at all."""
    head = b"".join(b"%b: %b\r\n" % pair for pair in fields if pair[0] != b"Host")
    try:
        read = parse(b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + head + b"\r\n")
    except BadRequest:
        return
    backend = replace(LEGACY, host_policy=policy, host="literal.example")
    arrival = Arrival("203.0.113.7", "https" if proxied else "http", host, trusted)
    assert read.carried is not None
    section = forward_section(
        read.carried, read.acted_on, arrival, backend,
        authority=b"10.0.0.1:8000", hop=hop, traceparent=TRACE,
    )  # fmt: skip
    if section is None:
        return
    pairs = forward_request(
        read.headers, arrival, backend,
        authority=b"10.0.0.1:8000", hop=hop, traceparent=TRACE,
    )  # fmt: skip
    lines = section.split(b"\r\n")[:-1]
    assert sorted(lines) == sorted(b"%b: %b" % pair for pair in pairs)
    client_own = {name.lower() for name, _ in read.headers} - {b"host"}
    kept = [line for line in lines if line.partition(b":")[0].lower() in client_own]
    expected = [b"%b: %b" % pair for pair in pairs if pair[0].lower() in client_own]
    assert kept == expected
