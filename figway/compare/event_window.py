"""What two streams of server-sent events have in common: how far both were followed.

A stream may go on for hours, so each side is followed up to a bound of bytes and time, or until its
client leaves. Of a stream that was left (`Answer.cut`) nothing is known of what would have come:
only the events that came on both sides are compared. A stream that ended by itself said all that it
had to say, so events that it lacks are missing.
"""

from __future__ import annotations

import re
from dataclasses import replace

from figway.compare.answer import Answer, header_values

_END = re.compile(rb"\r\n(?:\r\n|\n|\r(?!\n))|\n(?:\r\n|\n|\r(?!\n))|\r(?:\r\n|\r(?!\n))")
"""The end of a line, and an empty line after it (WHATWG HTML, 9.2.5)."""
_TOLD = re.compile(rb"(?:^|[\r\n])data(?:[:\r\n]|$)")


class EventCount:
    """Counts the events of a stream as its pieces come; what is not whole waits."""

    def __init__(self) -> None:
        self.events = 0
        self.end = 0
        """Bytes up to the end of the last event that is whole."""
        self._seen = 0
        self._rest = b""

    def feed(self, data: bytes, most: int = 0) -> bool:
        """Take a piece; whether `most` events have come, where that is not 0."""
        text = self._rest + data
        begin = self._seen - len(self._rest)
        self._seen += len(data)
        at = 0
        for found in _END.finditer(text):
            if found.end() == len(text) and text.endswith(b"\r"):
                break  # its line feed may come with the next piece
            if _TOLD.search(text[at : found.start()]):
                self.events += 1
                self.end = begin + found.end()
                if self.events == most:
                    return True
            at = found.end()
        self._rest = text[at:]
        return False


def count(body: bytes) -> int:
    """The events of a body."""
    found = EventCount()
    found.feed(body)
    return found.events


def first(body: bytes, events: int) -> bytes:
    """The body up to the end of so many events."""
    found = EventCount()
    found.feed(body, events)
    return body[: found.end]


def in_common(legacy: Answer, new: Answer) -> tuple[Answer, Answer]:
    """Both answers as far as they can be compared; as they are where neither was left."""
    if not (legacy.cut or new.cut):
        return legacy, new
    if not (is_followed(legacy) and is_followed(new)):
        return legacy, new  # another type, or packed: told as such
    here, there = count(legacy.body), count(new.body)
    if not min(here, there):
        return legacy, new
    return _shortened(legacy, here, new, there), _shortened(new, there, legacy, here)


def _shortened(one: Answer, events: int, other: Answer, others: int) -> Answer:
    """`one` without what came after the other was left."""
    if other.cut and events > others:
        return replace(one, body=first(one.body, others))
    return one


def is_followed(answer: Answer) -> bool:
    """Whether an answer is a stream of events that can be read as its pieces come."""
    values = header_values(answer.headers)
    media = values.get("content-type", [""])[-1].partition(";")[0].strip().lower()
    coding = values.get("content-encoding", ["identity"])[-1].strip().lower()
    return media == "text/event-stream" and coding in ("", "identity")
