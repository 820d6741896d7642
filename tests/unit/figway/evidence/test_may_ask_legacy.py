"""W27: when legacy may be asked again. Each case is a read that is safe by RFC and not in fact."""

from __future__ import annotations

import pytest

from figway.evidence.may_ask_legacy import Refusal, repeat_key, why_not_repeated
from figway.message.http import Headers
from figway.model.comparison import LegacyReads

PLAIN: Headers = [(b"Host", b"shop.example")]
KEPT: Headers = [(b"Cache-Control", b"max-age=60, public")]
COOKIE = (b"Cookie", b"sid=1")


def why(
    reads: LegacyReads = LegacyReads.CACHEABLE,
    target: bytes = b"/r/1",
    request: Headers = PLAIN,
    answer: Headers = KEPT,
    *,
    method: str = "GET",
    status: int = 200,
    elapsed_ms: float = 5.0,
) -> Refusal:
    return why_not_repeated(reads, method, target, request, status, answer, elapsed_ms)


NEVER_REPEATED = {
    "a poll of socket.io": (b"/socket.io/?EIO=4&transport=polling&t=1", PLAIN, KEPT, "long_poll"),
    "its path alone": (b"/socket.io/", PLAIN, KEPT, "one_time"),
    "a captcha": (b"/captcha.png", PLAIN, KEPT, "one_time"),
    "a logout": (b"/account/logout", PLAIN, KEPT, "one_time"),
    "a logout by query": (b"/account?action=logout", PLAIN, KEPT, "one_time"),
    "an OAuth code": (b"/callback?code=abc&state=1", PLAIN, KEPT, "one_time"),
    "an upgrade": (b"/r", [*PLAIN, (b"Upgrade", b"websocket")], KEPT, "upgrade"),
    "an event stream": (b"/r", [*PLAIN, (b"Accept", b"text/event-stream")], KEPT, "event_stream"),
    "a cookie that is set": (b"/r", PLAIN, [*KEPT, (b"Set-Cookie", b"a=1")], "sets_cookies"),
}


@pytest.mark.parametrize("reads", [LegacyReads.CACHEABLE, LegacyReads.ALLOWED])
@pytest.mark.parametrize("name", NEVER_REPEATED)
def test_some_reads_are_never_repeated(name: str, reads: LegacyReads) -> None:
    """W27: also where a person allows reads of the route."""
    target, request, answer, expected = NEVER_REPEATED[name]
    assert why(reads, target, request, answer) == expected


def test_an_answer_that_was_waited_for_is_a_long_poll() -> None:
    assert why(LegacyReads.ALLOWED, elapsed_ms=20_000) == "long_poll"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (KEPT, ""),
        ([(b"Cache-Control", b"max-age=60")], ""),
        ([(b"ETag", b'"1"')], ""),
        ([(b"Last-Modified", b"Mon, 01 Jan 2024 00:00:00 GMT")], ""),
        ([], "not_cacheable"),
        ([(b"Cache-Control", b"no-store"), (b"ETag", b'"1"')], "not_cacheable"),
        ([(b"Cache-Control", b"max-age=0")], "not_cacheable"),
        ([(b"ETag", b'"1"'), (b"Vary", b"*")], "not_cacheable"),
    ],
)
def test_by_default_legacy_itself_says_what_may_be_repeated(answer: Headers, expected: str) -> None:
    """W27"""
    assert why(answer=answer) == expected
    assert why(LegacyReads.ALLOWED, answer=answer) == ""
    assert why(LegacyReads.NEVER, answer=answer) == "never"


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        ([*PLAIN, COOKIE], [(b"ETag", b'"1"')], "credentials"),
        ([*PLAIN, COOKIE], [(b"Cache-Control", b"private, max-age=60")], "credentials"),
        ([*PLAIN, COOKIE], [*KEPT, (b"Vary", b"Cookie")], "credentials"),
        ([*PLAIN, COOKIE], KEPT, ""),
        ([*PLAIN, (b"Authorization", b"Bearer x")], [(b"ETag", b'"1"')], "credentials"),
        ([*PLAIN, (b"Cookie", b"figway_id=7")], [(b"ETag", b'"1"')], ""),
    ],
)
def test_what_is_a_users_own_is_not_repeated_by_default(
    request_: Headers, answer: Headers, expected: str
) -> None:
    """W27: an ETag that a framework gives to everything says nothing of a session's captcha."""
    assert why(request=request_, answer=answer) == expected
    assert why(LegacyReads.ALLOWED, request=request_, answer=answer) == ""


def test_one_time_links_and_failures_are_not_repeated_by_default() -> None:
    """W27"""
    assert why(target=b"/invite?token=abc") == "one_time"
    assert why(LegacyReads.ALLOWED, target=b"/invite?token=abc") == ""
    assert why(status=503) == "failed"
    assert why(method="POST") == "method"
    assert why(LegacyReads.ALLOWED, method="DELETE") == "method"


def test_a_natural_repeat_is_the_same_request_by_the_same_user() -> None:
    def key(headers: Headers, answer: Headers = KEPT, target: bytes = b"/r/1") -> bytes:
        vary = [value for name, value in answer if name.lower() == b"vary"]
        return repeat_key("GET", target, headers, b"", vary)

    trace = (b"traceparent", b"00-1-2-01")
    assert key([*PLAIN, trace]) == key(PLAIN)
    assert key([*PLAIN, COOKIE]) != key(PLAIN)
    assert key([*PLAIN, (b"Accept-Language", b"de")]) != key(PLAIN)
    assert key(PLAIN, target=b"/r/2") != key(PLAIN)
    agent = (b"User-Agent", b"curl")
    assert key([*PLAIN, agent]) == key(PLAIN)
    varies: Headers = [(b"Vary", b"User-Agent")]
    assert key([*PLAIN, agent], varies) != key(PLAIN, varies)
