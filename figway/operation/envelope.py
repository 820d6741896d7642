"""JSON in which nothing is said twice: what every reader of it takes alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from figway.operation.head import ContentType
from figway.operation.operation import MOST_OPERATIONS, Unread, UnreadReason

_JSON = frozenset({"application/json", "text/json", "application/json-rpc",
                   "application/jsonrequest"})  # fmt: skip


def is_json(media: ContentType) -> bool:
    """Whether a media type is JSON's, or of its structured syntax (RFC 6839, 3.1)."""
    return media.essence in _JSON or media.essence.endswith("+json")


def messages(body: bytes, media: ContentType, *, complete: bool) -> list[Mapping[str, Any]]:
    """The objects of a body: one, or those of an array. Raises `Unread`."""
    if not is_json(media) or not media.is_utf8:
        raise Unread(UnreadReason.MEDIA_TYPE)
    if not complete:
        raise Unread(UnreadReason.TOO_LONG)
    value = parse(body)
    found = value if isinstance(value, list) else [value]
    if not found:
        raise Unread(UnreadReason.ABSENT)
    if len(found) > MOST_OPERATIONS:
        raise Unread(UnreadReason.TOO_LONG)
    if not all(isinstance(entry, dict) for entry in found):
        raise Unread(UnreadReason.MALFORMED)
    for entry in found:
        check_method(member(entry, "_method"))
    return found


def check_method(asked: Any) -> None:
    """Raises `Unread` for a body that asks for another method than POST (`_method` of Rails,
    Laravel, Symfony): servers that go by it run another handler."""
    if asked is not None and (not isinstance(asked, str) or asked.strip().upper() != "POST"):
        raise Unread(UnreadReason.AMBIGUOUS)


def parse(body: bytes) -> Any:
    """A JSON value in UTF-8. Raises `Unread`; also for an object with a member twice, as parsers
    differ in which one they take (RFC 8259, 4)."""
    try:
        text = body.decode()
        if text.startswith("\ufeff"):
            raise Unread(UnreadReason.AMBIGUOUS)
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except Unread:
        raise
    except (ValueError, RecursionError):
        raise Unread(UnreadReason.MALFORMED) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or any("\0" in name for name in found):
        raise Unread(UnreadReason.AMBIGUOUS)  # parsers in C end a name at its first NUL
    return found


def _refused(name: str) -> Any:
    raise Unread(UnreadReason.MALFORMED)


def member(message: Mapping[str, Any], name: str) -> Any:
    """A member, or None. Raises `Unread` where another differs from it in case alone: some parsers
    take that one."""
    wanted = name.casefold()
    if any(key != name and key.casefold() == wanted for key in message):
        raise Unread(UnreadReason.AMBIGUOUS)
    return message.get(name)


def check_name(name: str) -> None:
    """Raises `Unread` for control characters and lone surrogates in a name: parsers cut it there,
    replace them, or refuse it."""
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in name):
        raise Unread(UnreadReason.AMBIGUOUS)
