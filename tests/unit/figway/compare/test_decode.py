"""Codings, charsets and the formats beside JSON."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from figway.compare.answer import Answer, Context
from figway.compare.limits import Limits
from figway.compare.verdict import compare
from tests.support.answers import DECODERS, answer, found

PAGE = "Grüße — " + "x" * 300
CODED = {
    "": PAGE.encode(),
    "identity": PAGE.encode(),
    "gzip": gzip.compress(PAGE.encode(), mtime=0),
    "x-gzip": gzip.compress(PAGE.encode()[:50], mtime=0)
    + gzip.compress(PAGE.encode()[50:], mtime=0),
    "deflate": zlib.compress(PAGE.encode()),
    "Deflate": zlib.compress(PAGE.encode(), wbits=-15),
    "br": brotli.compress(PAGE.encode()),
    "zstd": zstandard.compress(PAGE.encode()),
    "gzip, br": brotli.compress(gzip.compress(PAGE.encode(), mtime=0)),
}


def coded(body: bytes, coding: str, content_type: str = "text/plain; charset=utf-8") -> Answer:
    extra = (("Content-Encoding", coding),) if coding else ()
    return answer(body, content_type, *extra)


@pytest.mark.parametrize("coding", CODED)
def test_compression_has_no_meaning(coding: str) -> None:
    """Trap 30."""
    context = Context(decoders=DECODERS)
    plain = answer(PAGE, "text/plain; charset=utf-8")
    comparison = compare(plain, coded(CODED[coding], coding), (), context)
    assert (comparison.verdict, comparison.differences) == ("match", ())
    assert compare(coded(CODED[coding], coding), answer("x"), (), context).verdict == "mismatch"


@pytest.mark.parametrize(
    ("body", "coding", "reason"),
    [
        (b"whatever", "lzma", "unknown_coding"),
        (b"whatever", "gzip, gzip, gzip, gzip", "unknown_coding"),
        (CODED["zstd"], "compress", "unknown_coding"),
    ],
)
def test_a_coding_that_is_not_known_is_an_error_not_a_verdict(
    body: bytes, coding: str, reason: str
) -> None:
    """Trap 36: what we cannot read says nothing of the side."""
    for pair in ((answer(PAGE), coded(body, coding)), (coded(body, coding), answer(PAGE))):
        comparison = compare(*pair, (), Context(decoders=DECODERS))
        assert (comparison.verdict, comparison.reason) == ("compare_error", reason)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (CODED["gzip"][:-9], "gzip"),
        (CODED["deflate"][:-9], "deflate"),
        (CODED["br"][:-9], "br"),
        (b"not gzip at all", "gzip"),
    ],
)
def test_a_body_that_is_not_as_its_coding_says_fails_its_side(body: bytes, coding: str) -> None:
    """Trap 36: cut and corrupt codings. No client can read such an answer."""
    context, fine, bad = Context(decoders=DECODERS), answer(PAGE), coded(body, coding)
    for pair, verdict in (((fine, bad), "new_failed"), ((bad, fine), "legacy_failed")):
        comparison = compare(*pair, (), context)
        assert (comparison.verdict, comparison.reason) == (verdict, "broken_coding")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_small_body_that_grows_without_end_is_cut_short(coding: str) -> None:
    """Trap 36: decoding stops at the limit."""
    most = 100_000
    plain = b"0" * (50 * most)
    packed = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }[coding](plain)
    context = Context(decoders=DECODERS, limits=Limits(decoded_bytes=most))
    comparison = compare(answer("0"), coded(packed, coding), (), context)
    assert (comparison.verdict, comparison.reason) == ("compare_error", "too_large")


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("iso-8859-1", "latin-1"),
        ("ISO-8859-15", "iso-8859-15"),
        ("utf-16", "utf-16"),
        ('"windows-1252"', "cp1252"),
        ("", "cp1252"),
    ],
)
def test_charsets_have_no_meaning(charset: str, codec: str) -> None:
    """Trap 30."""
    label = f"; charset={charset}" if charset else ""
    legacy = answer("Grüße".encode(codec), f"text/html{label}")
    assert compare(legacy, answer("Grüße", "text/html; charset=utf-8")).verdict == "match"


def test_a_wrong_charset_is_found_and_named() -> None:
    """UTF-8 labelled as ISO-8859-1 is not the same text, and the label is why."""
    legacy = answer("Grüße", "text/plain; charset=utf-8")
    new = answer("Grüße", "text/plain; charset=iso-8859-1")
    assert found(compare(legacy, new)) == [
        ("$[*]", "changed"),
        ("header:content-type;charset", "changed"),
    ]


def test_broken_bytes_equal_themselves_and_no_others() -> None:
    one, other = (
        answer(byte + b"abc\n", "text/plain; charset=utf-8") for byte in (b"\xff", b"\xfe")
    )
    again = answer(b"\xffabc\n", "text/plain;charset=UTF-8")
    assert compare(one, again).verdict == "match"
    comparison = compare(one, other)
    assert comparison.verdict == "mismatch"
    json.dumps(comparison.to_dict()).encode()


@pytest.mark.parametrize(
    ("content_type", "legacy", "new", "differences"),
    [
        ("text/plain", "a\r\nb\r\n", "a\nb\n", [("$['line-ends()']", "notation")]),
        ("text/plain", "a\nb\nc\n", "a\nb\nb2\nc\n", [("$[*]", "added")]),
        ("application/x-www-form-urlencoded", "a=1&b=%20x", "b=+x&a=1", []),
        ("application/x-www-form-urlencoded", "a=1&a=2", "a=2&a=1", [("$.a", "order")]),
        (
            "application/x-www-form-urlencoded",
            "a=1&b=",
            "a=2",
            [("$.a", "changed"), ("$.b", "missing")],
        ),
        ("application/octet-stream", "\x00\x01", "\x00\x02", [("$", "changed")]),
        ("image/png", "same", "same", []),
        ("application/problem+json", '{"a":1}', '{ "a": 1.0 }', []),
        ("", '{"a":1}', '{ "a": 1.0 }', []),
        ("", "plain", "other", [("$[*]", "changed")]),
    ],
)
def test_formats(
    content_type: str, legacy: str, new: str, differences: list[tuple[str, str]]
) -> None:
    comparison = compare(answer(legacy, content_type), answer(new, content_type))
    assert found(comparison) == differences
    assert comparison.verdict == ("mismatch" if differences else "match")


def test_another_format_is_a_difference_of_the_content_type() -> None:
    comparison = compare(answer("{}", "application/json"), answer("<p>", "text/html"))
    assert ("header:content-type", "changed") in found(comparison)


def test_head_and_bodiless_answers_have_no_body_to_compare() -> None:
    """A coding may be named where there is no body to be coded."""
    legacy = coded(b"", "gzip")
    assert compare(legacy, coded(b"", "br"), (), Context(method="HEAD")).verdict == "match"
    assert compare(legacy, coded(b"", "br")).verdict == "match"
