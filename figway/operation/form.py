"""Forms: the value of one field, urlencoded or multipart (RFC 7578)."""

from __future__ import annotations

import re

from figway.message.http import RequestHead
from figway.model.operations import OperationKind
from figway.operation.envelope import check_method, check_name
from figway.operation.form_names import FieldNames
from figway.operation.head import ContentType, check_coding, media_type
from figway.operation.multipart import Part, parts
from figway.operation.operation import Operation, Unread, UnreadReason

_LONGEST = 1_024
_METHOD = "_method"
_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def read(head: RequestHead, body: bytes, field: str, *, complete: bool) -> tuple[Operation, ...]:
    """The operation that `field` names. Raises `Unread`.

    The field must stand there once, in the body alone: frameworks differ in whether the first, the
    last or the one of the URL counts. So a body that is not there whole is unread, an upload with
    the field before its file likewise: the field may come again behind what is kept.
    """
    check_coding(head)
    media = media_type(head.get(b"content-type"))
    names = FieldNames(field)
    values = _values(body, media, names, complete=complete)
    if field != _METHOD:
        for asked in _values(body, media, FieldNames(_METHOD), complete=complete):
            check_method(asked)
    if names.pairs(head.query) or _in_cookies(head, names):
        raise Unread(UnreadReason.AMBIGUOUS)
    if not values:
        raise Unread(UnreadReason.ABSENT)
    [value, *others] = values
    if others or ";" in value or value != value.strip():
        raise Unread(UnreadReason.AMBIGUOUS)
    check_name(value)
    if len(value) > _LONGEST:
        raise Unread(UnreadReason.TOO_LONG)
    return (Operation(OperationKind.FORM, value, field=field),)


def _in_cookies(head: RequestHead, names: FieldNames) -> bool:
    """Whether a cookie has the field's name: PHP's `$_REQUEST` may take it in place of the form."""
    pairs = (head.get(b"cookie") or b"").split(b";")
    return any(names.has(pair.partition(b"=")[0].strip().decode("latin-1")) for pair in pairs)


def _values(body: bytes, media: ContentType, names: FieldNames, *, complete: bool) -> list[str]:
    if media.essence not in (_URLENCODED, _MULTIPART):
        raise Unread(UnreadReason.MEDIA_TYPE)
    if not complete:
        raise Unread(UnreadReason.TOO_LONG)
    if media.essence == _MULTIPART:
        return _values_of_parts(body, media, names)
    if not media.is_utf8:
        raise Unread(UnreadReason.MEDIA_TYPE)
    return [value for _, value in names.pairs(body)]


def _values_of_parts(body: bytes, media: ContentType, names: FieldNames) -> list[str]:
    if not media.is_utf8:
        raise Unread(UnreadReason.MEDIA_TYPE)
    found = []
    for part in parts(body, media, complete=True):
        disposition = _disposition(part)
        if _is_nested(part):
            raise Unread(UnreadReason.AMBIGUOUS)  # some readers find fields within it
        if not names.has(_name(disposition)):
            continue
        if not part.whole:
            raise Unread(UnreadReason.MALFORMED)
        if "filename" in disposition.parameters or "filename*" in disposition.parameters:
            raise Unread(UnreadReason.AMBIGUOUS)
        if part.headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN:
            raise Unread(UnreadReason.MEDIA_TYPE)
        if not media_type(part.headers.get("content-type", "").encode("latin-1")).is_utf8:
            raise Unread(UnreadReason.MEDIA_TYPE)
        found.append(_text(part.body))
    return found


def _is_nested(part: Part) -> bool:
    """Whether a part has parts of its own (RFC 2388, 4.2)."""
    return "multipart/" in part.headers.get("content-type", "").lower()


_PLAIN = frozenset({"binary", "8bit", "7bit"})
_OF_A_PART = frozenset({"name", "filename", "filename*"})
_HIDDEN = re.compile(r"(?:^|[;\s\"'])name\s*=.*(?:[;\s\"'])name\s*=", re.I | re.S).search
"""`name=` twice, be it inside a quoted string."""


def _disposition(part: Part) -> ContentType:
    """What a part is (RFC 7578, 4.2). Raises `Unread` for a backslash, which is taken as it stands
    or as an escape, and for parameters that one split at semicolons would find within another."""
    raw = part.headers.get("content-disposition", "")
    found = media_type(raw.encode("latin-1"))
    if found.essence != "form-data" or "name" not in found.parameters:
        raise Unread(UnreadReason.MALFORMED)
    if "\\" in raw or not found.parameters.keys() <= _OF_A_PART or _HIDDEN(raw):
        raise Unread(UnreadReason.AMBIGUOUS)
    return found


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
