"""Checks AWS Signature Version 4 on a request.

Source: AWS Identity and Access Management user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from new_services.host.errors import InvokeError, forbidden
from new_services.host.wire import Request

_ALGORITHM = "AWS4-HMAC-SHA256"
_SKEW = timedelta(minutes=5)
_UNRESERVED = "-_.~"


def verify(
    request: Request, secrets: Mapping[str, str], now: datetime, service: str = "lambda"
) -> None:
    """Raise InvokeError (403) unless the request is signed by one of `secrets` (id -> secret)."""
    authorization = request.headers.get("authorization", "")
    if not authorization:
        raise forbidden("MissingAuthenticationTokenException", "Missing Authentication Token")
    fields = _parse(authorization)
    access_key, date, region, scope_service, terminator = _scope(fields["Credential"])
    if access_key not in secrets:
        raise forbidden(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    if scope_service != service or terminator != "aws4_request":
        raise _invalid("Credential should be scoped to correct service: 'lambda'.")
    stamp = _stamp(request, date, now)
    signed = fields["SignedHeaders"].split(";")
    if "host" not in signed or any(name not in request.headers for name in signed):
        raise _invalid("'Host' or another signed header is missing from the request.")
    canonical = canonical_request(request, signed)
    text = "\n".join(
        [
            _ALGORITHM,
            stamp,
            f"{date}/{region}/{service}/aws4_request",
            hashlib.sha256(canonical).hexdigest(),
        ]
    )
    key = signing_key(secrets[access_key], date, region, service)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, fields["Signature"]):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. "
            "Consult the service documentation for details."
        )


def canonical_request(request: Request, signed: list[str]) -> bytes:
    """The bytes that a signature covers; the payload's hash is always computed, never believed."""
    headers = [f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed]
    pairs = sorted(
        (name, value)
        for name, _, value in (pair.partition("=") for pair in request.query.split("&") if pair)
    )
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/" + _UNRESERVED),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(headers),
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    ).encode()


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _parse(authorization: str) -> dict[str, str]:
    algorithm, _, rest = authorization.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    missing = {"Credential", "SignedHeaders", "Signature"} - set(fields)
    if algorithm != _ALGORITHM or missing:
        raise forbidden(
            "IncompleteSignatureException",
            f"Authorization header requires {', '.join(sorted(missing)) or _ALGORITHM}.",
        )
    return fields


def _scope(credential: str) -> tuple[str, str, str, str, str]:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        raise forbidden("IncompleteSignatureException", "Credential must have five parts.")
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _stamp(request: Request, date: str, now: datetime) -> str:
    stamp = request.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise forbidden(
            "IncompleteSignatureException", "Authorization header requires 'X-Amz-Date'."
        ) from None
    if not stamp.startswith(date):
        raise _invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version.")
    if at < now - _SKEW:
        raise _invalid(f"Signature expired: {stamp} is now earlier than the accepted time.")
    if at > now + _SKEW:
        raise _invalid(f"Signature not yet current: {stamp} is later than the accepted time.")
    return stamp


def _invalid(message: str) -> InvokeError:
    return forbidden("InvalidSignatureException", message)
