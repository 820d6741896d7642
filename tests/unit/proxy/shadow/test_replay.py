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
