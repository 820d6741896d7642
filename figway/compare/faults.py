"""Faults: answers that say "no" in the words of their protocol, and are answers all the same.

A SOAP fault is HTTP 500 by its specification (SOAP 1.1, 6.2), a GraphQL or JSON-RPC error 200: the
status tells nothing. "Unknown booking" on both sides is agreement. What a server blames on itself
is a failure where the other side answered.

    SOAP      `Fault` in the envelope's Body; its code is `faultcode` (1.1) or `Code/Value` (1.2)
              without prefix; `Server` and `Receiver` are the server's own
    GraphQL   `errors` that are not empty; the first one's `extensions.code`; `_SERVER_CODES`
    JSON-RPC  `error`; its `code`; -32603, and -32000 to -32099
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.parsers import expat

from figway.compare.answer import Answer, Decoder, RawHeader, header_values, values_of
from figway.compare.decode import MediaType, content_codings, undo_codings
from figway.compare.formats import Family
from figway.compare.limits import CompareError, Limits
from figway.model.operations import FaultKind

_ENVELOPES = (
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://www.w3.org/2003/05/soap-envelope",
)
_BLAMED = frozenset({"Server", "Receiver"})
_SERVER_CODES = frozenset(
    {"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "INTERNAL", "UNAVAILABLE", "SERVICE_UNAVAILABLE",
     "DOWNSTREAM_SERVICE_ERROR", "TIMEOUT", "GATEWAY_TIMEOUT"}
)  # fmt: skip
_FAMILIES: Final = ("xml", "json")
_LONGEST_CODE: Final = 80
_DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `server` says that the side blames itself, and not the request."""

    kind: FaultKind
    code: str
    server: bool

    def __str__(self) -> str:
        return f"{self.kind.value} {self.code or 'fault'}"


class FaultUnread(Exception):
    """An answer could not be unpacked, so nobody knows whether it is a fault."""


def fault_of(
    answer: Answer,
    kinds: Iterable[FaultKind],
    decoders: Mapping[str, Decoder] | None = None,
    limits: Limits | None = None,
) -> Fault | None:
    """The fault that an answer is, of the protocols in `kinds`; None for an answer that is none.

    Never raises for what an answer holds: what cannot be read is no fault.
    """
    try:
        return fault_in(answer, kinds, decoders, limits)
    except FaultUnread:
        return None


def fault_in(
    answer: Answer,
    kinds: Iterable[FaultKind],
    decoders: Mapping[str, Decoder] | None = None,
    limits: Limits | None = None,
) -> Fault | None:
    """As `fault_of`. Raises `FaultUnread` for an answer of these protocols' media types whose
    content coding cannot be undone, or which is longer than the limit once it is."""
    wanted = frozenset(kinds)
    if not wanted or answer.failure is not None or answer.truncated or not answer.body:
        return None
    values = header_values(answer.headers)
    media, codings = _media(values), content_codings(values.get("content-encoding", []))
    try:
        body = undo_codings(answer.body, codings, decoders or {}, limits or Limits())
    except CompareError:
        if media.family(b"") in _FAMILIES:
            raise FaultUnread from None
        return None
    try:
        return _fault(media.family(body), body, wanted)
    except (RecursionError, ValueError, expat.ExpatError):
        return None


def says_no_fault(answer: Answer) -> bool:
    """Whether an answer is surely no fault, by a look at its bytes: none of the words in it that
    begin one. False for a packed body, which would have to be unpacked for that.
    """
    body = answer.body
    if b"Fault" in body or b'"error' in body:
        return False
    return not values_of(answer.headers, "content-encoding")


def may_be_fault(headers: Iterable[RawHeader]) -> bool:
    """Whether the media type is one that faults have."""
    return _media(header_values(headers)).family(b"") in _FAMILIES


def _media(values: Mapping[str, list[str]]) -> MediaType:
    return MediaType.parse(values.get("content-type", [""])[-1])


def _fault(family: Family, body: bytes, wanted: frozenset[FaultKind]) -> Fault | None:
    if family == "xml" and FaultKind.SOAP in wanted and b"Fault" in body:
        return _soap(body)
    return _json(body, wanted) if family == "json" else None


# -- JSON --------------------------------------------------------------------------------------


def _json(body: bytes, wanted: frozenset[FaultKind]) -> Fault | None:
    graphql = FaultKind.GRAPHQL in wanted and b'"errors"' in body
    rpc = FaultKind.JSONRPC in wanted and b'"error"' in body
    if not graphql and not rpc:
        return None
    data = json.loads(body)
    first = None
    for entry in data if isinstance(data, list) else (data,):
        if not isinstance(entry, dict):
            continue
        found = (_jsonrpc(entry) if rpc else None) or (_graphql(entry) if graphql else None)
        if found is not None and found.server:
            return found  # of a batch, what the server blames on itself counts
        first = first or found
    return first


def _graphql(message: dict[str, Any]) -> Fault | None:
    errors = message.get("errors")
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return None
    codes = [_code(error) for error in errors if isinstance(error, dict)]
    return Fault(FaultKind.GRAPHQL, codes[0], any(code in _SERVER_CODES for code in codes))


def _code(error: dict[str, Any]) -> str:
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code[:_LONGEST_CODE] if isinstance(code, str) else ""


def _jsonrpc(message: dict[str, Any]) -> Fault | None:
    error = message.get("error")
    if not isinstance(error, dict) or "message" not in error:
        return None
    if message.get("result") is not None:  # JSON-RPC 1.0 has both members, one of them null
        return None
    code = error.get("code")
    if type(code) is not int:
        return None
    return Fault(FaultKind.JSONRPC, str(code), code == -32603 or -32099 <= code <= -32000)


# -- SOAP --------------------------------------------------------------------------------------


def _soap(body: bytes) -> Fault | None:
    reader = _FaultReader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.Parse(body, True)
    if not reader.fault:
        return None
    code = reader.code.strip().rpartition(":")[2][:_LONGEST_CODE]
    return Fault(FaultKind.SOAP, code, code.partition(".")[0] in _BLAMED)


class _FaultReader:
    """Follows the elements down to the code of a fault."""

    def __init__(self) -> None:
        self.fault = False
        self.code = ""
        self._path: list[str] = []
        self._reading = False

    def start(self, name: str, _: Mapping[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise ValueError("too deep")
        for namespace in _ENVELOPES:
            top = [f"{namespace} {local}" for local in ("Envelope", "Body", "Fault")]
            if self._path[:3] == top:
                self.fault = True
                below = self._path[3:]
                coded = (["faultcode"], [f"{namespace} Code", f"{namespace} Value"])
                self._reading = below in coded and not self.code

    def end(self, _: str) -> None:
        self._path.pop()
        self._reading = False

    def text(self, data: str) -> None:
        if self._reading:
            self.code += data

    def doctype(self, *_: object) -> None:
        raise ValueError("SOAP has no document type declaration (SOAP 1.2, 5)")
