"""From an answer to what a function returns to API Gateway, a load balancer or a function URL.

A body goes as text where its bytes are UTF-8, and as base64 otherwise: either way the same bytes
come out. Set-Cookie is never folded. What a kind of event cannot hold is said in
docs/operate/serverless.md.
"""

from __future__ import annotations

import base64
from codecs import getincrementaldecoder
from itertools import count
from json import dumps
from typing import Any

from figway.message.http import Headers
from proxy.doors.aws_lambda_event import EventKind

MAX_PAYLOAD = 6_291_556
"""Bytes of what a function may return (AWS Lambda quotas: 6 MB and a little)."""
MAX_ALB_PAYLOAD = 1_048_576
"""Bytes of what a function may return to a load balancer."""
_ENVELOPE = 512

Answer = dict[str, Any]


class TooLarge(ValueError):
    """The answer is over what the platform takes."""


def limit_of(kind: EventKind) -> int:
    """Bytes of the JSON that may be returned."""
    alb = kind in (EventKind.ALB, EventKind.ALB_MULTI)
    return MAX_ALB_PAYLOAD if alb else MAX_PAYLOAD


def room_for(kind: EventKind, headers: Headers) -> int:
    """Bytes that are left for the body, in its JSON form."""
    fields = sum([len(name) + 2 * len(value) + 8 for name, value in headers])
    return limit_of(kind) - _ENVELOPE - fields


class BodyMeter:
    """Says as early as it can be known that a body does not fit."""

    __slots__ = ("_decode", "_held", "_room", "_size", "_text")

    def __init__(self, room: int) -> None:
        self._room = room
        self._size = 0
        self._held: list[bytes] = []
        self._text = 0
        self._decode = getincrementaldecoder("utf-8")().decode

    def fits(self, data: bytes) -> bool:
        """Whether the body fits with this piece."""
        self._size += len(data)
        self._held.append(data)
        if 4 * ((self._size + 2) // 3) <= self._room:
            return True
        # Too long for base64: it goes as text, or not at all.
        pieces, self._held = self._held, []
        try:
            self._text += sum([len(dumps(self._decode(piece))) - 2 for piece in pieces])
        except UnicodeDecodeError:
            return False
        return self._text <= self._room


def build_answer(
    kind: EventKind, status: int, reason: bytes, headers: Headers, body: bytes, *, keep_length: bool
) -> Answer:
    """What to return. `keep_length` keeps Content-Length, for HEAD and 304. Raises `TooLarge`."""
    fields = [
        (name, value)
        for name, value in headers
        if keep_length or name.lower() != b"content-length"  # else the platform's own
    ]
    text, encoded = _body(body, room_for(kind, headers))
    answer: Answer = {"statusCode": status}
    if kind in (EventKind.ALB, EventKind.ALB_MULTI) and reason:
        answer["statusDescription"] = f"{status} {reason.decode('latin-1')}"
    _ADD[kind](answer, fields)
    answer["body"] = text
    answer["isBase64Encoded"] = encoded
    return answer


def prelude(status: int, headers: Headers) -> Answer:
    """The head of a streamed answer, as `application/vnd.awslambda.http-integration-response`."""
    answer: Answer = {"statusCode": status}
    _add_format_2(answer, headers)
    return answer


def _body(body: bytes, room: int) -> tuple[str, bool]:
    size = len(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        # JSON may take six bytes for one: measured only where that could matter.
        if size * 6 <= room or len(dumps(text)) - 2 <= room:
            return text, False
    if 4 * ((size + 2) // 3) > room:
        raise TooLarge
    return base64.b64encode(body).decode("ascii"), True


def _text(value: bytes) -> str:
    """A field's value; the platform writes strings as UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _grouped(headers: Headers) -> dict[str, list[str]]:
    """Values by name, under the first spelling of each."""
    spelled: dict[bytes, str] = {}
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        key = spelled.setdefault(name.lower(), name.decode("ascii"))
        fields.setdefault(key, []).append(_text(value))
    return fields


def _add_multi(answer: Answer, headers: Headers) -> None:
    answer["multiValueHeaders"] = _grouped(headers)


def _add_format_2(answer: Answer, headers: Headers) -> None:
    fields = _grouped(headers)
    cookies = [key for key in fields if key.lower() == "set-cookie"]
    if cookies:
        answer["cookies"] = fields.pop(cookies[0])
    answer["headers"] = {name: ", ".join(values) for name, values in fields.items()}


def _add_single(answer: Answer, headers: Headers) -> None:
    """One value a name: several Set-Cookie go under spellings that differ in case alone."""
    single: dict[str, str] = {}
    for name, values in _grouped(headers).items():
        if name.lower() != "set-cookie":
            single[name] = ", ".join(values)
            continue
        for number, value in zip(count(), values, strict=False):
            single[_spelling(name, number)] = value
    answer["headers"] = single


def _spelling(name: str, number: int) -> str:
    """The `number`th spelling of a name, by upper and lower case; 0 is the name itself."""
    letters = []
    for letter in name:
        if letter.isalpha():
            number, flip = divmod(number, 2)
            letter = letter.swapcase() if flip else letter
        letters.append(letter)
    return "".join(letters)


_ADD = {
    EventKind.REST: _add_multi,
    EventKind.ALB_MULTI: _add_multi,
    EventKind.ALB: _add_single,
    EventKind.HTTP: _add_format_2,
    EventKind.URL: _add_format_2,
}
