"""Which stored pairs can be exported as tests, and with what body."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.comparisons.export import hurl
from control_plane.comparisons.export.cases import Case

FORM = ["Content-Type", "application/x-www-form-urlencoded; charset=iso-8859-1"]


def case(*reads: str, **more: Any) -> Case:
    request = {
        "method": "POST",
        "target": "/search",
        "headers": [["Host", "shop.example"], FORM, ["Content-Encoding", "gzip"]],
        "body": "stra\u00dfe=1",
        "body_kind": "text",
        **more,
    }
    legacy: dict[str, Any] = {
        "status": 200,
        "failure": None,
        "headers": [],
        "body": "ok",
        "body_kind": "text",
    }
    return Case("0" * 32, 0, "mismatch", request, legacy, legacy, reads)


def test_a_declared_read_is_exported_with_its_body() -> None:
    found = case("POST")
    assert found.skip == ""
    assert found.body == b"stra\xdfe=1"
    assert [name for name, _ in found.headers] == ["Content-Type"]
    written = hurl.written("search", [found], [], [])
    assert "POST {{base_url}}/search" in written
    assert "base64,c3RyYd9lPTE=;" in written


@pytest.mark.parametrize(
    ("reads", "more", "why"),
    [
        ((), {}, "method is not safe"),
        (("POST",), {"method": "PUT"}, "method is not safe"),
        (("POST",), {"body": "q=[redacted:email:00112233]"}, "body held a secret"),
        (
            ("POST",),
            {"body": None, "body_kind": "none", "headers": [["Content-Length", "900000"]]},
            "too long",
        ),
    ],
)
def test_what_cannot_be_sent_again_is_left_out(
    reads: tuple[str, ...], more: dict[str, Any], why: str
) -> None:
    assert why in case(*reads, **more).skip
