"""From a Lambda event to a request head and body, with as much of what the client sent as it holds.

Five kinds of event carry HTTP. What each cannot carry is lost before it gets here, and listed in
docs/operate/serverless.md; what it does carry is kept as it stands: the raw path, the raw query,
the order of repeated fields, every cookie, every byte of a body. The platform plays the part of
the socket: its word on the client's address and scheme is taken, and the fields that it wrote
itself (X-Forwarded-*) are taken out again, so that a backend sees the same request as behind any
other door.

Sources: AWS, "Working with AWS Lambda proxy integrations" (payload formats 1.0 and 2.0),
"Lambda functions as targets for Application Load Balancers", "Invoking Lambda function URLs".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from figway.message.forwarded import canonical
from figway.message.http import Headers
from proxy.wire.client_head import BadRequest, RequestHead, assemble


class EventKind(StrEnum):
    """Who made an event, and in which shape."""

    REST = "rest"
    """API Gateway REST API, or an HTTP API with payload format 1.0."""
    HTTP = "http"
    """API Gateway HTTP API, payload format 2.0."""
    ALB = "alb"
    """Application Load Balancer, one value a field."""
    ALB_MULTI = "alb-multi"
    """Application Load Balancer with multi-value headers."""
    URL = "url"
    """Lambda function URL."""


class UnknownEvent(ValueError):
    """The event is none that carries HTTP."""


class OtherHttp(UnknownEvent):
    """The event carries HTTP in a shape that this door does not read: whoever sent it waits for an
    HTTP answer."""


class Incoming:
    """One request as an event carried it. `head.client` is the peer until the door knows better."""

    __slots__ = ("body", "head", "kind", "peer", "scheme")

    def __init__(
        self, kind: EventKind, head: RequestHead, body: bytes, peer: str, scheme: str
    ) -> None:
        self.kind = kind
        self.head = head
        self.body = body
        self.peer = peer
        self.scheme = scheme


_LONE_PERCENT = rb"%(?![0-9A-Fa-f]{2})"
_NOT_IN_PATH = re.compile(rb"[^!-~]|[?#]")
_NOT_IN_DECODED_PATH = re.compile(rb"[^!-~]|[?#]|" + _LONE_PERCENT)
_NOT_IN_QUERY = re.compile(rb"[^!-~]|#")
_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PLATFORM = frozenset({b"x-forwarded-proto", b"x-forwarded-port"})
_FRAMING = frozenset({b"transfer-encoding", b"connection", b"content-length"})
_TRACE = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})")
_TRACE_PARENT = re.compile(r"Parent=([0-9a-f]{16})")


def kind_of(event: Mapping[str, Any]) -> EventKind:
    """The kind of an event. Raises `UnknownEvent`."""
    context = event.get("requestContext")
    if isinstance(context, Mapping):
        if "elb" in context:
            return EventKind.ALB_MULTI if "multiValueHeaders" in event else EventKind.ALB
        if event.get("version") == "2.0" and "http" in context:
            domain = str(context.get("domainName", ""))
            return EventKind.URL if ".lambda-url." in domain else EventKind.HTTP
        if "httpMethod" in event:
            return EventKind.REST
    if _looks_like_http(event):
        raise OtherHttp("an HTTP event of another service, such as VPC Lattice")
    raise UnknownEvent("not an event of API Gateway, a load balancer or a function URL")


def _looks_like_http(event: Mapping[str, Any]) -> bool:
    http = (event.get("requestContext") or {}) if isinstance(event, Mapping) else {}
    method = event.get("method") or event.get("httpMethod")
    if isinstance(http, Mapping) and isinstance(http.get("http"), Mapping):
        method = method or http["http"].get("method")
    return isinstance(method, str) and bool(_METHOD.fullmatch(method))


def read_event(
    event: Mapping[str, Any], *, base_path: str = "", max_fields: int = 200, trace: str = ""
) -> Incoming:
    """The request that an event stands for.

    `base_path` is taken off the front of the path (a custom domain's mapping); `trace` is the
    invocation's X-Ray header, where the event has none. Raises `UnknownEvent`, and `BadRequest`
    for what no HTTP request may hold.
    """
    kind = kind_of(event)
    context = event["requestContext"]
    method = method_of(event)
    if not _METHOD.fullmatch(method):
        raise BadRequest(400, "bad_request_line", "The method is malformed.")
    body = _body(event)
    headers, forwarded = _headers(event, kind, len(body))
    if len(headers) > max_fields:
        raise BadRequest(431, "too_many_headers", "The request has too many header fields.")
    if not any(name.lower() == b"host" for name, _ in headers):
        domain = _text(context.get("domainName"))
        headers.insert(0, (b"host", domain.encode("ascii", "replace")))
    head = assemble(method, _target(event, kind, base_path), 1, headers)
    head.upgrade = b""
    head.expects = False
    if body and not head.has_body:
        head.has_body, head.content_length = True, len(body)
    if b"traceparent" not in head.index and (parent := _traceparent(head, trace)):
        head.index[b"traceparent"] = parent
    peer = _known_address(_peer(context, kind, forwarded))
    _take_out(head, peer)
    head.client = peer
    return Incoming(kind, head, body, peer, _scheme(kind, forwarded))


_FORMAT_2 = frozenset({EventKind.HTTP, EventKind.URL})


def method_of(event: Mapping[str, Any]) -> str:
    """The method that an event of a known kind names; empty where it names none."""
    if kind_of(event) in _FORMAT_2:
        event = event["requestContext"]["http"]
        method = event.get("method") if isinstance(event, Mapping) else ""
    else:
        method = event.get("httpMethod")
    return method if isinstance(method, str) else ""


# -- what a platform leaves out is null, and what is neither is no event of its ------------------


def _text(value: object) -> str:
    if isinstance(value, (str, int, float)):
        return str(value)
    if value is None:
        return ""
    raise _malformed()


def _map(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if value:
        raise _malformed()
    return {}


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    if value:
        raise _malformed()
    return []


def _each(multi: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _text(value)) for name, values in multi.items() for value in _list(values)]


def _malformed() -> BadRequest:
    return BadRequest(400, "bad_event", "The event has not the form of its kind.")


# -- the target --------------------------------------------------------------------------------


def _target(event: Mapping[str, Any], kind: EventKind, base_path: str) -> bytes:
    path = _text(event.get("rawPath" if kind in _FORMAT_2 else "path")) or "/"
    if kind is EventKind.HTTP:
        path = _without(path, _stage(event))
    path = _without(path, base_path)
    # HTTP APIs decode the path: what can only have stood there encoded is encoded again.
    decoded = kind is EventKind.HTTP or event.get("version") == "1.0"
    raw = path.encode("utf-8", "surrogatepass")
    raw = (_NOT_IN_DECODED_PATH if decoded else _NOT_IN_PATH).sub(_percent, raw)
    query = _NOT_IN_QUERY.sub(_percent, _query(event, kind).encode("utf-8", "surrogatepass"))
    if not raw.startswith(b"/") and raw != b"*":
        raw = b"/" + raw
    return raw + b"?" + query if query else raw


def _percent(octet: re.Match[bytes]) -> bytes:
    return b"%%%02X" % octet[0][0]


def _stage(event: Mapping[str, Any]) -> str:
    stage = _text(event["requestContext"].get("stage"))
    return "" if stage in ("", "$default") else "/" + stage


def _without(path: str, prefix: str) -> str:
    """`path` without a prefix of whole segments."""
    prefix = prefix.rstrip("/")
    if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
        return path[len(prefix) :] or "/"
    return path


def _query(event: Mapping[str, Any], kind: EventKind) -> str:
    if kind in _FORMAT_2:
        return _text(event.get("rawQueryString"))
    multi = _map(event.get("multiValueQueryStringParameters"))
    if multi:
        pairs = _each(multi)
    else:
        single = _map(event.get("queryStringParameters"))
        pairs = [(name, _text(value)) for name, value in single.items()]
    if kind is EventKind.REST:  # decoded by API Gateway; a load balancer leaves them as they were
        pairs = [(_quoted(name), _quoted(value)) for name, value in pairs]
    return "&".join([f"{name}={value}" for name, value in pairs])


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


# -- headers -----------------------------------------------------------------------------------


def _headers(
    event: Mapping[str, Any], kind: EventKind, length: int
) -> tuple[Headers, dict[bytes, bytes]]:
    """The fields that the client sent, and by lower-case name those that the platform wrote."""
    out: Headers = []
    forwarded: dict[bytes, bytes] = {}
    for name, value in _pairs(event, kind):
        raw_name, raw_value = _encode(name), _encode(value).strip(b" \t")
        if not _NAME.fullmatch(raw_name) or _BAD_VALUE.search(raw_value):
            raise BadRequest(400, "bad_header", "A header holds a forbidden character.")
        lowered = raw_name.lower()
        if lowered in _PLATFORM:
            forwarded[lowered] = raw_value
        elif lowered == b"content-length":
            out.append((raw_name, b"%d" % length))
        elif lowered not in _FRAMING:
            if lowered == b"x-forwarded-for":
                known = forwarded.get(lowered)
                forwarded[lowered] = raw_value if known is None else known + b", " + raw_value
            out.append((raw_name, raw_value))
    if event.get("cookies") and kind in _FORMAT_2:
        cookies = _encode("; ".join(map(_text, _list(event["cookies"]))))
        if _BAD_VALUE.search(cookies):
            raise BadRequest(400, "bad_header", "A cookie holds a forbidden character.")
        out.append((b"cookie", cookies))
    return out, forwarded


def _pairs(event: Mapping[str, Any], kind: EventKind) -> Iterable[tuple[str, str]]:
    multi = {} if kind in _FORMAT_2 else _map(event.get("multiValueHeaders"))
    if multi:
        return _each(multi)
    return [(name, _text(value)) for name, value in _map(event.get("headers")).items()]


def _encode(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _peer(context: Mapping[str, Any], kind: EventKind, forwarded: Mapping[bytes, bytes]) -> str:
    """The address that the platform saw the request come from."""
    if kind in _FORMAT_2:
        return _text(_map(context["http"]).get("sourceIp"))
    if kind is EventKind.REST:
        return _text(_map(context.get("identity")).get("sourceIp"))
    last = forwarded.get(b"x-forwarded-for", b"").rpartition(b",")[2].strip().decode("latin-1")
    return _address(last)


def _known_address(text: str) -> str:
    """An address in its one spelling; empty for what is none, which no header may hold."""
    try:
        return canonical(str(ip_address(text.partition("%")[0])))
    except ValueError:
        return ""


def _address(text: str) -> str:
    """An address without the port that a load balancer may be told to add."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _scheme(kind: EventKind, forwarded: Mapping[bytes, bytes]) -> str:
    default = b"http" if kind in (EventKind.ALB, EventKind.ALB_MULTI) else b"https"
    return "http" if forwarded.get(b"x-forwarded-proto", default).lower() == b"http" else "https"


def _take_out(head: RequestHead, peer: str) -> None:
    """Take the platform's own entry off the end of X-Forwarded-For."""
    value = head.index.get(b"x-forwarded-for")
    if value is None:
        return
    at = max(i for i, pair in enumerate(head.headers) if pair[0].lower() == b"x-forwarded-for")
    name, last = head.headers[at]
    before, _, entry = last.rpartition(b",")
    if canonical(_address(entry.strip().decode("latin-1"))) != peer:
        return
    rest = before.rstrip(b" \t")
    if rest:
        head.headers[at] = (name, rest)
    else:
        del head.headers[at]
    kept = [v for n, v in head.headers if n.lower() == b"x-forwarded-for"]
    if kept:
        head.index[b"x-forwarded-for"] = b", ".join(kept)
    else:
        del head.index[b"x-forwarded-for"]


def _traceparent(head: RequestHead, trace: str) -> bytes:
    """The X-Ray trace that the platform began, as W3C Trace Context; empty if there is none."""
    text = trace or (head.get(b"x-amzn-trace-id") or b"").decode("latin-1")
    root = _TRACE.search(text)
    if root is None:
        return b""
    span = _TRACE_PARENT.search(text)
    parent = span[1] if span is not None else root[2][:16]
    flags = "01" if "Sampled=1" in text else "00"
    return f"00-{root[1]}{root[2]}-{parent}-{flags}".encode()


# -- the body ----------------------------------------------------------------------------------


def _body(event: Mapping[str, Any]) -> bytes:
    body = _text(event.get("body"))
    if not body:
        return b""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(400, "bad_body", "The body is not base64.") from None
