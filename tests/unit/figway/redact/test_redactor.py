"""Redaction: no secret is left, equality is, and the rest is as it was."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figway.compare.answer import Context, RawHeader
from figway.compare.verdict import compare
from figway.redact.bodies import redact_body
from figway.redact.detectors import iban, luhn
from figway.redact.policy import PolicyError, RedactionPolicy
from figway.redact.redactor import Redactor
from tests.support.answers import answer, json_answer

KEY = b"0123456789abcdef"
REDACTOR = Redactor(KEY)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"
SECRETS = {
    "card": (
        CARD,
        CARD.replace(" ", "-"),
        CARD.replace(" ", ""),
        "378282246310005",
        "5555555555554444",
    ),
    "iban": (IBAN, IBAN.replace(" ", ""), "GB82WEST12345698765432", "NO9386011117947"),
    "email": ("ann.smith+x@mail.example.com", "ünï@exämple.de"),
    "jwt": (JWT,),
    "token": ("sk_live_4eC39HqLyjWDarjtT1", "ghp_16C7e42F292c6912E7710c", "AKIAIOSFODNN7EXAMPLE"),
    "credentials": ("Bearer abcdef0123456789", "Basic dXNlcjpwYXNz"),
    "user_info": ("https://user:hunter22@db.example/x",),
    "private_key": (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
    ),
}
CASES = [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets]


@pytest.mark.parametrize(("kind", "secret"), CASES)
@pytest.mark.parametrize("around", ["{}", "pay with {} today", "({})", "a,{},b", "12 {} 34"])
def test_secrets_are_known_by_their_looks(kind: str, secret: str, around: str) -> None:
    """Trap 35."""
    text = around.format(secret)
    clean = REDACTOR.search(text)
    assert f"[redacted:{kind}:" in clean
    for part in secret.replace("Bearer", "").replace("Basic", "").replace("https", "").split():
        if len(part) > 4 and not part.startswith("-----"):
            assert part not in clean
    assert REDACTOR.search(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "order 1234567890123456",
        "1767225600123",
        "GB82 WEST 1234 5698 7654 33",
        "3d6f0a5e-1111-4222-8333-444455556666",
        "2026-01-01T00:00:00Z",
        "a price of 12.50 EUR, 3 @ 4 each",
        "0000000000000000",
        "Basic training",
        '{"name": "Rome", "count": 3}',
        "eyJ",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert REDACTOR.search(text) == text


def test_check_digits() -> None:
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")
    assert iban("GB82 WEST 1234 5698 7654 32")
    assert not iban("GB82 WEST 1234 5698 7654 33")


@given(st.text(max_size=80))
def test_searching_twice_changes_nothing_more(text: str) -> None:
    once = REDACTOR.search(text)
    assert REDACTOR.search(once) == once


def test_equality_survives_under_one_key_only() -> None:
    one, two = REDACTOR.search("a@b.example"), REDACTOR.search("mail a@b.example now")
    assert one in two
    assert REDACTOR.search("c@b.example") != one
    assert Redactor(b"another key 1234").search("a@b.example") != one
    with pytest.raises(ValueError, match="16 bytes"):
        Redactor(b"short")


HEADERS: list[RawHeader] = [
    ("Authorization", "Bearer s3cr3t-abc"),
    (b"proxy-authorization", b"s3cr3t"),
    ("Cookie", "sid=s3cr3t1; lang=s3cr3t2"),
    ("Set-Cookie", "sid=s3cr3t3; Path=/; HttpOnly"),
    ("Set-Cookie", "other=s3cr3t4; SameSite=Lax"),
    ("X-Api-Key", "s3cr3t"),
    ("X-CSRF-Token", "s3cr3t"),
    ("X-Session-Token", "s3cr3t"),
    ("X-Amzn-Oidc-Data", "s3cr3t"),
    ("X-Forwarded-Client-Cert", "s3cr3t"),
    ("Referer", "https://x.example/a?password=s3cr3t&page=2"),
    ("Location", "/cb#access_token=s3cr3t&state=ok"),
    ("Content-Type", "text/html"),
    ("X-Trace", "plain"),
]


def test_credentials_are_in_no_header() -> None:
    """Trap 35: Authorization, Cookie, Set-Cookie values, API keys."""
    clean = REDACTOR.headers(HEADERS)
    assert "s3cr3t" not in str(clean)
    assert [name for name, _ in clean] == [
        name.decode() if isinstance(name, bytes) else name for name, _ in HEADERS
    ]
    values = [value for _, value in clean]
    assert values[0].startswith("Bearer [redacted:credentials:")
    assert values[2].startswith("sid=[redacted:cookie:")
    assert values[3].endswith("; Path=/; HttpOnly")
    assert "page=2" in values[10]
    assert "state=ok" in values[11]
    assert values[12:] == ["text/html", "plain"]


def test_no_policy_takes_credentials_off_the_list() -> None:
    """Trap 35: the list cannot be turned off."""
    for name in ("Authorization", "cookie", "set_cookie", "X-Api-Key", "password", "accessToken"):
        with pytest.raises(PolicyError, match="cannot be allowed"):
            RedactionPolicy(allow=(name,))
    loose = Redactor(KEY, RedactionPolicy(allow=("lang", "other", "x-trace")))
    assert "s3cr3t" not in str(loose.headers(HEADERS))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("page=2&q=a%20b&x=%zz&&y", True),
        ("password=s3cr3t", False),
        ("a=1&api%5Fkey=s3cr3t&b=2", False),
        ("q=s3cr3t%40mail.example", False),
        ("user%5Bpassword%5D=s3cr3t", False),
        ("card=4111+1111+1111+1111", False),
        ("s3cr3t@mail.example", False),
    ],
)
def test_queries_and_forms(query: str, kept: bool) -> None:
    clean = REDACTOR.query(query)
    assert (clean == query) == kept
    assert "s3cr3t" not in clean
    assert "1111+1111" not in clean
    assert clean.count("&") == query.count("&")


def test_paths_of_urls() -> None:
    assert REDACTOR.url("/users/42/a%2Fb?x=1") == "/users/42/a%2Fb?x=1"
    assert "ann" not in REDACTOR.url("/users/ann%40mail.example/edit")
    assert "ann" not in REDACTOR.url("/users/ann@mail.example")


SEEDED: dict[str, Any] = {
    "user": {"Password": "s3cr3t", "apiKey": 991234599, "tokens": {"refresh_token": ["s3cr3t"]}},
    "credentials": {"any": "s3cr3t", "deep": [{"x": 99123459}]},
    "note": "call s3cr3t@mail.example or pay 4111 1111 1111 1111",
    "number": 4111111111111111,
    "nested": '{"password": "s3cr3t", "a": 1}',
    "log": "login password=s3cr3t ok",
    "s3cr3t@mail.example": 1,
    "name": "Rome",
    "count": 3,
    "none": None,
    "flag": True,
}


def no_secret(text: str) -> bool:
    return not any(part in text for part in ("s3cr3t", "4111", "99123459"))


def test_json_values() -> None:
    clean = REDACTOR.value("$", SEEDED)
    assert no_secret(json.dumps(clean))
    assert {key: clean[key] for key in ("name", "count", "none", "flag")} == {
        "name": "Rome",
        "count": 3,
        "none": None,
        "flag": True,
    }
    assert REDACTOR.value("$", clean) == clean


def test_a_secret_name_anywhere_in_the_path_hides_what_is_below() -> None:
    assert str(REDACTOR.value("$.user['pass-word'][0]", "abc")).startswith("[redacted:field")
    assert str(REDACTOR.value("$.form['input[name=csrf]'][*]['@value']", "a")).startswith("[red")
    assert REDACTOR.value("$.user.city", "Rome") == "Rome"
    assert REDACTOR.value("status", 200) == 200
    assert REDACTOR.value("set-cookie:sid;samesite", "Lax") == "Lax"
    assert str(REDACTOR.value("header:x-api-key", "abc")).startswith("[redacted")


def test_an_allowlist_keeps_only_what_it_names() -> None:
    """Trap 35: allowlist mode."""
    strict = Redactor(KEY, RedactionPolicy(allow=("count", "city")))
    clean = strict.value("$", {"count": 3, "city": "Rome", "street": "x", "n": 5, "password": "p"})
    assert (clean["count"], clean["city"]) == (3, "Rome")
    assert all(str(clean[name]).startswith("[redacted") for name in ("street", "n", "password"))
    assert strict.query("city=Rome&street=x").startswith("city=Rome&street=[redacted")
    kept = dict(strict.headers([("Content-Type", "text/html"), ("X-Other", "x")]))
    assert kept["Content-Type"] == "text/html"
    assert kept["X-Other"].startswith("[redacted")
    page = redact_body((("Content-Type", "text/html"),), b"<p id=a>Ann</p>", strict)
    assert "Ann" not in page


def test_a_policy_adds_names_and_patterns_and_comes_back_from_json() -> None:
    policy = RedactionPolicy(names=("Badge_No",), patterns=("EMP-[0-9]{4}",))
    clean = Redactor(KEY, policy).value("$", {"badgeNo": "77", "note": "by EMP-1234"})
    assert clean["badgeNo"].startswith("[redacted:field:")
    assert clean["note"].startswith("by [redacted:pattern:")
    assert RedactionPolicy.from_dict(policy.to_dict()) == policy
    strict = RedactionPolicy(allow=())
    assert RedactionPolicy.from_dict(strict.to_dict()) == strict
    refused: list[dict[str, Any]] = [
        {"patterns": ["("]},
        {"names": "x"},
        {"deny": []},
        {"patterns": ["x*"]},
    ]
    for wrong in refused:
        with pytest.raises(PolicyError):
            RedactionPolicy.from_dict(wrong)


HTML = """<!DOCTYPE html><!-- s3cr3t -->
<html><head><meta name="csrf-token" content="s3cr3t"></head>
<body data-user="s3cr3t@mail.example"><p class="x">Hello s3cr3t@mail.example &amp; co</p>
<form action="/a?token=s3cr3t"><input type="password" value="s3cr3t">
<input name="city" value="Rome"><textarea name="secret_note">s3cr3t</textarea></form>
<p>Mail s3cr3t&#64;mail.example, card 4111 1111 1111 1111</p>
<script>var config = {"apiKey": "s3cr3t", "a": 1};</script></body></html>"""


@pytest.mark.parametrize(
    ("content_type", "body", "kept"),
    [
        ("application/json", json.dumps(SEEDED), '"Rome"'),
        ("application/json", json.dumps(SEEDED)[:-30], "Rome"),
        ("text/html", HTML, '<input name="city" value="Rome">'),
        ("text/html", HTML[:-20], "&amp; co</p>"),
        ("application/xml", "<a><Password>s3cr3t</Password><c>Rome</c></a>", "<c>Rome</c>"),
        ("application/xml", '<a><c apiKey="s3cr3t" d="Rome"/></a>', 'd="Rome"'),
        ("application/x-www-form-urlencoded", "user=ann&password=s3cr3t", "user=ann"),
        ("text/plain", "password: s3cr3t\nRome", "Rome"),
        ("multipart/form-data; boundary=x", "--x\r\n\r\ns3cr3t", "bytes [redacted:binary:"),
        ("application/octet-stream", "s3cr3t", "6 bytes"),
    ],
)
def test_no_secret_is_left_in_a_body(content_type: str, body: str, kept: str) -> None:
    """Trap 35: seeded secrets in JSON, forms, HTML, XML, text; whole, cut, and coded."""
    for coding, data in ((None, body.encode()), ("gzip", gzip.compress(body.encode()))):
        headers: tuple[RawHeader, ...] = (("Content-Type", content_type),)
        if coding:
            headers += (("Content-Encoding", coding),)
        clean = redact_body(headers, data, REDACTOR)
        assert no_secret(clean)
        assert kept in clean


@pytest.mark.parametrize("coding", ["gzip", "br", "unknown"])
def test_what_cannot_be_read_is_not_kept(coding: str) -> None:
    headers: tuple[RawHeader, ...] = (("Content-Type", "text/plain"), ("Content-Encoding", coding))
    assert "s3cr3t" not in redact_body(headers, b"s3cr3t", REDACTOR)
    deep = b"[" * 900 + b'"s3cr3t"' + b"]" * 900
    assert "s3cr3t" not in redact_body((("Content-Type", "application/json"),), deep, REDACTOR)


def test_a_secret_that_the_cut_falls_into_is_not_half_kept() -> None:
    """Trap 35: long texts are cut before they are searched, and again for the excerpt."""
    tail = " s3cr3t@mail.example and more"
    # The cut at 4096 characters falls behind `s3cr3t@ma`; what stands before it shrinks to nothing.
    text = "password=" + "x" * (4096 - len("password=") - len(" s3cr3t@ma")) + tail
    context = Context(redact=REDACTOR.value)
    comparison = compare(json_answer({"a": text}), json_answer({"a": "b"}), (), context)
    assert comparison.differences[0].legacy.startswith("password=[redacted:field:")
    assert "s3cr3t" not in json.dumps(comparison.to_dict())


def test_comparisons_hold_no_secret() -> None:
    """Trap 35: the comparer's excerpts go through the redactor, also where they are cut."""
    context = Context(redact=REDACTOR.value)
    legacy = {**SEEDED, "long": "x " * 95 + "s3cr3t@mail.example " + "y " * 4000, "only": SEEDED}
    new = {"user": {"Password": "other"}, "note": "s3cr3t@mail.example", "long": "z", "number": 1}
    pages = answer(HTML, "text/html"), answer(HTML.replace("s3cr3t", "0th3r"), "text/html")
    for pair in ((json_answer(legacy), json_answer(new)), pages):
        for one, other in (pair, pair[::-1]):
            comparison = compare(one, other, (), context)
            assert comparison.verdict == "mismatch"
            assert no_secret(json.dumps(comparison.to_dict()))
