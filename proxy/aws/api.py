"""Calls to AWS's own APIs, signed: SQS, S3, Secrets Manager, asynchronous Invoke. No SDK.

Other endpoints than AWS's come from the variables that its SDKs read: AWS_ENDPOINT_URL, or
AWS_ENDPOINT_URL_SQS, _S3, _SECRETS_MANAGER, _LAMBDA. Credentials are those of the environment,
where Lambda puts them.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from urllib.parse import quote

import orjson

from figway.message.http import Headers
from proxy.aws.calls import Call, Origin, Reply, finished
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.aws_endpoint import environment_credentials
from proxy.wire.sigv4 import sign

Done = Callable[[Reply], None]

_HOSTS = {"secretsmanager": "SECRETS_MANAGER"}
_QUEUE_REGION = re.compile(r"//sqs\.([a-z0-9-]+)\.")
_SAFE_KEY = re.compile(r"[A-Za-z0-9._~/-]+")


class Service:
    """One service of AWS in one region. Must be made on the running loop."""

    def __init__(self, name: str, region: str, timer: DeadlineTimer) -> None:
        self.name = name
        self.region = region
        self.origin = Origin(endpoint(name, region), timer)

    def start(
        self,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        done: Done,
        *,
        query: str = "",
    ) -> Call:
        """Sign a request and begin the call."""
        origin = self.origin
        path = origin.path + path
        content = body or b""
        if self.name == "s3":
            digest = hashlib.sha256(content).hexdigest().encode()
            headers = [*headers, (b"X-Amz-Content-Sha256", digest)]
        credentials = environment_credentials()
        if credentials is not None:
            headers = headers + sign(
                credentials,
                method=method,
                path=path,
                query=query,
                headers=[(b"Host", origin.host), *headers],
                body=content,
                region=self.region,
                service=self.name,
                amz_date=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            )
        return origin.start(method, f"{path}?{query}" if query else path, headers, body, done)


def endpoint(service: str, region: str) -> str:
    """Where a service is."""
    variable = "AWS_ENDPOINT_URL_" + _HOSTS.get(service, service.upper())
    found = os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return (found or f"https://{service}.{region}.{suffix}").rstrip("/")


def region_of(name: str = "") -> str:
    """The region in an ARN or a queue's URL, else the environment's."""
    parts = name.split(":")
    if parts[0] == "arn" and len(parts) > 3 and parts[3]:
        return parts[3]
    if (found := _QUEUE_REGION.search(name)) is not None:
        return found[1]
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return region or "us-east-1"


def send_message(sqs: Service, queue_url: str, body: str, trace: str, done: Done) -> Call:
    """SQS SendMessage; `trace` is the X-Ray header that the message continues, or empty."""
    data: dict[str, object] = {"QueueUrl": queue_url, "MessageBody": body}
    if trace:
        data["MessageSystemAttributes"] = {
            "AWSTraceHeader": {"DataType": "String", "StringValue": trace}
        }
    headers = [
        (b"Content-Type", b"application/x-amz-json-1.0"),
        (b"X-Amz-Target", b"AmazonSQS.SendMessage"),
    ]
    return sqs.start("POST", "/", headers, orjson.dumps(data), done)


def invoke_later(function: str, service: Service, body: str, done: Done) -> Call:
    """Lambda Invoke of type Event."""
    name, _, qualifier = function.partition(":")
    if function.startswith("arn:"):
        parts = function.split(":")
        name, qualifier = ":".join(parts[:7]), ":".join(parts[7:])
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    query = f"Qualifier={quote(qualifier, safe='-_.~')}" if qualifier else ""
    headers = [
        (b"Content-Type", b"application/json"),
        (b"X-Amz-Invocation-Type", b"Event"),
    ]
    return service.start("POST", path, headers, body.encode(), done, query=query)


def secret_value(service: Service, name: str, done: Done) -> Call:
    """Secrets Manager GetSecretValue."""
    headers = [
        (b"Content-Type", b"application/x-amz-json-1.1"),
        (b"X-Amz-Target", b"secretsmanager.GetSecretValue"),
    ]
    return service.start("POST", "/", headers, orjson.dumps({"SecretId": name}), done)


async def fetch_secret(name: str, timer: DeadlineTimer) -> str:
    """The key in a secret; empty if it cannot be read. `sweep` must be ticking."""
    service = Service("secretsmanager", region_of(name), timer)
    return read_secret(await finished(lambda done: secret_value(service, name, done)))


def read_secret(reply: Reply) -> str:
    """The key in a secret: its text, or the member `key` of a JSON object; empty if none."""
    if reply.status != 200:
        return ""
    try:
        text = str(orjson.loads(reply.body)["SecretString"])
    except (KeyError, TypeError, ValueError):
        return ""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.strip()
    return str(data.get("key", "")) if isinstance(data, dict) else text.strip()


def object_path(bucket: str, key: str) -> str:
    """The path of an S3 object. Raises ValueError for a key that would need encoding."""
    if not _SAFE_KEY.fullmatch(key):
        raise ValueError(f"S3 key {key!r}: letters, digits and - _ . ~ / only")
    return f"/{bucket}/{key}"
