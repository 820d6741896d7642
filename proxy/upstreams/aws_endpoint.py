"""Where a service of AWS is, and what calls to it are signed with.

A backend names a resource by ARN or URL; region, host and partition follow from it, from `region`,
or from the environment. `endpoint_url` stands for all of that: a VPC endpoint, LocalStack, moto.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from figway.message.http import Headers
from figway.model.backend import Backend
from proxy.wire.message import OutboundRequest
from proxy.wire.sigv4 import Credentials, sign

CredentialSource = Callable[[], Credentials | None]
"""Gives the credentials to sign with now, or None; must return at once."""

NO_CREDENTIALS = "No AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
_REGION_IN_HOST = re.compile(
    r"(?:^|\.)(?:sqs|states|events|sns|s3|execute-api|es|aoss|lambda-url|lambda)\."
    r"([a-z]{2}(?:-[a-z]+)+-[0-9])\."
    r"|^([a-z]{2}(?:-[a-z]+)+-[0-9])\.queue\."
    r"|\.([a-z]{2}(?:-[a-z]+)+-[0-9])\.(?:es|aoss|on)\."
)


def environment_credentials() -> Credentials | None:
    """Credentials from AWS_ACCESS_KEY_ID and its companions, as Lambda itself sets them."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN", ""))


def region_of(backend: Backend, resource: str) -> str:
    """The region of a resource (ARN or URL). Raises ValueError when none is known."""
    found = backend.region or region_in(resource)
    found = found or os.environ.get("AWS_REGION", "") or os.environ.get("AWS_DEFAULT_REGION", "")
    if not found and not backend.endpoint_url:
        raise ValueError(f"Backend {backend.id}: no AWS region: set region, or use an ARN.")
    return found or "us-east-1"


def region_in(resource: str) -> str:
    """The region that an ARN or the host of a URL names; empty if none."""
    parts = resource.split(":")
    if parts[0] == "arn":
        return parts[3] if len(parts) > 3 else ""
    host = urlsplit(resource).hostname or ""
    match = _REGION_IN_HOST.search(host)
    return "" if match is None else next(group for group in match.groups() if group)


def origin_of(service: str, region: str, prefix: str = "") -> str:
    """The address of a service in a region, in the partition of that region."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{prefix}{service}.{region}.{suffix}"


class AwsEndpoint:
    """One address of one service, and the signature that it asks for.

    `url` is where it is, `local` that it is not AWS's own: it may be called without credentials.
    """

    __slots__ = ("clock", "credentials", "host", "local", "path", "region", "service", "url")

    def __init__(
        self,
        url: str,
        service: str,
        region: str,
        *,
        credentials: CredentialSource,
        clock: Callable[[], float],
    ) -> None:
        parts = urlsplit(url)
        self.url = url
        self.service = service
        self.region = region
        self.host = parts.netloc.rpartition("@")[2].encode("ascii")
        self.path = parts.path.rstrip("/") + "/"
        self.local = not (parts.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
        self.credentials = credentials
        self.clock = clock

    def post(self, fields: Headers, payload: bytes) -> OutboundRequest | None:
        """The call that carries `payload`, signed; None when AWS is to be called unsigned."""
        headers: Headers = [(b"Host", self.host), *fields]
        credentials = self.credentials()
        if credentials is not None:
            headers += sign(
                credentials,
                method="POST",
                path=self.path,
                query="",
                headers=headers,
                body=payload,
                region=self.region,
                service=self.service,
                amz_date=amz_date(self.clock()),
            )
        elif not self.local:
            return None
        return OutboundRequest(
            "POST", self.path.encode(), headers, has_body=True, content_length=len(payload)
        )


def amz_date(seconds: float) -> str:
    """A time as signatures name it: `20150830T123600Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
