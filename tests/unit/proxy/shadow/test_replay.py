"""A stored request is sent again without what was redacted, or with what a person gives."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.shadow.replay import NotReplayable, rebuilt


def _stored(**more: Any) -> dict[str, Any]:
    headers = [
        ["Host", "shop.example"],
        ["Cookie", "figway_id=[redacted:cookie:00112233]"],
        ["Accept", "text/html"],
    ]
    return {"method": "GET", "target": "/a?b=1", "headers": headers, "body": None,
            "body_kind": "none", **more}  # fmt: skip


def test_redacted_headers_are_left_out_and_named() -> None:
    """U10: a cookie, also `figway_id`, makes no pair unreplayable by itself."""
    sent, left_out = rebuilt(_stored())
    assert sent.headers == [(b"Host", b"shop.example"), (b"Accept", b"text/html")]
    assert left_out == ["cookie"]


def test_given_headers_stand_in_their_place() -> None:
    sent, left_out = rebuilt(_stored(), [("Cookie", "sid=1"), ("Authorization", "Bearer t")])
    assert sent.headers[2:] == [(b"Cookie", b"sid=1"), (b"Authorization", b"Bearer t")]
    assert left_out == []


@pytest.mark.parametrize(
    "more",
    [
        {"method": "POST"},
        {"target": "/u/[redacted:email:00112233]"},
        {"body": "a=[redacted:email:00112233]", "body_kind": "text"},
    ],
)
def test_another_request_is_not_sent_in_its_place(more: dict[str, Any]) -> None:
    with pytest.raises(NotReplayable):
        rebuilt(_stored(**more))


POSTED = {
    "method": "POST",
    "body": "stra\u00dfe=1",
    "body_kind": "text",
    "headers": [
        ["Host", "shop.example"],
        ["Content-Type", "application/x-www-form-urlencoded; charset=iso-8859-1"],
        ["Content-Encoding", "gzip"],
        ["Content-Length", "77"],
    ],
}


def test_a_declared_read_is_sent_with_its_body_in_the_charset_it_names() -> None:
    """What was stored is decoded text: its coding and length are not those of what is sent."""
    sent, _ = rebuilt(_stored(**POSTED), (), ("POST",))
    assert (sent.method, sent.body, sent.has_body) == ("POST", b"stra\xdfe=1", True)
    assert [name for name, _ in sent.headers] == [b"Host", b"Content-Type"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"body": None, "body_kind": "none"}, "too long"),
        ({"body": "q=[redacted:email:00112233]"}, "redacted"),
        ({"body": "q=\u4e2d"}, "charset"),
        ({"method": "PUT"}, "not safe"),
    ],
)
def test_a_declared_read_without_its_whole_body_is_not_sent(more: dict[str, Any], why: str) -> None:
    with pytest.raises(NotReplayable, match=why):
        rebuilt(_stored(**{**POSTED, **more}), (), ("POST",))
