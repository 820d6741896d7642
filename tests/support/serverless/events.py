"""Events in the shapes that AWS documents, made from a request as a client sent it.

Each maker loses what the platform loses: HTTP APIs decode the path, REST APIs the query, and so on.
Sources: AWS, "Lambda proxy integrations" (payload formats 1.0, 2.0), "Lambda functions as targets",
"Invoking Lambda function URLs".
"""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, unquote_plus

KINDS = ("http", "rest", "alb", "alb-multi", "url")
PEER = "127.0.0.1"
TRACE = "Root=1-67891233-abcdef012345678912345678"
_TEXT = re.compile(r"(?i)(text/|application/(json|xml|javascript))")

Pairs = list[tuple[bytes, bytes]]


def make_event(
    kind: str, method: str, target: bytes, headers: Pairs, body: bytes = b"", peer: str = PEER
) -> dict[str, Any]:
    """The event for a request that `peer` sent over http (a load balancer) or https."""
    path, _, query = target.decode("latin-1").partition("?")
    fields = [(name.decode(), value.decode("latin-1")) for name, value in headers]
    scheme = "http"
    fields = _forwarded(fields, peer, scheme)
    text, encoded = _body(fields, body)
    host = next((value for name, value in fields if name.lower() == "host"), "")
    if kind in ("http", "url"):
        return _format_2(kind, method, path, query, fields, text, encoded, host, peer)
    event: dict[str, Any] = {"httpMethod": method, "path": path}
    multi = _grouped(fields)
    parameters = _parameters(query, decode=kind == "rest")
    if kind == "rest":
        event |= {
            "resource": "/{proxy+}",
            "headers": {name: values[-1] for name, values in multi.items()},
            "multiValueHeaders": multi,
            "queryStringParameters": {n: v[-1] for n, v in parameters.items()} or None,
            "multiValueQueryStringParameters": parameters or None,
            "pathParameters": {"proxy": path.lstrip("/")},
            "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": host,
                "httpMethod": method,
                "identity": {"sourceIp": peer, "userAgent": None},
                "path": "/prod" + path,
                "protocol": "HTTP/1.1",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "resourcePath": "/{proxy+}",
                "stage": "prod",
            },
        }
    else:
        arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/figway/0123456789"
        event["requestContext"] = {"elb": {"targetGroupArn": arn}}
        if kind == "alb":
            event["queryStringParameters"] = {n: v[-1] for n, v in parameters.items()}
            event["headers"] = {name: values[-1] for name, values in multi.items()}
        else:
            event["multiValueQueryStringParameters"] = parameters
            event["multiValueHeaders"] = multi
    return event | {"body": text, "isBase64Encoded": encoded}


def _format_2(
    kind: str,
    method: str,
    path: str,
    query: str,
    fields: list[tuple[str, str]],
    text: str,
    encoded: bool,
    host: str,
    peer: str,
) -> dict[str, Any]:
    cookies: list[str] = []
    headers: dict[str, str] = {}
    for name, value in fields:
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";")]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    if kind == "http":
        path = unquote(path).partition("?")[0]
    domain = host if kind == "http" else "abcdefghij.lambda-url.us-east-1.on.aws"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012" if kind == "http" else "anonymous",
            "apiId": "abcdefghij",
            "domainName": domain,
            "domainPrefix": "abcdefghij",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": peer,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        event["cookies"] = cookies
    if text:
        event["body"] = text
    return event


def _forwarded(fields: list[tuple[str, str]], peer: str, scheme: str) -> list[tuple[str, str]]:
    """What every platform adds; names in lower case, as an HTTP/2 client sends them."""
    chain = ""
    out = []
    for name, value in fields:
        lowered = name.lower()
        if lowered == "x-forwarded-for":
            chain = f"{value}, "
        elif lowered not in ("x-forwarded-proto", "x-forwarded-port", "connection"):
            out.append((lowered, value))
    out.append(("x-amzn-trace-id", TRACE))
    out.append(("x-forwarded-for", chain + peer))
    out.append(("x-forwarded-port", "80"))
    out.append(("x-forwarded-proto", scheme))
    return out


def _body(fields: list[tuple[str, str]], body: bytes) -> tuple[str, bool]:
    kind = next((value for name, value in fields if name == "content-type"), "")
    coded = any(name == "content-encoding" for name, _ in fields)
    if _TEXT.match(kind) and not coded:
        with suppress(UnicodeDecodeError):  # text in JSON has no other encoding
            return body.decode("utf-8"), False
    return base64.b64encode(body).decode(), bool(body)


def _grouped(fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def _parameters(query: str, *, decode: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        if decode:
            name, value = unquote_plus(name), unquote_plus(value)
        if name or value:
            found.setdefault(name, []).append(value)
    return found


def read_answer(answer: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, fields and body of what a function returned, as the platform reads it."""
    fields: list[tuple[str, str]] = []
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        fields += [(name, value) for value in values]
    fields += list((answer.get("headers") or {}).items())
    fields += [("set-cookie", cookie) for cookie in answer.get("cookies") or []]
    body = answer.get("body") or ""
    data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return answer["statusCode"], fields, data
