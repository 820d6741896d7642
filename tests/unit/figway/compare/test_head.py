"""Status, Location, Set-Cookie and the listed headers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from figway.compare.answer import Answer, Context, RawHeader
from figway.compare.rules import ComparisonRule, RuleKind
from figway.compare.verdict import compare
from tests.support.answers import found

CONTEXT = Context(
    facade="https://shop.example",
    backend_hosts=frozenset({"legacy.internal:8000", "legacy.internal", "new.internal"}),
    path="/account/login?x=1",
    headers=("etag",),
)


def head(*headers: RawHeader, status: int = 200) -> Answer:
    return Answer(status, tuple(headers))


def differences(
    legacy: Sequence[RawHeader], new: Sequence[RawHeader], *rules: ComparisonRule
) -> list[tuple[str, str]]:
    return found(compare(head(*legacy), head(*new), rules, CONTEXT))


def test_the_build_of_new_is_no_difference() -> None:
    """Stored pairs, previews and exports compare without the window that leaves it out."""
    legacy = head(("Content-Type", "text/plain"))
    new = head(
        ("Content-Type", "text/plain"), ("X-App-Version", "7"), ("X-Amz-Executed-Version", "3")
    )
    assert found(compare(legacy, new, (), Context(build_header="x-app-version"))) == []
    assert found(compare(legacy, new, (), Context())) == [("header:x-app-version", "added")]
    wanted = Context(build_header="x-app-version", headers=("x-app-version",))
    assert found(compare(legacy, new, (), wanted)) == [("header:x-app-version", "added")]


@pytest.mark.parametrize(
    ("legacy", "new", "same"),
    [
        ("/account", "https://shop.example/account", True),
        ("http://legacy.internal:8000/account", "/account", True),
        ("http://LEGACY.internal/account", "http://new.internal/account", True),
        ("home", "/account/home", True),
        ("https://shop.example", "/", True),
        ("/account", "http://10.0.0.5/account", False),
        ("/a?x=1&y=2", "/a?y=2&x=1", False),
        ("/a", "/a/", False),
        ("https://[bad", "https://[bad", True),
        ("https://[bad", "/", False),
    ],
)
def test_location_is_where_the_user_ends_up(legacy: str, new: str, same: bool) -> None:
    expected = [] if same else [("header:location", "changed")]
    assert differences([("Location", legacy)], [(b"location", new.encode())]) == expected


SID = "sid=9f8e7d6c5b4a39281706f5e4d3c2b1a0"
OTHER = "sid=00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("legacy", "new", "expected"),
    [
        ([f"{SID}; Path=/; HttpOnly"], [f"{OTHER}; httponly; path=/"], []),
        ([f"{SID}; SameSite=Lax"], [f"{OTHER}; SameSite=lax"], []),
        ([f"{SID}; SameSite=Lax"], [OTHER], [("set-cookie:sid;samesite", "missing")]),
        ([SID], [f"{SID}; Secure"], [("set-cookie:sid;secure", "added")]),
        ([f"{SID}; Path=/"], [f"{SID}; Path=/x"], [("set-cookie:sid;path", "changed")]),
        ([f"{SID}; Domain=legacy.internal"], [SID], []),
        ([f"{SID}; Domain=shop.example"], [SID], [("set-cookie:sid;domain", "missing")]),
        (["lang=en"], ["lang=de"], [("set-cookie:lang", "changed")]),
        ([SID], ["sid="], [("set-cookie:sid", "changed")]),
        ([SID, "lang=en"], ["lang=en"], [("set-cookie:sid", "missing")]),
        ([SID, "lang=en"], ["lang=en", SID], []),
        (["a=1; Path=/x", "a=1; Path=/y"], ["a=1; Path=/y", "a=1; Path=/x"], []),
        (
            [f"{SID}; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
            [f"{SID}; Expires=Wed, 21-Oct-2026 07:29:30 GMT"],
            [],
        ),
        (
            [f"{SID}; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
            [f"{SID}; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
            [("set-cookie:sid;expires", "changed")],
        ),
    ],
)
def test_cookies(legacy: list[str], new: list[str], expected: list[tuple[str, str]]) -> None:
    """Trap 2's other half: each Set-Cookie by its name, with each of its attributes."""
    one, other = ([("Set-Cookie", value) for value in side] for side in (legacy, new))
    assert differences(one, other) == expected


def test_a_cookie_s_value_is_in_no_excerpt() -> None:
    """Trap 35."""
    comparison = compare(head(("Set-Cookie", "pw=hunter2")), head(("Set-Cookie", "pw=")))
    assert "hunter2" not in str(comparison.to_dict())
    assert comparison.differences[0].legacy == "a token of 7 characters"


def test_every_header_counts_but_for_a_short_list_and_their_case_does_not() -> None:
    """Trap 30."""
    legacy: list[RawHeader] = [("Cache-Control", "no-store"), ("Server", "a"), ("Date", "x")]
    assert differences(legacy, [(b"CACHE-CONTROL", b"no-store")]) == []
    assert differences(legacy, []) == [("header:cache-control", "missing")]
    assert differences([("X-Served-By", "a")], []) == [("header:x-served-by", "missing")]


def test_rules_for_the_head() -> None:
    etag = ComparisonRule("r", RuleKind.IGNORE, "header:etag")
    assert differences([("ETag", '"a"')], [("ETag", '"b"')]) == [("header:etag", "changed")]
    assert differences([("ETag", '"a"')], [("ETag", '"b"')], etag) == []
    listed = ComparisonRule("r", RuleKind.UNORDERED, "header:x-tags")
    one, other = ("X-Tags", "a, b"), ("X-Tags", "b,a")
    assert differences([one], [other]) == [("header:x-tags", "changed")]
    assert differences([one], [other], listed) == []
    fresh, stale = ("Cache-Control", "max-age=60, private"), ("Cache-Control", "private")
    assert differences([fresh], [stale]) == [("header:cache-control;max-age", "missing")]
    for target in ("header:cache-control", "header:cache-control;max-age"):
        assert differences([fresh], [stale], ComparisonRule("r", RuleKind.IGNORE, target)) == []
    for target in ("set-cookie:sid;samesite", "set-cookie:sid", "header:set-cookie"):
        cookie = ComparisonRule("r", RuleKind.IGNORE, target)
        assert (
            differences([("Set-Cookie", f"{SID}; SameSite=Lax")], [("Set-Cookie", SID)], cookie)
            == []
        )


def test_another_status_is_one_difference_whatever_stands_below() -> None:
    """Trap 33: 404 against 200 is a mismatch."""
    legacy, new = Answer(200, (), b"a long page"), Answer(404, (("X", "y"),), b"not found")
    comparison = compare(legacy, new)
    assert comparison.verdict == "mismatch"
    assert found(comparison) == [("status", "changed")]


def test_a_status_may_be_mapped() -> None:
    created = ComparisonRule("r", RuleKind.MAP_VALUE, "status", pairs=((200, 201),))
    assert compare(Answer(200, (), b"x"), Answer(201, (), b"x"), [created]).verdict == "match"
    assert found(compare(Answer(200, (), b"x"), Answer(201, (), b"y"), [created])) == [
        ("$[*]", "changed")
    ]
    assert compare(Answer(201, (), b"x"), Answer(200, (), b"x"), [created]).verdict == "mismatch"
