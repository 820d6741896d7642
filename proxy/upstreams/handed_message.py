"""What is handed on of a request: the message of a queue, the event of a bus, and their id.

The id is the client's Idempotency-Key where it sends one, so that a repeated request means the same
message; else random. Authorization and Cookie stay behind, unless the backend says otherwise: a
message is stored where a request is not.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import orjson

from figway.message.http import Headers
from figway.model.backend import AwsResource
from proxy.upstreams.lambda_event import FunctionAnswer, event_body, event_headers
from proxy.wire.message import OutboundRequest, RequestPlace

_CREDENTIALS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}").fullmatch
_PLAIN_GROUP: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}").fullmatch
_VARIABLE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_NOT_IN_SQS: Final = re.compile("[\ufffe\uffff]").search
_QUOTED: Final = re.compile(rb'"(?:\\.|[^"\\])*"')
_NOWHERE: Final = RequestPlace("", {}, b"")


class Handed:
    """One request to be handed on. `id` names it, `keyed` says that its client chose the id;
    `digest` is that of the message, where the service tells what it took."""

    __slots__ = ("aws", "digest", "id", "keyed", "place", "request")

    def __init__(self, request: OutboundRequest, aws: AwsResource) -> None:
        self.request = request
        self.aws = aws
        self.digest = ""
        self.place = request.place or _NOWHERE
        key = first(request.headers, b"idempotency-key").strip('"')
        self.keyed = bool(key)
        self.id = short(key, _PLAIN_ID) if key else secrets.token_hex(16)

    @property
    def wants_async(self) -> bool:
        """Whether the client prefers not to wait (RFC 7240, 4.1)."""
        for name, value in self.request.headers:
            if name.lower() == b"prefer":
                preferences = re.split(rb"[,;]", _QUOTED.sub(b'""', value.lower()))
                if any(part.strip() == b"respond-async" for part in preferences):
                    return True
        return False

    def kept_headers(self) -> Headers:
        """The header section that is handed on."""
        headers = self.request.headers
        if self.aws.with_credentials:
            return headers
        return [pair for pair in headers if pair[0].lower() not in _CREDENTIALS]

    def message(self, body: bytes) -> str:
        """The message as JSON."""
        request = self.request
        headers, cookies = event_headers(self.kept_headers())
        data: dict[str, object] = {
            "id": self.id,
            "route": self.place.route,
            "method": request.method,
            "target": _ascii(request.target),
            "variables": {name: _ascii(value) for name, value in self.place.variables.items()},
            "headers": headers,
        }
        if cookies:
            data["cookies"] = cookies
        if request.has_body:
            text, encoded = event_body(headers, body)
            if not encoded and _NOT_IN_SQS(text) is not None:
                text, encoded = base64.b64encode(body).decode("ascii"), True
            data |= {"body": text, "isBase64Encoded": encoded}
        return orjson.dumps(data).decode()

    def group(self) -> str:
        """What the message is kept in order with. The sticky key is hashed: it may be a secret."""
        source, _, name = self.aws.group_by.partition(":")
        if source == "header":
            value = first(self.request.headers, name.lower().encode())
        elif source == "path":
            value = _ascii(self.place.variables.get(name, b""))
        elif source == "query":
            value = self._parameter(name)
        else:
            key = self.place.key
            return hashlib.sha256(key).hexdigest()[:32] if key else self.id
        return short(value, _PLAIN_GROUP) if value else self.id

    def _parameter(self, name: str) -> str:
        query = self.request.target.partition(b"?")[2].decode("latin-1")
        for key, value in parse_qsl(query, keep_blank_values=True):
            if key == name:
                return value
        return ""

    def accepted(self) -> FunctionAnswer:
        """202, with where to ask and when."""
        headers: Headers = [(b"Content-Type", b"application/json")]
        if self.aws.location:
            headers.append((b"Location", self._location()))
        if self.aws.retry_after_s:
            headers.append((b"Retry-After", b"%d" % self.aws.retry_after_s))
        if self.wants_async:
            headers.append((b"Preference-Applied", b"respond-async"))
        body = orjson.dumps({"id": self.id})
        headers.append((b"Content-Length", b"%d" % len(body)))
        return FunctionAnswer(202, headers, b"" if self.request.method == "HEAD" else body)

    def _location(self) -> bytes:
        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name == "id":
                return self.id
            return _ascii(self.place.variables.get(name.removeprefix("path."), b""))

        return _VARIABLE.sub(put, self.aws.location).encode("ascii", "replace")


def first(headers: Headers, name: bytes) -> str:
    """The first value of a field; `name` in lower case."""
    for found, value in headers:
        if found.lower() == name:
            return value.decode("latin-1").strip()
    return ""


def short(value: str, plain: Callable[[str], object]) -> str:
    """The value itself where it may stand in a name, else a hash of it."""
    if plain(value) is not None:
        return value
    return hashlib.sha256(value.encode("latin-1", "replace")).hexdigest()[:32]


def _ascii(raw: bytes) -> str:
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)
