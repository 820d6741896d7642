"""SOAP 1.1 and 1.2: the first child of the envelope's body.

The head's action is advice, and often absent or wrong; what a server executes is in the body. Expat
reads the first 64 KiB and no more, without a document type declaration, and so without entities. Of
a longer envelope the first child decides all the same: what stands behind it names no operation
(SOAP 1.1, 4.3; WS-I Basic Profile 1.1, R9981).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes
from xml.parsers import expat

from figway.message.http import RequestHead
from figway.model.operations import OperationKind
from figway.operation.head import ContentType, check_coding, media_type
from figway.operation.multipart import parts
from figway.operation.operation import Operation, Unread, UnreadReason

WINDOW: Final = 65_536
"""Bytes of an envelope that are read."""
_ENVELOPES = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)
_DEEPEST = 64
_XML = frozenset({"text/xml", "application/xml", "application/soap+xml", "application/xop+xml"})
_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252"})
"""Those in which ASCII is ASCII."""
_ROOT = "http://schemas.xmlsoap.org/soap/encoding/}root"


def read(head: RequestHead, body: bytes, *, complete: bool) -> tuple[Operation, ...]:
    """The operation of a request. Raises `Unread`."""
    check_coding(head)
    media = media_type(head.get(b"content-type"))
    if media.essence == "multipart/related":
        media, body, complete = _root(body, media, complete=complete)
    if media.essence not in _XML:
        raise Unread(UnreadReason.MEDIA_TYPE)
    charset = media.parameters.get("charset", "").lower()
    if charset not in _CHARSETS or b"\0" in body[:WINDOW]:
        raise Unread(UnreadReason.MEDIA_TYPE)
    envelope = _Envelope()
    name = envelope.read(body, complete=complete)
    if not name.isascii() and {charset, envelope.encoding} - {"", "utf-8", "utf8"}:
        raise Unread(UnreadReason.AMBIGUOUS)
    return (Operation(OperationKind.SOAP, name),)


def _root(body: bytes, media: ContentType, *, complete: bool) -> tuple[ContentType, bytes, bool]:
    """The root part of an MTOM message (RFC 2387, 3.2): what `start` names, or the first."""
    start = media.parameters.get("start", "")
    named = [_content_id(found) for found in _CONTENT_ID(body)]
    if start and named.count(_content_id(start.encode("latin-1"))) > 1:
        raise Unread(UnreadReason.AMBIGUOUS)
    for part in parts(body, media, complete=complete):
        if start and part.headers.get("content-id", "") != start:
            continue
        if part.headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN:
            raise Unread(UnreadReason.MEDIA_TYPE)
        if complete and not part.whole:
            raise Unread(UnreadReason.MALFORMED)
        own = media_type(part.headers.get("content-type", "").encode("latin-1"))
        return own, part.body, part.whole
    raise Unread(UnreadReason.ABSENT if complete else UnreadReason.TOO_LONG)


_CONTENT_ID = re.compile(rb"(?i)\ncontent-id[ \t]*:([^\r\n]*)").findall


def _content_id(value: bytes) -> bytes:
    """An id without what some readers leave out: brackets, quotes, escapes, case."""
    return unquote_to_bytes(value.strip()).strip(b"<>\"' \t").lower()


_PLAIN = frozenset({"binary", "8bit", "7bit"})


class _Envelope:
    """Follows the elements of one envelope."""

    def __init__(self) -> None:
        self._depth = 0
        self._namespace = ""
        self._in_body = False
        self._bodies = 0
        self._name = ""
        self.encoding = ""
        self._parser = parser = expat.ParserCreate(namespace_separator="}")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.XmlDeclHandler = self._declaration
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read(self, body: bytes, *, complete: bool) -> str:
        """The name of the first child of Body. Raises `Unread`."""
        whole = complete and len(body) <= WINDOW
        try:
            self._parser.Parse(body[:WINDOW], whole)
        except expat.ExpatError:
            raise Unread(UnreadReason.MALFORMED) from None
        if not self._name:
            raise Unread(UnreadReason.ABSENT if whole else UnreadReason.TOO_LONG)
        return self._name

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        namespace, _, local = name.rpartition("}")
        if self._depth > _DEEPEST:
            raise Unread(UnreadReason.TOO_LONG)
        if self._depth == 1:
            if local != "Envelope" or namespace not in _ENVELOPES:
                raise Unread(UnreadReason.MALFORMED)
            self._namespace = namespace
        elif self._depth == 2:
            self._in_body = namespace == self._namespace and local == "Body"
            self._bodies += local == "Body"  # some readers look at local names alone
            if self._bodies > 1:
                raise Unread(UnreadReason.AMBIGUOUS)
        elif self._depth == 3 and self._in_body:
            self._child(f"{{{namespace}}}{local}" if namespace else local, attributes)

    def _child(self, name: str, attributes: dict[str, str]) -> None:
        """A child of Body: the operation, or after it what references refer to (SOAP 1.1, 5.1)."""
        if self._name:
            if "id" not in attributes:
                raise Unread(UnreadReason.AMBIGUOUS)
            return
        if attributes.get(_ROOT, "1").strip() not in ("1", "true"):
            raise Unread(UnreadReason.AMBIGUOUS)
        self._name = name

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _declaration(self, version: str, encoding: str | None, _: int) -> None:
        self.encoding = (encoding or "").lower()
        if self.encoding not in _CHARSETS:
            raise Unread(UnreadReason.MEDIA_TYPE)
        if version != "1.0":  # expat takes what other parsers refuse
            raise Unread(UnreadReason.MALFORMED)

    def _doctype(self, *_: object) -> None:
        raise Unread(UnreadReason.MALFORMED)


def action(head: RequestHead) -> str:
    """The action that the head names: `action` of the media type (SOAP 1.2, RFC 3902), or the field
    SOAPAction (SOAP 1.1, 6.1.1). Empty for none, and where both differ."""
    try:
        named = media_type(head.get(b"content-type")).parameters.get("action", "")
    except Unread:
        return ""
    field = (head.get(b"soapaction") or b"").decode("latin-1").strip().strip('"')
    if named and field and named != field:
        return ""
    return named or field
