"""SOAP 1.1 and 1.2 in and out, as legacy's service speaks it.

Sources: SOAP 1.1 sections 4 and 6.2; SOAP 1.2 part 1 section 5, part 2 section 7.5.2.2.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from new_services.functions.vendor.http import ApiError, Request, Response

NAMESPACE = "urn:wayfarer:booking"
_11 = "http://schemas.xmlsoap.org/soap/envelope/"
_12 = "http://www.w3.org/2003/05/soap-envelope"
_TYPES = {_11: "text/xml; charset=utf-8", _12: "application/soap+xml; charset=utf-8"}
_DEEPEST = 32


class ServerFault(Exception):
    """A failure of the service itself."""


class _Refused(Exception):
    """No call that can be read."""


@dataclass
class _Element:
    name: str
    children: list[_Element] = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True)
class Call:
    """One operation, its arguments by name, and the version that it came in."""

    version: str
    operation: str
    arguments: dict[str, str]


def element(name: str, content: str | Iterable[str] = "", **attributes: str) -> str:
    """An element as text, around text to escape or elements that are text already."""
    pairs = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    inner = html.escape(content, quote=False) if isinstance(content, str) else "".join(content)
    return f"<{name}{pairs}>{inner}</{name}>" if inner else f"<{name}{pairs}/>"


def answer(request: Request, operation: str, work: Callable[[Call], list[str]]) -> Response:
    """Answer a call of `operation` by `work`, which gives the content of the response."""
    version = _11 if "soap+xml" not in request.headers.get("content-type", "") else _12
    try:
        call = _read(request.body)
        version = call.version
        if call.operation != operation:
            raise ApiError(400, "unknown_operation", f"There is no operation {call.operation}.")
        content = element(f"{operation}Response", work(call), xmlns=NAMESPACE)
    except _Refused as error:
        return _fault(version, ApiError(400, "invalid", f"The request is {error}."))
    except ApiError as error:
        return _fault(version, error)
    except ServerFault as error:
        return _fault(version, ApiError(500, "server", str(error)), ours=True)
    return Response(200, _envelope(version, content), _TYPES[version])


def _read(body: bytes) -> Call:
    root = _tree(body)
    version = root.name.rpartition("}")[0]
    if version not in _TYPES or not root.name.endswith("}Envelope"):
        raise _Refused("no envelope of SOAP 1.1 or 1.2")
    inside = next((c for c in root.children if c.name == f"{version}}}Body"), None)
    if inside is None or not inside.children:
        raise ApiError(400, "invalid", "The envelope has no operation in its body.")
    asked = inside.children[0]
    namespace, _, operation = asked.name.rpartition("}")
    if namespace != NAMESPACE:
        raise ApiError(400, "unknown_operation", f"There is no operation {operation}.")
    arguments = {c.name.rpartition("}")[2]: c.text.strip() for c in asked.children}
    return Call(version, operation, arguments)


def _tree(body: bytes) -> _Element:
    top = _Element("")
    line = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(line) > _DEEPEST:
            raise _Refused("too deep")
        child = _Element(name)
        line[-1].children.append(child)
        line.append(child)

    def data(text: str) -> None:
        line[-1].text += text

    def doctype(*_: Any) -> None:
        raise _Refused("XML with a document type")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler, parser.CharacterDataHandler = start, data
    parser.EndElementHandler = lambda name: line.pop() and None
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise _Refused(f"not well-formed: {error}") from error
    return top.children[0]


def _envelope(version: str, content: str) -> str:
    whole = element("soap:Envelope", [element("soap:Body", [content])], **{"xmlns:soap": version})
    return f'<?xml version="1.0" encoding="utf-8"?>\n{whole}'


def _fault(version: str, error: ApiError, *, ours: bool = False) -> Response:
    pairs = [element("Code", error.code), *([element("Field", error.field)] if error.field else [])]
    problem = element("Problem", pairs, xmlns=NAMESPACE)
    if version == _11:
        code = element("faultcode", "soap:Server" if ours else "soap:Client")
        content = [code, element("faultstring", error.message), element("detail", [problem])]
        return _as_fault(version, content, 500)
    value = element("soap:Value", "soap:Receiver" if ours else "soap:Sender")
    reason = element("soap:Text", error.message, **{"xml:lang": "en"})
    content = [element("soap:Code", [value]), element("soap:Reason", [reason])]
    return _as_fault(version, [*content, element("soap:Detail", [problem])], 500 if ours else 400)


def _as_fault(version: str, content: list[str], status: int) -> Response:
    return Response(status, _envelope(version, element("soap:Fault", content)), _TYPES[version])
