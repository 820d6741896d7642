"""Which answers are compared without the way to the thread and back."""

from __future__ import annotations

import pytest

from figway.compare.answer import Answer
from figway.compare.verdict import MATCH, Comparison
from figway.model.comparison import ComparisonPolicy
from figway.model.operations import FaultKind
from proxy.capture.message import Captured
from proxy.shadow.comparer import SHORT_BODY, SHORT_HEADS, SHORT_JSON, RouteComparer

JSON = (b"Content-Type", b"application/json")
GZIP = (b"Content-Encoding", b"gzip")
ANY = frozenset(FaultKind)


def at_once(one: Answer, other: Answer, faults: frozenset[FaultKind] = ANY) -> bool:
    comparer = RouteComparer.make(ComparisonPolicy(), bytes(16), frozenset(), {}, faults)
    return comparer.at_once(one, other)


def answer(*headers: tuple[bytes, bytes], body: bytes = b"{}") -> Answer:
    return Answer(200, headers, body)


def test_the_same_short_body_under_the_same_labels() -> None:
    assert at_once(answer(JSON, (b"Date", b"1")), answer((b"Date", b"2"), JSON))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (answer(JSON), answer(JSON, body=b"[]")),
        (answer(JSON), answer((b"Content-Type", b"text/html"))),
        (answer(JSON, GZIP), answer(JSON)),
        (answer(JSON, (b"X", bytes(SHORT_HEADS))), answer(JSON)),
    ],
    ids=("body", "type", "coding", "heads"),
)
def test_what_differs_or_is_long_takes_the_thread(one: Answer, other: Answer) -> None:
    assert not at_once(one, other, frozenset())


@pytest.mark.parametrize(
    "one",
    [answer(JSON, GZIP), answer(GZIP), answer(JSON, body=bytes(SHORT_BODY + 1))],
    ids=("packed", "packed without a type", "long"),
)
def test_what_takes_time_to_be_searched_for_faults_takes_the_thread(one: Answer) -> None:
    assert not at_once(one, one)
    assert at_once(one, one, frozenset())


def captured() -> Captured:
    found = Captured()
    found.scheme, found.host, found.method, found.target = "http", b"shop.example", "GET", b"/a"
    return found


def now(one: Answer, other: Answer, unordered: frozenset[str] = frozenset()) -> Comparison | None:
    comparer = RouteComparer.make(ComparisonPolicy(), bytes(16), frozenset(), {}, ANY)
    found = comparer.now(captured(), one, other, unordered)
    whole = comparer.compare(captured(), one, other, unordered)
    assert found is None or found == whole, "it is what the comparison gives"
    return found


SAME = (
    answer(JSON, (b"Date", b"1"), body=b'{"a": 1}'),
    answer(JSON, body=b'{"error": {"code": 1, "message": "no"}}'),
    answer(JSON, GZIP, body=b"no gzip"),
    answer(body=b""),
    Answer(204),
    Answer(500, (JSON,), b"{}"),
    Answer(failure="timeout"),
    Answer(200, (JSON,), b"{}", truncated=True),
    Answer(200, ((b"Content-Type", b"text/event-stream"),), b"data: 1\n\n", cut=True),
)


@pytest.mark.parametrize("one", SAME, ids=range(len(SAME)))
def test_the_same_to_the_last_byte_is_what_comparing_says(one: Answer) -> None:
    now(one, Answer(one.status, one.headers, one.body, one.truncated, 7.0, one.failure, one.cut))


def test_what_differs_in_fields_that_are_not_compared_is_the_same() -> None:
    one = answer(JSON, (b"Date", b"1"), (b"Server", b"a"), body=b"{}")
    assert now(one, answer(JSON, (b"Date", b"2"), (b"Server", b"b"), body=b"{}")) is MATCH
    assert now(one, answer(JSON, (b"date", b"1"), (b"Server", b"a"), body=b"{}")) is not MATCH
    for name in (b"ETag", b"X-Own", b"Set-Cookie", b"Content-Type", b"Content-Encoding"):
        left, right = (answer(JSON, (name, value)) for value in (b"a=1", b"b"))
        assert now(left, right) is not MATCH, name


def test_fields_that_a_route_compares_as_well_are_compared() -> None:
    policy = ComparisonPolicy(headers=("date",))
    comparer = RouteComparer.make(policy, bytes(16), frozenset(), {}, ANY)
    one, other = (answer(JSON, (b"Date", value)) for value in (b"1", b"2"))
    found = comparer.now(captured(), one, other)
    assert found is not None
    assert [item.path for item in found.differences] == ["header:date"]


def test_of_head_the_length_is_compared() -> None:
    comparer = RouteComparer.make(ComparisonPolicy(), bytes(16), frozenset(), {}, ANY)
    one, other = (answer(JSON, (b"Content-Length", n), body=b"") for n in (b"1", b"2"))
    head = captured()
    head.method = "HEAD"
    found = comparer.now(head, one, other)
    assert found is not None
    assert [item.path for item in found.differences] == ["header:content-length"]


def test_short_json_is_compared_now_whether_it_differs_or_not() -> None:
    one = answer(JSON, body=b'{"a": 1, "b": [1, 2]}')
    alike = now(one, answer(JSON, (b"Date", b"2"), body=b'{"b":[1,2],"a":1}'))
    other = now(one, answer(JSON, body=b'{"b":[1,2],"a":2}'))
    assert alike is not None
    assert alike.verdict == "match"
    assert other is not None
    assert [item.path for item in other.differences] == ["$.a"]
    turned = answer(JSON, body=b'{"b": [2, 1], "a": 1}')
    ordered, loose = now(one, turned), now(one, turned, frozenset({"$.b"}))
    assert ordered is not None
    assert ordered.verdict == "mismatch"
    assert loose is not None
    assert loose.verdict == "match"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"[" + b"1," * 300 + b"1]", b"[" + b"2," * 300 + b"2]"),
        (b'["' + b"a" * SHORT_JSON + b'"]', b"[]"),
        (b"<a/>", b"<b/>"),
    ],
    ids=("many steps", "long", "no JSON"),
)
def test_what_may_take_time_takes_the_thread(one: bytes, other: bytes) -> None:
    assert now(answer(JSON, body=one), answer(JSON, body=other)) is None


def test_packed_json_takes_the_thread() -> None:
    assert now(answer(JSON, GZIP, body=b"{}"), answer(JSON, body=b"{ }")) is None
