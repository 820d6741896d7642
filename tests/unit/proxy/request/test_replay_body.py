"""What is kept of a request's body for a second attempt, and when that is forfeit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.request.replay_body import ReplayBody

ROOM = 10


class Backend:
    """A `Sending` that writes down what it is given, and pauses the body after some pieces."""

    def __init__(self, body: ReplayBody, pause_after: int = 99) -> None:
        self.body = body
        self.pause_after = pause_after
        self.got: list[bytes] = []
        self.ends = 0

    def write(self, data: bytes) -> None:
        self.got.append(data)
        self.body.paused = len(self.got) >= self.pause_after

    def end(self) -> None:
        self.ends += 1

    def pause(self) -> None: ...

    resume = abort = pause


def add(body: ReplayBody, sending: Backend, *pieces: bytes) -> list[bool]:
    """Pieces as the flow passes them on; whether each made a second attempt impossible."""
    forfeits = []
    for piece in pieces:
        body.add(piece)
        forfeits.append(body.hand_to(sending, ROOM))
    return forfeits


def test_a_second_attempt_gets_the_body_from_its_first_byte() -> None:
    body = ReplayBody()
    first = Backend(body)
    assert add(body, first, b"one", b"two") == [False, False]
    body.end(first)
    second = Backend(body)
    assert not body.rewind()
    assert not body.hand_to(second, ROOM)
    assert first.got == second.got == [b"one", b"two"]
    assert first.ends == second.ends == 1


def test_over_the_room_it_is_forfeit_once_and_flows_on() -> None:
    body = ReplayBody()
    first = Backend(body)
    assert add(body, first, b"12345", b"123456", b"7", b"8") == [False, True, False, False]
    assert first.got == [b"12345", b"123456", b"7", b"8"]


def test_nothing_is_forfeit_while_the_backend_has_not_had_it() -> None:
    """A backend that takes nothing has seen nothing: another one may still have all of it."""
    body = ReplayBody()
    first = Backend(body, pause_after=1)
    assert add(body, first, b"12345", b"123456", b"7") == [False, False, False]
    assert first.got == [b"12345"]
    assert body.rewind()  # the client was told to pause
    second = Backend(body)
    assert body.hand_to(second, ROOM)
    assert second.got == [b"12345", b"123456", b"7"]


def test_the_end_waits_for_the_last_piece() -> None:
    body = ReplayBody()
    sending = Backend(body, pause_after=1)
    add(body, sending, b"a", b"b")
    body.end(sending)
    assert sending.ends == 0
    body.paused, sending.pause_after = False, 99
    body.hand_to(sending, ROOM)
    assert (sending.got, sending.ends) == ([b"a", b"b"], 1)


def test_an_end_before_there_is_an_attempt_is_told_later() -> None:
    body = ReplayBody()
    body.add(b"a")
    body.end(None)
    sending = Backend(body)
    body.hand_to(sending, ROOM)
    assert (sending.got, sending.ends) == ([b"a"], 1)


def test_after_the_answer_began_pieces_keep_their_order_and_nothing_is_kept() -> None:
    body = ReplayBody()
    sending = Backend(body, pause_after=1)
    add(body, sending, b"a", b"b")
    body.no_more_attempts()
    body.pass_on(b"c", sending)  # waits behind b
    assert sending.got == [b"a"]
    body.paused, sending.pause_after = False, 99
    assert not body.hand_to(sending, ROOM)
    body.pass_on(b"d", sending)
    assert sending.got == [b"a", b"b", b"c", b"d"]
    body.rewind()
    late = Backend(body)
    body.hand_to(late, ROOM)
    assert late.got == []


@given(
    st.lists(st.binary(min_size=1, max_size=6), max_size=12),
    st.integers(1, 13),
    st.integers(0, 12),
)
def test_no_byte_is_lost_or_doubled(pieces: list[bytes], pause_after: int, change_at: int) -> None:
    """Whatever pauses when: who serves has had every byte once, or a second attempt was forfeit."""
    body = ReplayBody()
    first = Backend(body, pause_after)
    forfeit = any(add(body, first, *pieces[:change_at]))
    sending = first
    if not forfeit:
        body.rewind()
        sending = Backend(body)
        body.hand_to(sending, ROOM)
    body.paused, sending.pause_after = False, 99
    add(body, sending, *pieces[change_at:])
    body.end(sending)
    body.hand_to(sending, ROOM)
    assert b"".join(sending.got) == b"".join(pieces)
