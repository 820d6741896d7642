"""SOAP envelopes, 1.1 and 1.2: which operation a request asks for, and how it is answered.

Sources: SOAP 1.1 (W3C note, sections 4, 6.2), SOAP 1.2 part 1 section 5, part 2 section 7.5.2.2
(a Sender fault is 400, every other one 500; in SOAP 1.1 every fault is 500), MTOM and XOP (W3C).
The first child of the body names the operation; SOAPAction and `action` are not believed.
"""

from __future__ import annotations

import email
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.policy import HTTP

from legacy_stub.operations.xml import Element, XmlError, element, read

NAMESPACE = "urn:wayfarer:booking"
_SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
_SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of SOAP, as far as the wire differs."""

    name: str
    namespace: str
    media_type: str

    @property
    def content_type(self) -> str:
        """Of an answer without attachments."""
        return f"{self.media_type}; charset=utf-8"


V11 = Version("1.1", _SOAP_11, "text/xml")
V12 = Version("1.2", _SOAP_12, "application/soap+xml")
_BY_NAMESPACE = {version.namespace: version for version in (V11, V12)}


class SoapFault(Exception):
    """A fault; `sender`: the request was wrong (Client, Sender), else we are (Server, Receiver)."""

    def __init__(
        self, message: str, *, sender: bool = True, code: str = "invalid", field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sender = sender
        self.code = code
        self.field = field


class VersionMismatch(Exception):
    """The root is an envelope of no version that is known."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read: its version, and the body's first child."""

    version: Version
    operation: Element


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part beside the envelope. `cid` is what `xop:Include` refers to."""

    cid: str
    media_type: str
    content: bytes


def called(content_type: str, body: bytes) -> Call:
    """What a request asks for. Raises `SoapFault` or `VersionMismatch`."""
    try:
        root = read(_root_part(content_type, body))
    except XmlError as error:
        raise SoapFault(f"The request is {error}.") from error
    namespace = root.name[1:].partition("}")[0]
    version = _BY_NAMESPACE.get(namespace)
    if version is None or root.local != "Envelope":
        raise VersionMismatch
    inside = root.first(f"{{{namespace}}}Body")
    if inside is None or not inside.children:
        raise SoapFault("The envelope has no operation in its body.")
    return Call(version, inside.children[0])


def version_of(content_type: str) -> Version:
    """The version by the media type alone, for what could not be read."""
    return V12 if "application/soap+xml" in content_type.lower() else V11


def _root_part(content_type: str, body: bytes) -> bytes:
    """The envelope: the whole body, or the start part of an MTOM package."""
    if not content_type.lower().startswith("multipart/related"):
        return body
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    package = email.message_from_bytes(head + body, policy=HTTP)
    parts = [part for part in package.walk() if not part.is_multipart()]
    start = package.get_param("start")
    found = next((part for part in parts if start and part["content-id"] == start), None)
    chosen = found or (parts[0] if parts else None)
    return b"" if chosen is None else _content(chosen)


def _content(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def envelope(version: Version, content: Iterable[str]) -> bytes:
    """An envelope around what is text already."""
    inside = element("soap:Body", content)
    whole = element("soap:Envelope", [inside], {"xmlns:soap": version.namespace})
    return f'<?xml version="1.0" encoding="utf-8"?>\n{whole}'.encode()


def fault(version: Version, error: SoapFault) -> tuple[int, bytes]:
    """The status and the envelope of a fault."""
    if version is V11:
        code = "soap:Client" if error.sender else "soap:Server"
        described = [element("faultcode", code), element("faultstring", error.message)]
        return 500, _enveloped(version, [*described, element("detail", [_detail(error)])])
    code = element("soap:Value", "soap:Sender" if error.sender else "soap:Receiver")
    reason = element("soap:Text", error.message, {"xml:lang": "en"})
    described = [element("soap:Code", [code]), element("soap:Reason", [reason])]
    detail = element("soap:Detail", [_detail(error)])
    return 400 if error.sender else 500, _enveloped(version, [*described, detail])


def _enveloped(version: Version, described: Iterable[str]) -> bytes:
    return envelope(version, [element("soap:Fault", described)])


def _detail(error: SoapFault) -> str:
    pairs = [element("Code", error.code), *([element("Field", error.field)] if error.field else [])]
    return element("Problem", pairs, {"xmlns": NAMESPACE})


def mismatch() -> bytes:
    """The answer to an unknown envelope: in SOAP 1.1 (SOAP 1.2 part 1, appendix A)."""
    code = element("faultcode", "soap:VersionMismatch")
    return _enveloped(V11, [code, element("faultstring", "SOAP 1.1 and 1.2 are spoken here.")])


def package(version: Version, root: bytes, parts: Iterable[Attachment]) -> tuple[str, bytes]:
    """An MTOM package: its content type and its bytes."""
    boundary, start = f"wayfarer-{uuid.uuid4().hex}", "<envelope@wayfarer>"
    kind = f'application/xop+xml; charset=utf-8; type="{version.media_type}"'
    pieces = [_piece(boundary, kind, start, root)]
    pieces += [_piece(boundary, a.media_type, f"<{a.cid}>", a.content) for a in parts]
    content_type = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; '
        f'start="{start}"; start-info="{version.media_type}"'
    )
    return content_type, b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _piece(boundary: str, content_type: str, cid: str, content: bytes) -> bytes:
    head = (
        f"--{boundary}\r\nContent-Type: {content_type}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: {cid}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"
