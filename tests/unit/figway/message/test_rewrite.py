"""What names a backend in an answer names the facade to the client; nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.message.rewrite import BackendNames, Public, answer, cookie, domains_of, refresh
from figway.model.backend import Backend, HostPolicy
from figway.model.words import Side

LEGACY = Backend(id="legacy", side=Side.LEGACY, url="http://Legacy.internal:8000")
FN = Backend(id="fn", side=Side.NEW, url="https://fn.example/base/")
VIRTUAL = Backend(
    id="virtual",
    side=Side.NEW,
    url="http://10.0.0.9",
    host_policy=HostPolicy.LITERAL,
    host="virtual.internal",
)
NAMES = BackendNames([LEGACY, FN, VIRTUAL])
PUBLIC = Public(b"https", b"shop.example")


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (b"http://legacy.internal:8000/a?b=1#c", b"https://shop.example/a?b=1#c"),
        (b"HTTP://LEGACY.INTERNAL:8000", b"https://shop.example"),
        (b"//legacy.internal:8000/a", b"//shop.example/a"),
        (b"http://virtual.internal:80/a", b"https://shop.example/a"),
        (b"http://10.0.0.9/a", b"https://shop.example/a"),
        (b"https://fn.example/base/a", b"https://shop.example/a"),
        (b"https://fn.example:443/base?x", b"https://shop.example/?x"),
        # not where the backend stands, or somebody else's
        (b"https://fn.example/basement", b"https://fn.example/basement"),
        (b"http://legacy.internal:8001/a", b"http://legacy.internal:8001/a"),
        (b"http://legacy.internal/a", b"http://legacy.internal/a"),
        (
            b"http://legacy.internal:8000@evil.example/",
            b"http://legacy.internal:8000@evil.example/",
        ),
        (b"https://user@legacy.internal:8000/", b"https://user@legacy.internal:8000/"),
        (b"https://elsewhere.example/a", b"https://elsewhere.example/a"),
        (b"ftp://legacy.internal:8000/a", b"ftp://legacy.internal:8000/a"),
        (b"/a/b?c", b"/a/b?c"),
        (b"a/b", b"a/b"),
        (b"", b""),
        (b"/next?to=http://legacy.internal:8000/", b"/next?to=http://legacy.internal:8000/"),
        (b"http://shop.example/a", b"http://shop.example/a"),
    ],
)
def test_references(value: bytes, becomes: bytes) -> None:
    """trap 8: a known backend's host becomes the facade, everything else stays."""
    assert NAMES.reference(value, PUBLIC) == becomes


def test_the_clients_own_host_is_left_alone() -> None:
    """A backend that shares the public name may send its clients from http to https."""
    names = BackendNames([Backend(id="b", side=Side.LEGACY, url="http://shop.example")])
    public = Public(b"http", b"shop.example:80")
    assert names.reference(b"https://shop.example/login", public) == b"https://shop.example/login"


def test_a_client_without_a_host_gets_a_path() -> None:
    public = Public(b"http", b"")
    assert NAMES.reference(b"http://legacy.internal:8000/a", public) == b"/a"
    assert NAMES.reference(b"http://legacy.internal:8000?a", public) == b"/?a"


def test_paths_below_the_backends_own() -> None:
    assert NAMES.reference(b"/base/x", PUBLIC, b"/base") == b"/x"
    assert NAMES.reference(b"/base", PUBLIC, b"/base") == b"/"
    assert NAMES.reference(b"/basement", PUBLIC, b"/base") == b"/basement"
    assert NAMES.reference(b"x", PUBLIC, b"/base") == b"x"


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (b"5; url=http://legacy.internal:8000/a", b"5; url=https://shop.example/a"),
        (b"0;URL='http://legacy.internal:8000/a'", b"0;URL='https://shop.example/a'"),
        (b"1.5, http://legacy.internal:8000/", b"1.5, https://shop.example/"),
        (b"5", b"5"),
        (b"5; url=/a", b"5; url=/a"),
        (b"nonsense", b"nonsense"),
    ],
)
def test_refresh(value: bytes, becomes: bytes) -> None:
    """trap 8: Refresh as well."""
    assert refresh(value, NAMES, PUBLIC) == becomes


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (
            b"sid=a=b; Domain=.Legacy.internal; path=/base/x;SameSite=None; Secure;Partitioned"
            b"; Priority=High; Expires=Wed, 09 Jun 2027 10:18:14 GMT",
            b"sid=a=b; Domain=shop.example; path=/x;SameSite=None; Secure;Partitioned"
            b"; Priority=High; Expires=Wed, 09 Jun 2027 10:18:14 GMT",
        ),
        (b"a=1; domain=internal", b"a=1; domain=shop.example"),
        (b"a=1; Domain=other.example; Path=/", b"a=1; Domain=other.example; Path=/"),
        (b"a=1; Domain=example", b"a=1; Domain=example"),  # covers the client: meant as it is
        (b"a=domain=legacy.internal", b"a=domain=legacy.internal"),
        (b"a=1; Path=/basement", b"a=1; Path=/basement"),
        (b"a=1; Domain; Path", b"a=1; Domain; Path"),
        (b"", b""),
    ],
)
def test_cookies(value: bytes, becomes: bytes) -> None:
    """trap 9: Domain and Path of the backend, and nothing else of a cookie."""
    public = Public(b"https", b"shop.example:8443")
    assert cookie(value, (b"legacy.internal",), public, b"/base") == becomes


def test_a_section_keeps_order_case_and_repetition() -> None:
    headers = [
        (b"SET-Cookie", b"a=1; Domain=legacy.internal"),
        (b"X-Url", b"http://legacy.internal:8000/"),
        (b"location", b"http://legacy.internal:8000/x"),
        (b"Set-Cookie", b"b=2"),
    ]
    assert answer(headers, NAMES, PUBLIC, domains=domains_of(LEGACY)) == [
        (b"SET-Cookie", b"a=1; Domain=shop.example"),
        (b"X-Url", b"http://legacy.internal:8000/"),
        (b"location", b"https://shop.example/x"),
        (b"Set-Cookie", b"b=2"),
    ]


TEXT = st.binary(max_size=40) | st.sampled_from(
    [b"http://legacy.internal:8000", b"//fn.example/base", b"; Domain=legacy.internal", b"; Path="]
)
VALUES = st.lists(TEXT, max_size=5).map(b"".join)


@given(VALUES)
def test_rewriting_again_changes_nothing(value: bytes) -> None:
    once = NAMES.reference(value, PUBLIC)
    assert NAMES.reference(once, PUBLIC) == once
    once = refresh(value, NAMES, PUBLIC)
    assert refresh(once, NAMES, PUBLIC) == once


@given(VALUES)
def test_a_cookie_keeps_its_name_value_and_attributes(value: bytes) -> None:
    after = cookie(value, (b"legacy.internal",), PUBLIC, b"/base")
    before_parts, parts = value.split(b";"), after.split(b";")
    assert len(before_parts) == len(parts)
    assert parts[0] == before_parts[0]
    for was, becomes in zip(before_parts, parts, strict=True):
        assert becomes.partition(b"=")[0] == was.partition(b"=")[0]
        if was.partition(b"=")[0].strip().lower() not in (b"domain", b"path"):
            assert becomes == was
