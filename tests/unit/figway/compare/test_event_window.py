"""Streams of events that never end: what came on both sides is compared, and nothing beyond it."""

from __future__ import annotations

import random
from typing import cast

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.canonical.lines import parse_events
from figway.compare.event_window import EventCount, count, first, is_followed
from figway.compare.verdict import compare

TYPE = (b"Content-Type", b"text/event-stream; charset=utf-8")
ENDS = ("\n", "\r\n", "\r")


def events(*data: object, end: str = "\n") -> bytes:
    return "".join(f"data: {one}{end}{end}" for one in data).encode()


def stream(body: bytes, *, cut: bool = False, truncated: bool = False) -> Answer:
    return Answer(200, (TYPE,), body, truncated=truncated, cut=cut)


def differing(legacy: Answer, new: Answer) -> list[str]:
    return [one.field for one in compare(legacy, new, (), Context()).differences]


LEFT, ENDED = True, False
CASES = {
    "both left, new further": ((1, 2), LEFT, (1, 2, 3), LEFT, []),
    "both left, legacy further": ((1, 2, 3), LEFT, (1, 2), LEFT, []),
    "another event among those in common": ((1, 2, 3), LEFT, (1, 9), LEFT, ["$[*].data|changed"]),
    "new ended early": ((1, 2, 3), LEFT, (1, 2), ENDED, ["$[*]|missing"]),
    "new ended later": ((1, 2), LEFT, (1, 2, 3), ENDED, []),
    "legacy ended, new goes on": ((1, 2), ENDED, (1, 2, 3), LEFT, ["$[*]|added"]),
    "legacy ended, new was slow": ((1, 2, 3), ENDED, (1, 2), LEFT, []),
    "new never says anything": ((1, 2), LEFT, (), LEFT, ["$[*]|missing", "$[*]|missing"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_both_sides_gave_is_compared(name: str) -> None:
    here, left, there, left_too, fields = CASES[name]
    legacy, new = stream(events(*here), cut=left), stream(events(*there), cut=left_too)
    assert sorted(set(differing(legacy, new))) == sorted(set(fields))


def test_half_an_event_is_none() -> None:
    legacy = stream(events(1) + b'data: {"a": ', cut=True)
    assert differing(legacy, stream(events(1, 2), cut=True)) == []


def test_a_stream_that_was_left_before_it_could_say_anything_is_not_rated() -> None:
    silent = stream(b": hello\n\n", cut=True, truncated=True)
    found = compare(stream(events(1), cut=True), silent, (), Context())
    assert (found.verdict, found.reason) == ("skipped", "event_stream")


def test_a_packed_stream_is_not_followed() -> None:
    packed = Answer(200, (TYPE, (b"Content-Encoding", b"gzip")), b"")
    assert not is_followed(packed)
    assert is_followed(stream(b""))
    assert not is_followed(Answer(200, ((b"Content-Type", b"text/event-streams"),), b""))


@pytest.mark.parametrize("seed", range(300))
def test_events_are_counted_as_they_are_read_however_they_come(seed: int) -> None:
    """However a stream is cut into pieces, and whatever stands between its events."""
    chance = random.Random(seed)
    end = chance.choice(ENDS)
    lines = chance.choices(
        [
            "data: 1",
            "data",
            ": ping",
            "id: 7",
            "event: x",
            "",
            "",
            "datas: 1",
            "data:{",
            " data: 1",
        ],
        k=chance.randint(1, 40),
    )
    body = "".join(line + end for line in lines).encode() + b"data: half"
    found, at = EventCount(), 0
    while at < len(body):
        step = chance.randint(1, 6)
        found.feed(body[at : at + step])
        at += step
    read = cast("list[object]", parse_events(body.decode()))
    assert found.events == count(body) == len(read), body
    if read:
        number = chance.randint(1, len(read))
        assert parse_events(first(body, number).decode()) == read[:number]
