"""A copy's answer, as it is taken: whole, too long, or a stream that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from figway.compare.answer import Answer
from proxy.shadow.sender import Ask, EventWindow
from proxy.wire.message import ResponseHead

TWO, THREE = b"data: 1\n\ndata: 2\n\n", b"data: 1\n\ndata: 2\n\ndata: 3\n\n"


class Left:
    """A sending that notes that it was given up."""

    aborted = 0

    def abort(self) -> None:
        self.aborted += 1


def answer(
    says: Callable[[Ask], None],
    window: EventWindow | None,
    media: bytes = b"text/event-stream",
    *more: tuple[bytes, bytes],
) -> tuple[Answer, int]:
    """What comes of an answer, and how often it was given up."""

    async def run() -> tuple[Answer, int]:
        found: list[Answer] = []
        sink, sending = Ask(60, found.append, stream=window), Left()
        sink.sending = sending  # type: ignore[assignment]
        sink.response_head(ResponseHead(200, b"OK", [(b"Content-Type", media), *more]))
        says(sink)
        (only,) = found
        return only, sending.aborted

    return asyncio.run(run())


def test_a_stream_is_left_once_it_gave_as_many_events() -> None:
    found, aborted = answer(lambda sink: sink.response_body(THREE), EventWindow(2, 0))
    assert (found.body, found.cut, found.truncated, aborted) == (THREE, True, False, 1)


def test_a_stream_that_ends_is_whole() -> None:
    def says(sink: Ask) -> None:
        sink.response_body(TWO)
        sink.response_end([])

    found, aborted = answer(says, EventWindow(0, 0))
    assert (found.body, found.cut, aborted) == (TWO, False, 0)


def test_a_stream_that_is_too_long_or_too_slow_is_left_with_what_came() -> None:
    def long(sink: Ask) -> None:
        sink.response_body(TWO)
        sink.response_body(b":" * 60)

    def slow(sink: Ask) -> None:
        sink.response_body(TWO)
        sink.expired()

    for says in (long, slow):
        found, aborted = answer(says, EventWindow(9, 0))
        assert (found.body, found.cut, found.truncated, aborted) == (TWO, True, False, 1)


def test_silence_says_something_only_after_as_long() -> None:
    for lasted_us, says_nothing in ((0, False), (60_000_000, True)):
        found, _ = answer(lambda sink: sink.expired(), EventWindow(1, lasted_us))
        assert (found.cut, found.truncated) == (True, says_nothing)


def test_what_is_no_stream_or_packed_is_given_up_as_before() -> None:
    def long(sink: Ask) -> None:
        sink.response_body(b"x" * 61)

    def slow(sink: Ask) -> None:
        sink.expired()

    packed = (b"Content-Encoding", b"gzip")
    for media, more in ((b"text/plain", ()), (b"text/event-stream", (packed,))):
        found, _ = answer(long, EventWindow(1, 0), media, *more)
        assert (found.body, found.truncated, found.cut) == (b"", True, False)
        assert answer(slow, EventWindow(1, 0), media, *more)[0].failure == "timeout"
    assert answer(slow, None)[0].failure == "timeout"
