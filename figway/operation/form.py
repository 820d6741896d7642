"""Forms: the value of one field, urlencoded or multipart (RFC 7578)."""

from __future__ import annotations

from figway.message.http import RequestHead
from figway.model.operations import OperationKind
from figway.operation.head import ContentType, check_coding, media_type, pairs_of
from figway.operation.multipart import parts
from figway.operation.operation import Operation, Unread, UnreadReason

_LONGEST = 1_024


def read(head: RequestHead, body: bytes, field: str, *, complete: bool) -> tuple[Operation, ...]:
    """The operation that `field` names. Raises `Unread`.

    The field must stand there once, in the body alone: frameworks differ in whether the first, the
    last or the one of the URL counts.
    """
    check_coding(head)
    media = media_type(head.get(b"content-type"))
    values = _values(body, media, field, complete=complete)
    values += _values_of_pairs(pairs_of(head.query), field)
    if not values:
        raise Unread(UnreadReason.ABSENT if complete else UnreadReason.TOO_LONG)
    [value, *others] = values
    if others or ";" in value or "\0" in value:
        raise Unread(UnreadReason.AMBIGUOUS)
    if len(value) > _LONGEST:
        raise Unread(UnreadReason.TOO_LONG)
    return (Operation(OperationKind.FORM, value, field=field),)


def _values(body: bytes, media: ContentType, field: str, *, complete: bool) -> list[str]:
    if media.essence == "application/x-www-form-urlencoded":
        if not complete:
            raise Unread(UnreadReason.TOO_LONG)
        if not media.is_utf8:
            raise Unread(UnreadReason.MEDIA_TYPE)
        return _values_of_pairs(pairs_of(body), field)
    if media.essence == "multipart/form-data":
        return _values_of_parts(body, media, field, complete=complete)
    raise Unread(UnreadReason.MEDIA_TYPE)


def _values_of_pairs(pairs: list[tuple[str, str]], field: str) -> list[str]:
    return [value for name, value in pairs if _is(name, field)]


def _is(name: str, field: str) -> bool:
    """Whether a name is the field's. Raises `Unread` for one that some frameworks take for it."""
    if name == field:
        return True
    if name.strip() == field or name.startswith(f"{field}[") or name.split(";")[-1] == field:
        raise Unread(UnreadReason.AMBIGUOUS)
    return False


def _values_of_parts(body: bytes, media: ContentType, field: str, *, complete: bool) -> list[str]:
    found = []
    for part in parts(body, media):
        disposition = media_type(part.headers.get("content-disposition", "").encode("latin-1"))
        if disposition.essence != "form-data" or "name*" in disposition.parameters:
            raise Unread(UnreadReason.MALFORMED)
        if not _is(_name(disposition), field):
            continue
        if not part.whole:
            raise Unread(UnreadReason.MALFORMED if complete else UnreadReason.TOO_LONG)
        if "filename" in disposition.parameters or "filename*" in disposition.parameters:
            raise Unread(UnreadReason.AMBIGUOUS)
        if part.headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN:
            raise Unread(UnreadReason.MEDIA_TYPE)
        found.append(_text(part.body))
    return found


_PLAIN = frozenset({"binary", "8bit", "7bit"})


def _name(disposition: ContentType) -> str:
    name = disposition.parameters.get("name", "")
    try:
        return name.encode("latin-1").decode()
    except UnicodeDecodeError:
        return name


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Unread(UnreadReason.MALFORMED) from None
