"""Which answers are compared without the way to the thread and back."""

from __future__ import annotations

import pytest

from figway.compare.answer import Answer
from figway.model.comparison import ComparisonPolicy
from figway.model.operations import FaultKind
from proxy.shadow.comparer import SHORT_BODY, SHORT_HEADS, RouteComparer

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
