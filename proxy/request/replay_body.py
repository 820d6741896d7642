"""The body of one request on its way to backends, and what of it is kept for a second attempt.

Pieces are handed to the attempt under way as far as its backend takes them, and are kept until they
are more than a second attempt is worth. Then they are let go at once, and for good: a second
attempt gets the whole body from its first byte, or there is none.
"""

from __future__ import annotations

from proxy.upstreams.port import Sending


class ReplayBody:
    """`complete` says that the client has sent all of it, `paused` that the backend of the present
    attempt takes no more for now, `size` how many bytes came while a second attempt was possible.
    """

    __slots__ = ("_handed", "_last", "_pieces", "complete", "paused", "size")

    def __init__(self, *, complete: bool = False) -> None:
        self._pieces: list[bytes] = []
        self._handed = 0  # of the pieces, those that the present attempt has had
        self._last = False  # no attempt follows: what was handed over is let go
        self.complete = complete
        self.paused = False
        self.size = 0

    def add(self, data: bytes) -> None:
        """A piece came; `hand_to` passes it on."""
        self._pieces.append(data)
        self.size += len(data)

    def end(self, sending: Sending | None) -> None:
        """The client has sent everything."""
        self.complete = True
        if sending is not None and self._handed == len(self._pieces):
            sending.end()

    def hand_to(self, sending: Sending, room: int) -> bool:
        """Give `sending` what it has not had, as far as it takes it.

        Whether a second attempt was forfeit just now: `sending` has had everything so far, and that
        is more than the `room` bytes that are kept.
        """
        pieces = self._pieces
        while self._handed < len(pieces) and not self.paused:
            self._handed += 1
            sending.write(pieces[self._handed - 1])
        if self.paused or self._handed < len(pieces):
            return False
        if self.complete:
            sending.end()
        if self._last:
            self._let_go()
        elif self.size > room:
            self._last = True
            self._let_go()
            return True
        return False

    def gathered(self) -> bytes:
        """All that came, before any attempt."""
        return b"".join(self._pieces)

    def rewind(self) -> bool:
        """Another attempt begins with the first byte. Whether the client had been told to pause."""
        was_paused, self.paused = self.paused, False
        self._handed = 0
        return was_paused

    def no_more_attempts(self) -> None:
        """The answer has begun: let go what its backend has had."""
        self._last = True
        del self._pieces[: self._handed]
        self._handed = 0

    def pass_on(self, data: bytes, sending: Sending) -> None:
        """A piece came that is for this backend alone; it waits behind what waits already."""
        if self.paused or self._pieces:
            self._pieces.append(data)
        else:
            sending.write(data)

    def _let_go(self) -> None:
        self._pieces.clear()
        self._handed = 0
