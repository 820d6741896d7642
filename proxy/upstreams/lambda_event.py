"""From a request to the event of an HTTP API, payload format 2.0, and from what a function
returned back to an answer.

The path and the query go in exactly as the client sent them; bytes that are not ASCII, which
JSON cannot carry as they are, percent-encoded. Field names are lower case and repeated fields
joined by a comma, as that format has it; cookies keep their own list.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from figway.message.http import Headers
from proxy.wire.message import OutboundRequest

MAX_PAYLOAD = 6 * 1_024 * 1_024
"""Bytes of a synchronous invocation's payload, either way (AWS Lambda quotas)."""

_TEXT = re.compile(
    rb"(?i)^(?:text/[^;]*|application/(?:[^;]*\+)?(?:json|xml|javascript|x-www-form-urlencoded))"
    rb"\s*(?:;|$)"
)
_CHARSET = re.compile(rb"(?i)charset\s*=\s*\"?([^\s;\"]+)")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})
_NO_LENGTH = frozenset({204, 304})


class BadPayload(ValueError):
    """What the function returned cannot be made into an answer. The text says why."""


@dataclass(frozen=True, slots=True)
class FunctionAnswer:
    """An answer that a function's payload stands for; `headers` includes Content-Length."""

    status: int
    headers: Headers
    body: bytes


def build_event(request: OutboundRequest, body: bytes, *, request_id: str, epoch_ms: int) -> bytes:
    """The event as JSON. `epoch_ms` is the wall clock in milliseconds."""
    raw_path, _, raw_query = request.target.partition(b"?")
    path, query = _ascii(raw_path), _ascii(raw_query)
    headers, cookies = event_headers(request.headers)
    if request.has_body:
        headers["content-length"] = str(len(body))
    text, encoded = event_body(headers, body)
    host = headers.get("host", "")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "figway",
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": headers.get("x-forwarded-for", "").rpartition(",")[2].strip(),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(epoch_ms / 1_000, UTC).strftime("%d/%b/%Y:%H:%M:%S %z"),
            "timeEpoch": epoch_ms,
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _parameters(query)
    if body:
        event["body"] = text
    return orjson.dumps(event)


def read_answer(payload: bytes, *, to_head: bool = False) -> FunctionAnswer:
    """The answer in a function's payload; inferred when it names no status, as AWS does it.

    Raises `BadPayload`.
    """
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise BadPayload("The function's payload is not JSON.") from None
    if not isinstance(value, dict) or "statusCode" not in value:
        inferred = value.encode() if isinstance(value, str) else payload
        return _answer(200, [(b"content-type", b"application/json")], inferred, to_head)
    status = _status(value["statusCode"])
    return _answer(status, _answer_headers(value), _answer_body(value), to_head)


# -- the event ---------------------------------------------------------------------------------


def _ascii(raw: bytes) -> str:
    if raw.isascii():
        return raw.decode("ascii")
    return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in raw)


def event_headers(pairs: Headers) -> tuple[dict[str, str], list[str]]:
    """Fields by lower-case name, repeated ones joined by a comma, and the cookies apart."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "expect":
            continue  # the body is there
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";") if part.strip()]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, cookies


def event_body(headers: dict[str, str], body: bytes) -> tuple[str, bool]:
    """A body as text, and whether it had to be encoded in base64: all that is not surely text."""
    content_type = headers.get("content-type", "").encode("latin-1")
    charset = _CHARSET.search(content_type)
    utf_8 = charset is None or charset[1].lower() in (b"utf-8", b"us-ascii")
    if "content-encoding" not in headers and utf_8 and _TEXT.match(content_type):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _parameters(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


# -- the answer --------------------------------------------------------------------------------


def _status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise BadPayload("The function's statusCode is not a status from 200 to 599.")
    return value


def _answer_headers(value: dict[str, Any]) -> Headers:
    headers: Headers = []
    multi = value.get("multiValueHeaders") or {}
    single = value.get("headers") or {}
    cookies = value.get("cookies") or []
    if not (isinstance(multi, dict) and isinstance(single, dict) and isinstance(cookies, list)):
        raise BadPayload("The function's headers or cookies have the wrong shape.")
    repeated = {name.lower() for name in multi}
    for name, item in single.items():
        if name.lower() not in repeated:
            _add(headers, name, item)
    for name, items in multi.items():
        if not isinstance(items, list):
            raise BadPayload("The function's multiValueHeaders are not lists.")
        for item in items:
            _add(headers, name, item)
    for cookie in cookies:
        _add(headers, "Set-Cookie", cookie)
    return headers


def _add(headers: Headers, name: str, value: object) -> None:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, (int, float)):
        value = str(value)
    if not isinstance(value, str) or not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
        raise BadPayload("The function returned a header that HTTP does not allow.")
    if name.lower() not in _FRAMING or name.lower() == "content-length":
        headers.append((name.encode("ascii"), _encode(value.strip(" \t"))))


def _encode(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")


def _answer_body(value: dict[str, Any]) -> bytes:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise BadPayload("The function's body is not a string.")
    if not value.get("isBase64Encoded"):
        return body.encode("utf-8")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadPayload("The function's body is not base64.") from None


def _answer(status: int, headers: Headers, body: bytes, to_head: bool) -> FunctionAnswer:
    """Framing is ours: Content-Length follows the body, but for HEAD and 304 stays as given."""
    given = [pair for pair in headers if pair[0].lower() == b"content-length"]
    rest = [pair for pair in headers if pair[0].lower() != b"content-length"]
    if (to_head or status == 304) and len(given) == 1 and given[0][1].isdigit() and not body:
        return FunctionAnswer(status, headers, b"")
    if status not in _NO_LENGTH:
        rest.append((b"content-length", b"%d" % len(body)))
    return FunctionAnswer(status, rest, b"" if to_head or status in _NO_LENGTH else body)
