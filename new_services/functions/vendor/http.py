"""The HTTP API's event (payload format 2.0) in, its response out; errors in legacy's shape.

Source: AWS API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import functools
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote


class ApiError(Exception):
    """An answer that is an error of the JSON API."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field


def bad_request(message: str, field: str | None = None) -> ApiError:
    return ApiError(400, "bad_request", message, field)


def not_found(what: str) -> ApiError:
    return ApiError(404, "not_found", f"No such {what}.")


def conflict(message: str, field: str | None = None) -> ApiError:
    return ApiError(409, "conflict", message, field)


def invalid(field: str, message: str) -> ApiError:
    return ApiError(422, "invalid", message, field)


@dataclass
class Request:
    """What a handler needs of an event."""

    method: str
    path: str
    raw_query: str
    headers: dict[str, str]
    """Names in lower case."""
    cookies: dict[str, str]
    body: bytes
    id: str
    """Goes into `request_id` and X-Request-Id, and ties an answer to a log line."""

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Request:
        body = event.get("body") or ""
        raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        pairs = (cookie.partition("=") for cookie in event.get("cookies") or [])
        return cls(
            method=event["requestContext"]["http"]["method"],
            path=event.get("rawPath", "/"),
            raw_query=event.get("rawQueryString", ""),
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            cookies={name.strip(): value for name, _, value in pairs},
            body=raw,
            id=str(uuid.uuid4()),
        )

    def query(self) -> dict[str, str]:
        """The first value of each parameter; empty ones count as absent."""
        return {name: values[0] for name, values in parse_qs(self.raw_query).items()}

    def segment(self, position: int) -> str:
        """One decoded segment of the path: 0 is the first."""
        parts = self.path.split("/")[1:]
        return unquote(parts[position]) if position < len(parts) else ""

    def number(self, position: int, what: str) -> int:
        """A segment that is an id. Raises ApiError (404) when it cannot be one."""
        text = self.segment(position)
        if not text.isascii() or not text.isdecimal() or len(text) > 11:
            raise not_found(what)
        return int(text)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ApiError (400)."""
        try:
            data = json.loads(self.body)
        except ValueError:
            raise bad_request("The body is not JSON.") from None
        if not isinstance(data, dict):
            raise bad_request("The body must be a JSON object.")
        return data

    def url(self, path: str) -> str:
        """An absolute URL on the host that the caller asked for."""
        host = self.headers.get("x-forwarded-host") or self.headers.get("host", "localhost")
        scheme = self.headers.get("x-forwarded-proto", "http")
        return f"{scheme}://{host}{path}"


@dataclass
class Response:
    """An answer before it is put into the platform's form."""

    status: int
    body: str | bytes = ""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)

    def vary(self, name: str) -> None:
        """Say that the answer depends on a field of the request."""
        known = self.headers.get("Vary")
        self.headers["Vary"] = f"{known}, {name}" if known else name

    def to_event(self, request: Request) -> dict[str, Any]:
        headers = {"X-Request-Id": request.id, **self.headers}
        if self.content_type:
            headers["Content-Type"] = self.content_type
        binary = isinstance(self.body, bytes)
        text = base64.b64encode(self.body).decode("ascii") if binary else self.body  # type: ignore[arg-type]
        answer: dict[str, Any] = {
            "statusCode": self.status,
            "headers": headers,
            "body": text,
            "isBase64Encoded": binary,
        }
        if self.cookies:
            answer["cookies"] = self.cookies
        return answer


def as_json(status: int, data: Any, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(status, body, "application/json", headers or {})


def single(request: Request, data: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """One object, with the time and the id that every answer of the API ends with."""
    stamped = {**data, "generated_at": now(), "request_id": request.id}
    return as_json(status, stamped, headers)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Work = Callable[[Request], Response]
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def handler(*methods: str) -> Callable[[Work], Handler]:
    """Make a function that answers requests into a Lambda handler; ApiError becomes an answer."""

    def decorate(work: Work) -> Handler:
        @functools.wraps(work)
        def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
            request = Request.from_event(event)
            try:
                if request.method == "OPTIONS" and request.path.startswith("/api/"):
                    return _preflight(request).to_event(request)
                if request.method not in methods:
                    raise ApiError(405, "method_not_allowed", "Method not allowed.")
                response = work(request)
            except ApiError as error:
                response = _failure(request, error)
            if "origin" in request.headers and request.path.startswith("/api/"):
                response.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
                response.vary("Origin")
            if response.body:
                response.vary("Accept-Encoding")  # what stands before may compress it
            return response.to_event(request)

        return handle

    return decorate


def _preflight(request: Request) -> Response:
    """CORS as legacy allows it: the browser's question is answered by whoever serves the route."""
    headers = {
        "Access-Control-Allow-Origin": request.headers.get("origin", "*"),
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "content-type, idempotency-key",
        "Access-Control-Max-Age": "600",
    }
    return Response(204, headers=headers)


def _failure(request: Request, error: ApiError) -> Response:
    fault = {"code": error.code, "message": error.message, "field": error.field}
    return as_json(error.status, {"error": fault, "request_id": request.id})
