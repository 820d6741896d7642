"""A small client of AWS's APIs: signed requests, JSON protocols, Invoke.

A cold start imports no SDK. Sources: AWS General Reference, "Signature Version 4 signing process";
AWS JSON 1.0 and 1.1 protocols (Smithy); AWS Lambda API reference, Invoke. Endpoints as the SDKs
find them: AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL, else the public one of AWS_REGION.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

_TARGETS = {
    "sqs": ("AmazonSQS", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "states": ("AWSStepFunctions", "1.0"),
}


class AwsError(RuntimeError):
    """A service refused or did not answer; `status` is 0 when it did not."""

    def __init__(self, service: str, status: int, told: str) -> None:
        super().__init__(f"{service}: {status or 'no answer'}: {told}")
        self.status = status


class FunctionFailed(RuntimeError):
    """A function that was invoked failed: it threw, timed out or crashed."""


@dataclass(frozen=True)
class Answer:
    """What came back. Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def call(service: str, operation: str, body: dict[str, Any], *, timeout: float = 5.0) -> Any:
    """One operation of a service with a JSON protocol. Raises AwsError."""
    prefix, version = _TARGETS[service]
    headers = {
        "content-type": f"application/x-amz-json-{version}",
        "x-amz-target": f"{prefix}.{operation}",
    }
    answer = request(service, "POST", "/", json.dumps(body).encode(), headers, timeout=timeout)
    if answer.status != 200:
        raise AwsError(service, answer.status, answer.body.decode("utf-8", "replace")[:500])
    return json.loads(answer.body or b"{}")


def invoke(function: str, event: Any, *, timeout: float = 5.0) -> Any:
    """Run a function and wait for what it returns. Raises AwsError or FunctionFailed."""
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    answer = request("lambda", "POST", path, json.dumps(event).encode(), {}, timeout=timeout)
    if answer.status != 200:
        raise AwsError("lambda", answer.status, answer.body.decode("utf-8", "replace")[:500])
    if "x-amz-function-error" in answer.headers:
        raise FunctionFailed(f"{function}: {answer.body.decode('utf-8', 'replace')[:500]}")
    return json.loads(answer.body)


def request(
    service: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    timeout: float = 5.0,
) -> Answer:
    """One signed request. Raises AwsError when there is no answer within `timeout` seconds."""
    where = urlsplit(_endpoint(service))
    signed = _signed(service, method, path, where.netloc, body, headers or {})
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=timeout)
    try:
        connection.request(method, path, body, signed)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise AwsError(service, 0, repr(error)) from error
    finally:
        connection.close()


def _region() -> str:
    return os.environ.get("AWS_REGION", "us-east-1")


def _endpoint(service: str) -> str:
    own = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get(
        "AWS_ENDPOINT_URL"
    )
    return own or f"https://{service}.{_region()}.amazonaws.com"


def _signed(
    service: str, method: str, path: str, host: str, body: bytes, headers: dict[str, str]
) -> dict[str, str]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    whole = {**headers, "host": host, "x-amz-date": stamp, "x-amz-content-sha256": digest}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        whole["x-amz-security-token"] = token
    names = ";".join(sorted(whole))
    fields = "".join(f"{name}:{whole[name]}\n" for name in sorted(whole))
    # S3 signs the path as it is sent; the other services' paths here hold nothing to encode twice.
    canonical = "\n".join([method, path, "", fields, names, digest])
    scope = f"{stamp[:8]}/{_region()}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{os.environ.get('AWS_SECRET_ACCESS_KEY', 'local')}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{os.environ.get('AWS_ACCESS_KEY_ID', 'local')}/{scope}"
    whole["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    del whole["host"]  # http.client writes it
    return whole
