"""Verdicts, and what the comparer does with hostile answers."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.limits import Limits
from figway.compare.verdict import COMPARED, VERDICTS, Comparison, compare
from tests.support.answers import answer, compare_json, json_answer

OK = Answer(200)
Case = tuple[str, bytes | Callable[[], bytes], str, str]


@pytest.mark.parametrize(
    ("legacy", "new", "verdict"),
    [
        (OK, OK, "match"),
        (Answer(404), Answer(404), "match"),
        (Answer(404), OK, "mismatch"),
        (OK, Answer(404), "mismatch"),
        (OK, Answer(failure="timeout"), "new_failed"),
        (OK, Answer(500), "new_failed"),
        (Answer(503), OK, "legacy_failed"),
        (Answer(failure="reset"), Answer(404), "legacy_failed"),
        (Answer(500), Answer(500), "both_failed"),
        (Answer(500), Answer(failure="connect"), "both_failed"),
        (Answer(200, truncated=True), OK, "skipped"),
        (OK, Answer(200, truncated=True), "skipped"),
        (Answer(200, truncated=True), Answer(502), "new_failed"),
        # A body that is not packed as its label says is one that no client can read.
        (OK, Answer(200, ((b"Content-Encoding", b"gzip"),), b"{}"), "new_failed"),
        (Answer(200, ((b"Content-Encoding", b"gzip"),), b"{}"), OK, "legacy_failed"),
    ],
)
def test_failures_are_not_matches(legacy: Answer, new: Answer, verdict: str) -> None:
    """Trap 33."""
    comparison = compare(legacy, new)
    assert comparison.verdict == verdict
    assert (comparison.verdict in COMPARED) == (verdict in ("match", "mismatch"))
    if comparison.verdict not in COMPARED:
        assert comparison.reason


def test_a_policy_may_compare_server_errors() -> None:
    context = Context(server_errors_fail=False)
    assert compare(Answer(500), Answer(500), (), context).verdict == "match"
    assert compare(Answer(501), Answer(500), (), context).verdict == "mismatch"


def test_the_signature_is_of_what_counts() -> None:
    """Trap 34: pairs that differ alike group, whatever their values and their noise."""
    first = compare_json({"a": 1, "b": 1}, {"a": 2, "b": 1})
    other_values = compare_json({"a": 7, "b": 1}, {"a": 9, "b": 1})
    more = compare_json({"a": 1, "b": 1}, {"a": 2, "b": 2})
    noisy = compare_json(
        {"a": 1, "b": 1}, {"a": 2, "b": 2}, context=Context(noise=frozenset({"$.b|changed"}))
    )
    assert first.signature == other_values.signature == noisy.signature
    assert more.signature != first.signature
    assert compare_json(1, 1).signature == ""


def test_noise_is_shown_but_does_not_count() -> None:
    """Trap 29: and another kind of difference at the same path does."""
    uuids = ("3d6f0a5e-1111-4222-8333-444455556666", "3d6f0a5e-1111-4222-8333-444455556667")
    context = Context(noise=frozenset({"$.id|changed~uuid"}))
    changed = compare_json({"id": uuids[0]}, {"id": uuids[1]}, context=context)
    assert changed.verdict == "match"
    assert [(d.path, d.noise) for d in changed.differences] == [("$.id", True)]
    for other in ({}, {"id": 5}, {"id": "not an id"}, {"id": None}):
        assert compare_json({"id": uuids[0]}, other, context=context).verdict == "mismatch"


def test_excerpts_are_small_and_redacted_first() -> None:
    """Trap 35: the cut must not halve a secret before it is looked for."""
    seen: list[str] = []

    def redact(path: str, value: object) -> object:
        seen.append(path)
        return json.loads(json.dumps(value).replace("hunter2", "*"))

    long = {"list": [["hunter2" + "x" * 900] * 50] * 50}
    comparison = compare_json({"a": long}, {"a": 1}, context=Context(redact=redact))
    text = json.dumps(comparison.to_dict())
    assert "hunter" not in text
    assert len(text) < 60_000
    assert "$.a" in seen


HUGE = 100 * 1024 * 1024


def zeros() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = b"0" * (1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(HUGE >> 20)), packer.flush()])


def zip_of(*files: tuple[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return body.getvalue()


def namespaces() -> bytes:
    """Each element declares one prefix more."""
    names = range(2000)
    starts = "".join(f'<a xmlns:p{n}="u">' for n in names)
    return (starts + "</a>" * len(names)).encode()


def zip_bomb() -> bytes:
    """As much in an archive."""
    return zip_of(("a.txt", b"0" * HUGE))


def hostile() -> Iterator[Case]:
    """(name, body or what makes a costly one, content type, content coding)."""
    rng = random.Random(7)
    deep = 10_000
    yield "deep arrays", b"[" * deep + b"]" * deep, "application/json", ""
    yield "deep objects", b'{"a":' * deep + b"1" + b"}" * deep, "application/json", ""
    yield "unclosed arrays", b"[" * 200_000, "application/json", ""
    yield "400 levels", b"[" * 400 + b"]" * 400, "application/json", ""
    yield "invalid utf-8", b'{"a":"\xff\xfe\xc3("}', "application/json", ""
    yield "nan", b"[NaN,-Infinity,1e999]", "application/json", ""
    yield "huge integer", b"[" + b"9" * 500_000 + b"]", "application/json", ""
    yield "huge exponent", b"[1e99999999999999999999]", "application/json", ""
    yield "repeated members", b'{"a":1,"a":2,"a":{"a":1,"a":2}}', "application/json", ""
    yield "many members", json.dumps({str(n): n for n in range(90_000)}).encode(), "text/json", ""
    yield "empty arrays", b"[" + b"[]," * 300_000 + b"[]]", "application/json", ""
    yield "lone surrogates", b'["\\ud800","\\udc00"]', "application/json", ""
    yield "100 MB of zeros", zeros, "application/json", "gzip"
    yield "cut gzip", gzip.compress(b"x" * 5000)[:-12], "text/plain", "gzip"
    yield "not gzip", b"\x1f\x8b\x08 no", "text/plain", "gzip"
    yield "unclosed tags", b"<a '" * 60_000, "text/html", ""
    yield "unclosed quotes", b"<a b=\"c='" * 30_000, "text/html", ""
    yield "deep elements", b"<div>" * 50_000, "text/html", ""
    yield "stray ends", b"<b>" * 120 + b"</i>" * 20_000, "text/html", ""
    yield "signs", b"<" * 300_000, "text/html", ""
    yield "comments", b"<!--" * 60_000, "text/html", ""
    yield "scripts", b"<script>" * 30_000, "text/html", ""
    yield "references", b"&#" + b"9" * 200_000 + b";" + b"&" * 50_000, "text/html", ""
    yield "spaces in a tag", b"<a " + b" " * 200_000 + b"=", "text/html", ""
    yield "deep xml", b"<a>" * 50_000 + b"</a>" * 50_000, "text/xml", ""
    yield "wrong xml", b"<a>&b;</a>", "text/xml", ""
    yield "many fields", b"a=1&" * 100_000, "application/x-www-form-urlencoded", ""
    yield "many lines", b"\n" * 500_000, "text/plain", ""
    yield "digits", b"1 " * 200_000, "text/plain", ""
    yield "unknown charset", b"\xff" * 1000, "text/plain; charset=zip", ""
    yield "utf-16 halves", b"\x00\xd8" * 5000 + b"\x00", "text/plain; charset=utf-16", ""
    yield "noise", rng.randbytes(200_000), "text/html", ""
    yield "zip bomb", zip_bomb, "application/zip", ""
    many = [(f"{n}.txt", b"") for n in range(5000)]
    yield "zip of many", zip_of(*many), "application/zip", ""
    inner = zip_of(("a.json", b"[" * 9000))
    for _ in range(6):
        inner = zip_of(("a.zip", inner))
    yield "zip in zip", inner, "application/zip", ""
    yield "broken zip", zip_of(("a.txt", b"x" * 900))[:60], "application/zip", ""
    yield "gzip bomb as a file", zeros, "application/gzip", ""
    yield "msgpack depth", b"\x91" * 100_000, "application/msgpack", ""
    yield "msgpack count", b"\xdd\xff\xff\xff\xff\x01", "application/msgpack", ""
    yield "cbor depth", b"\x9f" * 100_000, "application/cbor", ""
    yield "cbor count", b"\x9b" + b"\xff" * 8, "application/cbor", ""
    nested = b"\x08\x01"
    for _ in range(300):
        nested = b"\x0a" + bytes([0x80 | len(nested) & 0x7F, len(nested) >> 7]) + nested
    yield "protobuf depth", nested, "application/x-protobuf", ""
    yield "protobuf fields", b"\x08\x01" * 40_000, "application/x-protobuf", ""
    yield "many parts", b"--A\r\n\r\n" * 50_000, "multipart/mixed; boundary=A", ""
    yield "part headers", b"--A\r\n" + b"a: b\r\n" * 50_000, "multipart/mixed; boundary=A", ""
    yield "csv quotes", b'"' * 300_000, "text/csv", ""
    yield "csv cells", b"," * 50_000, "text/csv", ""
    yield "csv rows", b"a,b\n" * 20_000, "text/csv", ""
    yield "jsonp", b"a(" * 100_000, "application/javascript", ""
    yield "jsonp spaces", b"/*" + b" " * 200_000 + b"a({", "application/javascript", ""
    yield "json lines", b"[" * 1000 + b"\n" * 200_000, "application/x-ndjson", ""
    yield "records", b"\x1e" * 200_000, "application/json-seq", ""
    yield "events", b"data: {\n\n" * 8_000, "text/event-stream", ""
    yield "namespaces", namespaces(), "text/xml", ""
    yield "spaces in a page", b"<b> </b>" * 8_000, "text/html", ""
    yield "endless parameters", b"x", "text/plain" + ";a=b" * 5000, ""


CASES = list(hostile())


def judged(case: Case) -> list[Comparison]:
    """A hostile answer beside itself, a harmless one on either side, and itself said otherwise."""
    _, made, content_type, coding = case
    body = made() if callable(made) else made
    extra = (("Content-Encoding", coding),) if coding else ()
    bad = answer(body, content_type, *extra)
    # Not the same bytes, or nothing would have to be decoded.
    twin = answer(body, content_type + "; x=y", *extra)
    fine = answer('{"a": 1}', content_type)
    return [compare(*pair) for pair in ((bad, bad), (bad, fine), (fine, bad), (bad, twin))]


@pytest.mark.no_cover  # the tracer would make minutes of its seconds
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_hostile_bodies_end_in_a_verdict(case: Case) -> None:
    """Trap 36: never an exception, and symmetric."""
    results = judged(case)
    assert results[0].verdict == "match"
    one_failed = {"new_failed", "legacy_failed", "both_failed"}
    for result in results[1:]:
        assert result.verdict in {"match", "mismatch", "compare_error", *one_failed}
        assert result.reason != "internal", result.detail
        json.dumps(result.to_dict(), allow_nan=False).encode()
    assert (
        results[1].verdict == results[2].verdict or {r.verdict for r in results[1:3]} <= one_failed
    )


@pytest.mark.long
@pytest.mark.no_cover
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_hostile_bodies_are_bounded_in_memory(case: Case) -> None:
    """Trap 36."""
    tracemalloc.start()
    try:
        judged(case)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (40 if case[0] == "100 MB of zeros" else 250) * 1024 * 1024


def test_work_and_time_are_bounded() -> None:
    """Trap 36."""
    legacy, new = json_answer(list(range(5000))), json_answer(list(range(1, 5001)))
    few = compare(legacy, new, (), Context(limits=Limits(steps=1000)))
    assert (few.verdict, few.reason) == ("compare_error", "too_much_work")
    ticks = iter(range(10**6))
    slow = compare(legacy, new, (), Context(clock=lambda: next(ticks), limits=Limits(seconds=3)))
    assert (slow.verdict, slow.reason) == ("compare_error", "too_slow")


def test_the_comparer_never_throws_for_what_its_helpers_do() -> None:
    """Trap 36: whatever breaks inside is an error of this pair only."""

    def broken(path: str, value: object) -> object:
        raise KeyError(path)

    comparison = compare_json(1, 2, context=Context(redact=broken))
    assert comparison == Comparison("compare_error", reason="internal", detail="KeyError")
    assert comparison.verdict in VERDICTS
